/**
 * The version of the installation this command belongs to.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { schemaPath } from '../api/schema';

export function installedVersion(): string {
  // proto/gen/xmcast.binpb: the manifest lies two folders up.
  const manifest = path.resolve(path.dirname(schemaPath()), '../../package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}
