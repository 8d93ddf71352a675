/**
 * Listens on a unix socket that only owner and group may use. Clears away a socket that a dead process left; never touches a living one,
 * nor anything that is no socket.
 */
import { chownSync, lstatSync, mkdirSync, type Stats, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';

import { XmcastError } from '../errors';

/** sun_path is 108 bytes with its final zero (unix(7)). Longer paths would be cut silently. */
const MAX_PATH_BYTES = 107;
/** 0777 less this is 0660. */
const SOCKET_UMASK = 0o117;

export interface UnixListener {
  /** From now on; connections beyond it that there are live on. */
  setMaxConnections(count: number): void;
  /** Stops accepting and removes the socket. Connections already made live on. */
  close(): void;
}

export interface UnixListenOptions {
  readonly maxConnections: number;
  /** Number of the group that gets the socket. undefined: that of the process. */
  readonly groupId?: number | undefined;
  readonly onConnection: (socket: Socket) => void;
  /** accept(2) failed, e.g. EMFILE. The listener stays. */
  readonly onError: (error: Error) => void;
  /** A connection beyond maxConnections was closed. */
  readonly onDropped?: () => void;
}

export async function listenUnix(socketPath: string, options: UnixListenOptions): Promise<UnixListener> {
  checkLength(socketPath);
  prepareFolder(path.dirname(socketPath), socketPath);
  await clearStaleSocket(socketPath);
  const server = createServer(options.onConnection);
  server.maxConnections = options.maxConnections;
  await bind(server, socketPath);
  server.on('error', options.onError);
  server.on('drop', () => options.onDropped?.());
  const identity = lstatSync(socketPath);
  try {
    if (options.groupId !== undefined) chownSync(socketPath, identity.uid, options.groupId);
  } catch (error) {
    closeListener(server, socketPath, identity);
    throw listenError(socketPath, `give it to group ${options.groupId}`, error);
  }
  return {
    setMaxConnections: (count) => (server.maxConnections = count),
    close: () => closeListener(server, socketPath, identity),
  };
}

function checkLength(socketPath: string): void {
  const bytes = Buffer.byteLength(socketPath);
  if (bytes > 0 && bytes <= MAX_PATH_BYTES && !socketPath.includes('\0')) return;
  throw new XmcastError(
    'XM_CONFIG',
    `listen on ${socketPath}: a socket path has 1 to ${MAX_PATH_BYTES} bytes, this one ${bytes}`,
    {
      hint: 'Set api.socket to a shorter path.',
    },
  );
}

function prepareFolder(folder: string, socketPath: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw listenError(socketPath, `create folder ${folder}`, error);
  }
}

async function clearStaleSocket(socketPath: string): Promise<void> {
  let stats: Stats;
  try {
    stats = lstatSync(socketPath);
  } catch (error) {
    if (errnoName(error) === 'ENOENT') return;
    throw listenError(socketPath, 'look at the path', error);
  }
  if (!stats.isSocket()) throw notASocket(socketPath);
  const refusal = await probe(socketPath);
  if (refusal === undefined) throw inUse(socketPath);
  // Only a refused connection proves that no process listens: EAGAIN is a full backlog, EACCES says nothing.
  if (refusal.code === 'ENOENT') return;
  if (refusal.code !== 'ECONNREFUSED') throw listenError(socketPath, 'ask who listens there', refusal);
  try {
    unlinkSync(socketPath);
  } catch (error) {
    if (errnoName(error) !== 'ENOENT') throw listenError(socketPath, 'remove the socket that a dead process left', error);
  }
}

/** undefined: somebody accepted. */
function probe(socketPath: string): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath });
    socket.once('connect', () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', resolve);
  });
}

/**
 * net.Server binds a unix socket inside listen(), before it returns, so the umask, which belongs to the whole process, is changed for
 * these two system calls only and no other file can be created under it.
 */
function bind(server: Server, socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(socketPath, 'bind', error)));
    const previous = process.umask(SOCKET_UMASK);
    try {
      server.listen({ path: socketPath, backlog: 64 }, () => {
        server.removeAllListeners('error');
        resolve();
      });
    } finally {
      process.umask(previous);
    }
  });
}

/** net.Server unlinks its path on close, whoever's it is by then; a successor's socket has to survive that. */
function closeListener(server: Server, socketPath: string, identity: Stats): void {
  if (!server.listening) return;
  if (ownsPath(socketPath, identity)) server.close();
  else server.unref();
}

function ownsPath(socketPath: string, identity: Stats): boolean {
  try {
    const now = lstatSync(socketPath);
    return now.ino === identity.ino && now.dev === identity.dev;
  } catch {
    // Gone already: nothing of anybody's can be removed.
    return true;
  }
}

function inUse(socketPath: string): XmcastError {
  return new XmcastError('XM_ADDRESS_IN_USE', `listen on ${socketPath}: EADDRINUSE; another process answers there`, {
    hint: 'Stop the other xmcastd, or set api.socket to another path.',
  });
}

function notASocket(socketPath: string): XmcastError {
  return new XmcastError('XM_ADDRESS_IN_USE', `listen on ${socketPath}: EADDRINUSE; something that is no socket is there`, {
    hint: 'Move it away, or set api.socket to another path.',
  });
}

function listenError(socketPath: string, attempt: string, cause: unknown): XmcastError {
  const name = errnoName(cause);
  const message = `listen on ${socketPath}: ${attempt}: ${name}`;
  if (name === 'EADDRINUSE') return inUse(socketPath);
  if (name === 'EACCES' || name === 'EPERM' || name === 'EROFS') {
    return new XmcastError('XM_PRIVILEGE', `${message}; this user may not write there`, {
      hint: 'Let systemd create the folder (RuntimeDirectory=xmcast), or set api.socket to a folder this user may write.',
      cause,
    });
  }
  if (name === 'ENOTDIR' || name === 'EEXIST' || name === 'ENOENT') {
    return new XmcastError('XM_CONFIG', `${message}; part of the path is no folder`, { hint: 'Correct api.socket.', cause });
  }
  return new XmcastError('XM_INTERNAL', message, {
    hint: 'Look up the errno; the path or its file system is in trouble.',
    cause,
  });
}

function errnoName(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : String(error);
}
