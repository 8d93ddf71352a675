/**
 * Exit statuses of xmcastctl, and what it says when a call fails: the object, the cause, the cure.
 */
import { type ServiceError, status } from '@grpc/grpc-js';
import { connect } from 'node:net';

export const EXIT = { ok: 0, error: 1, usage: 2, notFound: 3, unavailable: 4, conflict: 5, differs: 6 } as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

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
  readonly socketPath: string;
  readonly timeoutMs: number;
}

/** Anything a call may reject with, as the failure to end with. */
export async function failureOf(error: unknown, context: CallContext): Promise<CliFailure> {
  if (error instanceof CliFailure) return error;
  if (!isServiceError(error)) return new CliFailure(EXIT.error, error instanceof Error ? error.message : String(error));
  const { code, details } = error;
  if (code === status.INVALID_ARGUMENT) return new CliFailure(EXIT.usage, details);
  if (code === status.ABORTED || code === status.FAILED_PRECONDITION) return new CliFailure(EXIT.conflict, details);
  if (code === status.NOT_FOUND) return new CliFailure(EXIT.notFound, details);
  if (code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED) {
    return new CliFailure(EXIT.unavailable, await unavailableText(error, context));
  }
  if (code === status.UNIMPLEMENTED) {
    return new CliFailure(
      EXIT.error,
      `xmcastd at ${context.socketPath} does not know this request: it is older than this xmcastctl.`,
    );
  }
  return new CliFailure(EXIT.error, `${status[code] ?? code}: ${details}`);
}

function isServiceError(error: unknown): error is ServiceError {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number' && 'details' in error;
}

/** gRPC's own words for this name neither file nor errno reliably, so the socket is asked once more. */
async function unavailableText(error: ServiceError, { socketPath, timeoutMs }: CallContext): Promise<string> {
  const attempt = `cannot reach xmcastd at ${socketPath}`;
  const errno = await probe(socketPath, timeoutMs);
  switch (errno) {
    case 'ENOENT':
      return `${attempt}: ENOENT, there is no socket. Start it (systemctl start xmcastd), or name its socket with --target.`;
    case 'ECONNREFUSED':
      return `${attempt}: ECONNREFUSED, nobody listens on the socket; the daemon has died. Start it again (systemctl start xmcastd).`;
    case 'EACCES':
      return `${attempt}: EACCES, this user may not use the socket. Run as root or as a member of the group that owns it.`;
    case undefined:
      return error.code === status.DEADLINE_EXCEEDED
        ? `xmcastd at ${socketPath} did not answer within ${timeoutMs / 1000} s. See its log; --timeout gives it longer.`
        : `${attempt}: ${error.details}`;
    default:
      return `${attempt}: ${errno}. Check the path given with --target or XMCAST_TARGET.`;
  }
}

/** undefined: a connection was accepted. */
function probe(socketPath: string, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath, timeout: timeoutMs });
    const finish = (errno: string | undefined): void => {
      socket.destroy();
      resolve(errno);
    };
    socket.once('connect', () => finish(undefined));
    socket.once('timeout', () => finish('ETIMEDOUT'));
    socket.once('error', (error: NodeJS.ErrnoException) => finish(error.code ?? error.message));
  });
}
