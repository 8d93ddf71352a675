/**
 * Where things of the source tree are, seen from the sources as well as from their compiled copy under build/.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Path below the root of the repository. */
export function inRepository(...parts: readonly string[]): string {
  let directory = __dirname;
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`no package.json above ${__dirname}`);
    directory = parent;
  }
  return join(directory, ...parts);
}
