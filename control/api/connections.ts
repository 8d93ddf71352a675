/**
 * The connections of the API: each with an HTTP/2 session of its own that knows who is at the other end. Bounds them in number and in
 * calls, and closes them all or by kind.
 */
import { type ConnectionInjector, experimental, type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';

import { errorCode } from '../errors';

import { admission, type AdmissionOptions, type Caller } from './admission';
import type { ListenerKind } from './api-counters';

/** How long closing waits for calls under way; streams of watchers never end by themselves. */
export const CLOSE_GRACE_MS = 1000;

export interface Connection {
  readonly kind: ListenerKind;
  readonly caller: Caller;
  /** When the client's certificate ends, as wall time. undefined: never. */
  readonly notAfterMs: number | undefined;
}

interface Open extends Connection {
  readonly socket: Socket;
  readonly injector: ConnectionInjector;
}

export class Connections {
  readonly #server: Server;
  readonly #options: AdmissionOptions;
  readonly #open = new Set<Open>();

  constructor(server: Server, options: AdmissionOptions) {
    this.#server = server;
    this.#options = options;
  }

  count(kind: ListenerKind, callerName?: string): number {
    let count = 0;
    for (const each of this.#open) if (each.kind === kind && (callerName ?? each.caller.name) === each.caller.name) count++;
    return count;
  }

  adopt(socket: Socket, connection: Connection): void {
    const { counters, refusals } = this.#options;
    const interceptors = [admission(connection.caller, this.#options)];
    // An injector for each connection: its interceptor is told who calls, which grpc-js itself tells of certificates only, at every call.
    const credentials = experimental.createServerCredentialsWithInterceptors(ServerCredentials.createInsecure(), interceptors);
    const injector = this.#server.createConnectionInjector(credentials);
    const open = { ...connection, socket, injector };
    this.#open.add(open);
    counters.addConnections(connection.kind, 1);
    socket.once('close', () => {
      this.#open.delete(open);
      counters.addConnections(connection.kind, -1);
      injector.destroy();
    });
    // A client that vanishes in the middle of a write (EPIPE, ECONNRESET) is ordinary: http2 ends its streams. What http2 itself ends, for
    // bytes that are no frames, or too many streams, settings or resets, it ends with an error of its own.
    socket.on('error', (error) => {
      const code = errorCode(error);
      if (code.startsWith('ERR_HTTP2')) refusals.count('http2', connection.caller.name, error.message);
    });
    injector.injectConnection(socket);
  }

  /** Calls under way get a second to end. Resolves when all of the kind are closed. */
  async drain(kind: ListenerKind, which: (connection: Connection) => boolean = () => true): Promise<void> {
    const closing = [...this.#open].filter((each) => each.kind === kind && which(each));
    await Promise.all(closing.map(drainOne));
  }
}

function drainOne({ socket, injector }: Open): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve();
    const deadline = setTimeout(() => socket.destroy(), CLOSE_GRACE_MS);
    socket.once('close', () => {
      clearTimeout(deadline);
      resolve();
    });
    injector.drain(CLOSE_GRACE_MS);
  });
}
