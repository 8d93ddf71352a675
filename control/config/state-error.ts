/**
 * Failures of the state folder, with what was attempted, the errno and the cure.
 */
import { errorCode, errorText, XmcastError } from '../errors';

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'Make room on the file system of the state folder.',
  EDQUOT: 'Make room within the quota of the user that runs xmcastd.',
  EROFS: 'Name a folder that can be written with --state-dir, or let systemd make one (StateDirectory=xmcast).',
  EACCES: 'Name a folder that can be written with --state-dir, or let systemd make one (StateDirectory=xmcast).',
  EPERM: 'Name a folder that can be written with --state-dir, or let systemd make one (StateDirectory=xmcast).',
};

export function stateError(task: string, cause: unknown): XmcastError {
  const code = errorCode(cause) || 'error';
  const hint = HINTS[code] ?? 'Look up the errno; the file system of the state folder is in trouble.';
  return new XmcastError('XM_STATE', `${task}: ${code}; ${errorText(cause)}`, { hint, cause });
}

export async function attempt<Result>(task: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw stateError(task, error);
  }
}

export interface LockOptions {
  readonly folder: string;
  /** Throws EWOULDBLOCK when another process holds the folder. The lock dies with the process. */
  readonly lock: (folder: string) => { close(): void };
}

export function lockFolder({ folder, lock }: LockOptions): { close(): void } {
  try {
    return lock(folder);
  } catch (error) {
    if (errorCode(error) !== 'EWOULDBLOCK' && errorCode(error) !== 'EAGAIN') throw stateError(`lock the state folder ${folder}`, error);
    throw new XmcastError('XM_ALREADY_RUNNING', `lock the state folder ${folder}: another xmcastd holds it`, {
      hint: 'Stop the other daemon, or give this one a folder of its own with --state-dir.',
      cause: error,
    });
  }
}
