/**
 * The compiled schema of the API (a FileDescriptorSet) as it lies beside the generated code.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Found through the import alias, so that the path holds from the sources and from build/. */
export function schemaPath(): string {
  return path.join(path.dirname(require.resolve('#proto')), 'xmcast.binpb');
}

export function readSchema(): Buffer {
  return readFileSync(schemaPath());
}
