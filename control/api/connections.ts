/**
 * The connections of the API: each with an HTTP/2 session of its own that knows who is at the other end. Bounds them in number and in
 * calls, and closes them all or by kind.
 */
import { type ConnectionInjector, experimental, type Server, ServerCredentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';

import { errorCode } from '../errors';

import { admission, type AdmissionOptions, type Caller } from './admission';
import type { ListenerKind } from './api-counters';
import { answerUnknownMethods } from './unknown-methods';

/** How long closing waits for calls under way; streams of watchers never end by themselves. */
export const CLOSE_GRACE_MS = 1000;

export interface Connection {
  readonly kind: ListenerKind;
  readonly caller: Caller;
  /** When the client's certificate ends, as wall time. undefined: never. */
  readonly notAfterMs: number | undefined;
}

interface Ending {
  /** A call came: what was sent is HTTP/2. */
  hasCalled: boolean;
  /** By the client, by an error, or by us on purpose. */
  isExplained: boolean;
}

interface Open extends Connection {
  readonly socket: Socket;
  readonly injector: ConnectionInjector;
  readonly ending: Ending;
}

export class Connections {
  readonly #server: Server;
  readonly #options: AdmissionOptions;
  readonly #open = new Set<Open>();

  constructor(server: Server, options: AdmissionOptions) {
    this.#server = server;
    this.#options = options;
    answerUnknownMethods(server);
  }

  count(kind: ListenerKind, callerName?: string): number {
    let count = 0;
    for (const each of this.#open) if (each.kind === kind && (callerName ?? each.caller.name) === each.caller.name) count++;
    return count;
  }

  adopt(socket: Socket, connection: Connection): void {
    const { counters } = this.#options;
    const ending = this.#watchEnding(socket, connection.caller.name);
    const caller = { ...connection.caller, takeRequest: () => (ending.hasCalled = true) && connection.caller.takeRequest() };
    const interceptors = [admission(caller, this.#options)];
    // An injector for each connection: its interceptor is told who calls, which grpc-js itself tells of certificates only, at every call.
    const credentials = experimental.createServerCredentialsWithInterceptors(ServerCredentials.createInsecure(), interceptors);
    const injector = this.#server.createConnectionInjector(credentials);
    const open = { ...connection, socket, injector, ending };
    this.#open.add(open);
    counters.addConnections(connection.kind, 1);
    socket.once('close', () => {
      this.#open.delete(open);
      counters.addConnections(connection.kind, -1);
      injector.destroy();
    });
    injector.injectConnection(socket);
  }

  /**
   * http2 ends a connection for bytes that are no frames, or too many streams, settings or resets: with an error of its own, or, when they
   * came with the end of the handshake, without a word. A client that vanishes (EPIPE, ECONNRESET) is ordinary.
   */
  #watchEnding(socket: Socket, name: string): Ending {
    const { refusals } = this.#options;
    const ending: Ending = { hasCalled: false, isExplained: false };
    // Answers to our own end are no ending by the client.
    socket.once('end', () => (ending.isExplained ||= !socket.writableEnded));
    socket.on('error', (error) => {
      ending.isExplained = true;
      if (errorCode(error).startsWith('ERR_HTTP2')) refusals.count('http2', name, error.message);
    });
    socket.once('close', () => {
      if (!ending.hasCalled && !ending.isExplained) refusals.count('http2', name, 'ended before its first call');
    });
    return ending;
  }

  /** Calls under way get a second to end. Resolves when all of the kind are closed. */
  async drain(kind: ListenerKind, which: (connection: Connection) => boolean = () => true): Promise<void> {
    const closing = [...this.#open].filter((each) => each.kind === kind && which(each));
    await Promise.all(closing.map(drainOne));
  }
}

function drainOne({ socket, injector, ending }: Open): Promise<void> {
  ending.isExplained = true;
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
