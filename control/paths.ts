/** Where the parts of an installation lie. Found through the import alias, so that it holds from the sources and from build/. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function root(): string {
  return dirname(dirname(require.resolve('#bindings')));
}

export function bpfObjectPath(): string {
  return join(root(), 'bpf', 'build', 'xmcast.bpf.o');
}

export function productVersion(): string {
  const manifest = JSON.parse(readFileSync(join(root(), 'package.json'), 'utf8')) as { readonly version: string };
  return manifest.version;
}
