/** Compiles a file of bpf/ for a test that loads it itself. */
import { join } from 'node:path';
import { run } from './command';
import type { Lab } from './lab';

/** Resolves with the object, which goes with the lab. */
export async function compileBpf(lab: Lab, source: string, name: string): Promise<string> {
  const object = join(lab.directory, `${name}.bpf.o`);
  const machine = (await run(['uname', '-m'])).trim();
  const flags = ['-O2', '-g', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror', '-target', 'bpf', '-mcpu=v3', `-I/usr/include/${machine}-linux-gnu`];
  await run(['clang', ...flags, '-c', source, '-o', object]);
  return object;
}
