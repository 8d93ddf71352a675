/**
 * The management API on its unix socket: ConfigService, StateService, SystemService, health and reflection. Who may connect is decided by the
 * permissions of the socket; there is no other listener.
 */
import { type ConnectionInjector, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Socket } from 'node:net';

import type { Log } from '../log';

import { Health } from './health';
import { configServiceHandlers, type ConfigControl } from './config-service';
import { addReflection } from './reflection';
import { configServiceDefinition, stateServiceDefinition, systemServiceDefinition } from './services';
import { stateServiceHandlers } from './state-service';
import type { StateSource } from './state-source';
import { systemServiceHandlers } from './system-service';
import { unaryHandlers } from './unary';
import { listenUnix, type UnixListener } from './unix-socket';

/** As large as a configuration file may be. */
const MAX_RECEIVE_BYTES = 4 * 1024 * 1024;
const MAX_CONCURRENT_STREAMS = 100;
const MAX_CONNECTIONS = 64;
/** How long close() waits for calls under way; streams of health watchers never end by themselves. */
const CLOSE_GRACE_MS = 1000;

export interface ApiServerOptions {
  readonly socketPath: string;
  readonly state: StateSource;
  /** Without it there is no ConfigService. */
  readonly config?: ConfigControl;
  /** Forwarding ends, and the daemon; begun when it returns. */
  readonly detach?: () => void;
  readonly log: Log;
}

export interface ApiServer {
  readonly socketPath: string;
  /**
   * Health of "" and "dataplane" follows state.status().ready, within a second. false makes it NOT_SERVING at once and until true; true
   * looks at the state at once.
   */
  setServing(allowed: boolean): void;
  /** Idempotent. Calls under way get a second to finish; the socket is gone at once. */
  close(): Promise<void>;
}

/** Rejects with XmcastError when the socket cannot be had. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { socketPath, state, config, detach, log } = options;
  let stopping = false;
  const health = new Health(() => state.status().ready);
  const server = createGrpcServer({ state, config, detach, log }, health, () => stopping);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  let listener: UnixListener;
  try {
    listener = await listenUnix(socketPath, {
      maxConnections: MAX_CONNECTIONS,
      onConnection: (socket) => adopt(socket, sockets, injector),
      onError: (error) => log.warn({ err: error, socketPath }, 'API socket cannot accept a connection'),
    });
  } catch (error) {
    health.stop();
    server.forceShutdown();
    throw error;
  }
  let closed: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping = true;
    health.stop();
    listener.close();
    return shutDown(server, injector, sockets);
  };
  return { socketPath, setServing: (allowed) => health.setServing(allowed), close: () => (closed ??= stop()) };
}

interface Served {
  readonly state: StateSource;
  readonly config: ConfigControl | undefined;
  readonly detach: (() => void) | undefined;
  readonly log: Log;
}

function createGrpcServer({ state, config, detach, log }: Served, health: Health, isStopping: () => boolean): Server {
  const server = new Server({
    'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
    'grpc.enable_channelz': 0,
  });
  server.addService(stateServiceDefinition, unaryHandlers(stateServiceHandlers(state), log, isStopping));
  server.addService(systemServiceDefinition, unaryHandlers(systemServiceHandlers(state, config, detach), log, isStopping));
  if (config !== undefined)
    server.addService(configServiceDefinition, unaryHandlers(configServiceHandlers(config), log, isStopping));
  health.addTo(server);
  addReflection(server);
  return server;
}

function adopt(socket: Socket, sockets: Set<Socket>, injector: ConnectionInjector): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  // A client that vanishes in the middle of a write (EPIPE, ECONNRESET) is ordinary: http2 ends its streams.
  socket.on('error', () => undefined);
  injector.injectConnection(socket);
}

async function shutDown(server: Server, injector: ConnectionInjector, sockets: ReadonlySet<Socket>): Promise<void> {
  const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  injector.drain(CLOSE_GRACE_MS);
  const deadline = setTimeout(() => {
    server.forceShutdown();
    for (const socket of sockets) socket.destroy();
  }, CLOSE_GRACE_MS);
  await drained;
  clearTimeout(deadline);
  injector.destroy();
  for (const socket of sockets) socket.destroy();
}
