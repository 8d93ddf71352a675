/**
 * xmcastd in two processes, each with no more rights than it needs: the data plane with four capabilities, the controller with none and,
 * where the tree can be read by everybody, as nobody. A suite that imports this before another one runs all of that one's daemons so.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab';
import type { LabProcess } from './lab-process';
import type { Namespace } from './namespace';
import { inRepository } from './repository';

const ROLES = 'XMCAST_TEST_ROLES';
const CAPABILITIES = '-all,+bpf,+net_admin,+net_raw,+perfmon';
/** Group of both processes: the socket of the data plane is open to it. */
const GROUP = ['--regid', 'nogroup', '--clear-groups'];

/** From now on, daemons that are started run in two processes, or in one. */
export function splitRoles(isSplit = true): void {
  process.env[ROLES] = isSplit ? 'split' : 'one';
}

export function rolesAreSplit(): boolean {
  return process.env[ROLES] === 'split';
}

export interface DataplaneHalf {
  readonly process: LabProcess;
  readonly socketPath: string;
  readonly pinPath: string;
}

export interface DataplaneFiles {
  readonly socketPath: string;
  readonly pinPath: string;
  readonly maxRoutes?: number | undefined;
  readonly maxReplicationGroups?: number | undefined;
}

export function startDataplane(lab: Lab, namespace: Namespace, files: DataplaneFiles): DataplaneHalf {
  const sizes = Object.entries({ '--max-routes': files.maxRoutes, '--max-replication-groups': files.maxReplicationGroups })
    .filter(([, value]) => value !== undefined)
    .flatMap(([flag, value]) => [flag, String(value)]);
  const argv = [
    'setpriv', `--bounding-set=${CAPABILITIES}`, ...GROUP,
    inRepository('deploy/bin/xmcastd'), '--role', 'dataplane', '--dataplane-socket', files.socketPath, '--pin-path', files.pinPath, ...sizes,
  ];
  return { process: lab.spawn(namespace, argv, { name: 'dataplane' }), socketPath: files.socketPath, pinPath: files.pinPath };
}

/** What runs a controller: goes before its command line. */
export function unprivileged(): readonly string[] {
  const user = isReadableByNobody() ? ['--reuid', 'nobody'] : [];
  return ['setpriv', ...user, ...GROUP, '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'];
}

/** A folder that an unprivileged process can make its sockets in. */
export function openFolder(lab: Lab, name: string): string {
  const folder = join(lab.directory, name);
  mkdirSync(folder, { recursive: true });
  chmodSync(lab.directory, 0o755);
  chmodSync(folder, 0o777);
  return folder;
}

let readable: boolean | undefined;

function isReadableByNobody(): boolean {
  readable ??= canRead(inRepository('package.json')) && canRead(process.execPath);
  return readable;
}

function canRead(path: string): boolean {
  try {
    execFileSync('setpriv', ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', 'test', '-r', path]);
    return true;
  } catch {
    // Below somebody's home: a controller without capabilities has to do.
    return false;
  }
}
