/**
 * Compiles the BPF fixtures of these tests into a temporary folder. Never writes into the source tree.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const MULTIARCH_INCLUDE: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

export class FixtureFolder {
  readonly path = mkdtempSync(path.join(tmpdir(), 'xmcast-bindings-'));

  /** The compiled object of `fixtures/<name>.bpf.c`. */
  compile(name: string): string {
    const object = path.join(this.path, `${name}.bpf.o`);
    const include = `/usr/include/${MULTIARCH_INCLUDE[process.arch] ?? `${process.arch}-linux-gnu`}`;
    const source = path.join(__dirname, 'fixtures', `${name}.bpf.c`);
    execFileSync('clang', ['-O2', '-g', '-Wall', '-Werror', '-target', 'bpf', '-I', include, '-c', source, '-o', object]);
    return object;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
