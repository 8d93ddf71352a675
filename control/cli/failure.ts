/**
 * Exit statuses of xmcastctl, and what it says when a call fails: the object, the cause, the cure.
 */
import { type ServiceError, status } from '@grpc/grpc-js';
import { connect } from 'node:net';

import type { Target } from './options';

export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, unavailable: 4, conflict: 5, differs: 6, denied: 7 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** Stable: scripts rely on them. */
export const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'ok',
  error: 'error',
  usage: 'usage, or an argument that xmcastd refuses',
  notFound: 'nothing matches',
  unavailable: 'xmcastd cannot be reached, or did not answer in time',
  conflict: 'the state of xmcastd does not allow it (etag, deadline, who decides)',
  differs: 'config diff found a difference; trace: not forwarded',
  denied: 'the role of this certificate is not enough',
};
export const EXIT_TEXT = Object.entries(EXIT)
  .map(([name, exitStatus]) => `${exitStatus} ${EXIT_MEANING[name as keyof typeof EXIT]}`)
  .join('; ');

/** Ends the command with this message and status. */
export class CliFailure extends Error {
  readonly exitStatus: ExitStatus;

  constructor(exitStatus: ExitStatus, message: string) {
    super(message);
    this.name = 'CliFailure';
    this.exitStatus = exitStatus;
  }
}

export interface CallContext {
  readonly target: Target;
  readonly timeoutMs: number;
}

/** Anything a call may reject with, as the failure to end with. */
export async function failureOf(error: unknown, context: CallContext): Promise<CliFailure> {
  if (error instanceof CliFailure) return error;
  if (!isServiceError(error)) return new CliFailure(EXIT.error, error instanceof Error ? error.message : String(error));
  const { code, details } = error;
  if (code === status.INVALID_ARGUMENT) return new CliFailure(EXIT.usage, details);
  if (code === status.ABORTED || code === status.FAILED_PRECONDITION || code === status.ALREADY_EXISTS) return new CliFailure(EXIT.conflict, details);
  if (code === status.PERMISSION_DENIED) return new CliFailure(EXIT.denied, details);
  if (code === status.NOT_FOUND) return new CliFailure(EXIT.notFound, details);
  if (code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED) {
    return new CliFailure(EXIT.unavailable, await unavailableText(error, context));
  }
  if (code === status.UNIMPLEMENTED) {
    return new CliFailure(
      EXIT.error,
      `xmcastd at ${nameOf(context.target)} does not know this request: it is older than this xmcastctl.`,
    );
  }
  return new CliFailure(EXIT.error, `${status[code] ?? code}: ${details}`);
}

function isServiceError(error: unknown): error is ServiceError {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** A unix socket by its path alone. */
function nameOf({ name, place }: Target): string {
  return 'path' in place ? place.path : name;
}

/** gRPC's own words for this name neither place nor errno reliably, so the place is asked once more. */
async function unavailableText(error: ServiceError, { target, timeoutMs }: CallContext): Promise<string> {
  const attempt = `cannot reach xmcastd at ${nameOf(target)}`;
  const errno = await probe(target, timeoutMs);
  if (errno === undefined && error.code === status.DEADLINE_EXCEEDED) {
    return `xmcastd at ${nameOf(target)} did not answer within ${timeoutMs / 1000} s. See its log; --timeout gives it longer.`;
  }
  return 'path' in target.place ? unixText(attempt, errno, error) : tcpText(attempt, errno, error);
}

function unixText(attempt: string, errno: string | undefined, { details }: ServiceError): string {
  switch (errno) {
    case 'ENOENT':
      return `${attempt}: ENOENT, there is no socket. Start it (systemctl start xmcastd), or name its socket with --target.`;
    case 'ECONNREFUSED':
      return `${attempt}: ECONNREFUSED, nobody listens on the socket; the daemon has died. Start it again (systemctl start xmcastd).`;
    case 'EACCES':
      return `${attempt}: EACCES, this user may not use the socket. Run as root or as a member of the group that owns it.`;
    case undefined:
      return `${attempt}: ${details}`;
    default:
      return `${attempt}: ${errno}. Check the path given with --target or XMCAST_TARGET.`;
  }
}

function tcpText(attempt: string, errno: string | undefined, { details }: ServiceError): string {
  switch (errno) {
    case 'ECONNREFUSED':
      return `${attempt}: ECONNREFUSED, nobody listens there. Check the port, and api.listen in the configuration of xmcastd.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${attempt}: ${errno}, the name cannot be resolved. Check the host given with --target or XMCAST_TARGET.`;
    case undefined:
      return `${attempt}: it accepts connections, but not ours: ${details.trim()}. Check that its authority knows --tls-cert, and that --tls-ca knows its certificate and the name in it (--tls-server-name).`;
    default:
      return `${attempt}: ${errno}. Check the route to the host, and its firewall.`;
  }
}

/** undefined: a connection was accepted. */
function probe({ place }: Target, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, timeout: timeoutMs });
    const finish = (errno: string | undefined): void => {
      socket.destroy();
      resolve(errno);
    };
    socket.once('connect', () => finish(undefined));
    socket.once('timeout', () => finish('ETIMEDOUT'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}
