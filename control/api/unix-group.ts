/**
 * The group that may use the unix socket.
 */
import { readFileSync } from 'node:fs';

import { XmcastError } from '../errors';

const DEFAULT_GROUP = 'xmcast';

/**
 * `name`: also a number. undefined, of the default only: there is no such group here, or this process may not give anything to it. Throws
 * XmcastError.
 */
export function socketGroupId(name: string | undefined, groupFile = '/etc/group'): number | undefined {
  if (name !== undefined && /^[0-9]+$/.test(name)) return Number(name);
  const id = findGroup(name ?? DEFAULT_GROUP, groupFile);
  if (name === undefined) return id !== undefined && mayGiveTo(id) ? id : undefined;
  if (id !== undefined) return id;
  throw new XmcastError('XM_CONFIG', `give the API socket to the group ${name}: there is no such group in ${groupFile}`, {
    hint: 'Create it (groupadd --system), or set api.socket_group to another or to a number.',
  });
}

/** chown(2): root to any group, others to their own. */
function mayGiveTo(id: number): boolean {
  return process.geteuid?.() === 0 || (process.getgroups?.() ?? []).includes(id);
}

/** group(5): name:password:number:members. */
function findGroup(name: string, groupFile: string): number | undefined {
  const line = readGroups(groupFile).find((each) => each.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2] || Number.NaN);
  return Number.isInteger(id) ? id : undefined;
}

function readGroups(groupFile: string): string[] {
  try {
    return readFileSync(groupFile, 'utf8').split('\n');
  } catch {
    // A system without the file has no named groups.
    return [];
  }
}
