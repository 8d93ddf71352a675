/**
 * DataplaneService on its unix socket, with health and reflection. Who may connect is decided by the permissions of the socket: whoever
 * may write there drives the forwarder.
 */
import type { Socket } from 'node:net';
import { Server, ServerCredentials, type ConnectionInjector } from '@grpc/grpc-js';
import { Health } from '../api/health';
import { addReflection } from '../api/reflection';
import { unaryHandlers } from '../api/unary';
import { listenUnix } from '../api/unix-socket';
import type { Log } from '../log';
import type { CountersCall, DataplaneService, LinksCall, RoutesCall } from './dataplane-service';
import { DATAPLANE_SERVICE_NAME, dataplaneServiceDefinition } from './definition';
import type { ControlCall } from './server-session';
import { KEEPALIVE_MS, MESSAGE_LIMIT_BYTES, WINDOW_BYTES } from './transport';

const MAX_CONCURRENT_STREAMS = 100;
const MAX_CONNECTIONS = 16;
/** How long close() waits for calls under way. */
const CLOSE_GRACE_MS = 500;

export interface DataplaneServerOptions {
  readonly socketPath: string;
  readonly service: DataplaneService;
  readonly log: Log;
}

export interface DataplaneServer {
  /** Idempotent. The socket is gone at once. */
  close(): Promise<void>;
}

/** Rejects with XmcastError when the socket cannot be had. */
export async function startDataplaneServer({ socketPath, service, log }: DataplaneServerOptions): Promise<DataplaneServer> {
  const state = { isStopping: false };
  const health = new Health(() => !state.isStopping, [DATAPLANE_SERVICE_NAME]);
  const server = createServer(service, health, log, () => state.isStopping);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  const listener = await listenUnix(socketPath, {
    maxConnections: MAX_CONNECTIONS,
    onConnection: (socket) => adopt(socket, sockets, injector),
    onError: (error) => log.warn({ err: error, socketPath }, 'the socket of the data plane cannot accept a connection'),
  }).catch((error: unknown) => {
    health.stop();
    server.forceShutdown();
    throw error;
  });
  let closed: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    state.isStopping = true;
    health.stop();
    listener.close();
    service.close();
    return shutDown(server, injector, sockets);
  };
  return { close: () => (closed ??= stop()) };
}

function createServer(service: DataplaneService, health: Health, log: Log, isStopping: () => boolean): Server {
  const server = new Server({
    'grpc.max_receive_message_length': MESSAGE_LIMIT_BYTES,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
    'grpc-node.flow_control_window': WINDOW_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_MS,
    'grpc.enable_channelz': 0,
  });
  const unary = { getDataplane: () => service.getDataplane(), listPorts: () => service.listPorts() };
  server.addService(dataplaneServiceDefinition, {
    ...unaryHandlers(unary, log, isStopping),
    control: (call: ControlCall) => service.control(call),
    readRoutes: (call: RoutesCall) => void service.readRoutes(call),
    readCounters: (call: CountersCall) => void service.readCounters(call),
    watchLinks: (call: LinksCall) => void service.watchLinks(call),
  });
  health.addTo(server);
  addReflection(server, [DATAPLANE_SERVICE_NAME]);
  return server;
}

function adopt(socket: Socket, sockets: Set<Socket>, injector: ConnectionInjector): void {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
  // A controller that vanishes in the middle of a write is ordinary: http2 ends its streams.
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
