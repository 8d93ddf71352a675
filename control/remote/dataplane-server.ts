/**
 * DataplaneService on its unix socket, with health and reflection, and over TCP to controllers with certificates. Whoever may write to the
 * socket drives the forwarder; of those on TCP, whoever a rule makes an admin.
 */
import { performance } from 'node:perf_hooks';
import { Server } from '@grpc/grpc-js';
import type { Caller } from '../api/admission';
import { ApiCounters } from '../api/api-counters';
import { Connections } from '../api/connections';
import { Health } from '../api/health';
import { Network, type NetworkSettings } from '../api/network';
import { addReflection } from '../api/reflection';
import { Refusals } from '../api/refusals';
import { TokenBucket } from '../api/token-bucket';
import { unaryHandlers } from '../api/unary';
import { socketGroupId } from '../api/unix-group';
import { listenUnix, type UnixListener } from '../api/unix-socket';
import type { Log } from '../log';
import type { CountersCall, DataplaneService, LinksCall, RoutesCall } from './dataplane-service';
import { DATAPLANE_SERVICE_NAME, dataplaneServiceDefinition } from './definition';
import type { ControlCall } from './server-session';
import { KEEPALIVE_MS, MESSAGE_LIMIT_BYTES, WINDOW_BYTES } from './transport';

const MAX_CONCURRENT_STREAMS = 100;
const MAX_CONNECTIONS = 16;
/** Calls, not messages of a stream. */
const CALLS_PER_SECOND = 1000;
const UNIX_NAME = 'unix socket';

export interface DataplaneServerOptions {
  readonly socketPath: string;
  /** Default: no TCP. */
  readonly network?: NetworkSettings | undefined;
  readonly service: DataplaneService;
  readonly log: Log;
}

export interface DataplaneServer {
  /** Idempotent. The socket is gone at once. */
  close(): Promise<void>;
}

/** Rejects with XmcastError when a socket cannot be had. */
export async function startDataplaneServer({ socketPath, network: settings, service, log }: DataplaneServerOptions): Promise<DataplaneServer> {
  const state = { isStopping: false };
  const counters = new ApiCounters();
  const refusals = new Refusals(counters, log, () => performance.now());
  const health = new Health(() => !state.isStopping, [DATAPLANE_SERVICE_NAME]);
  const server = createServer(service, health, log, () => state.isStopping);
  const connections = new Connections(server, { counters, refusals, log });
  const network = new Network({ connections, counters, refusals, log });
  let unix: UnixListener | undefined;
  const stop = async (): Promise<void> => {
    state.isStopping = true;
    health.stop();
    unix?.close();
    await network.close();
    service.close();
    await Promise.all([connections.drain('unix'), connections.drain('tls')]);
    server.forceShutdown();
  };
  try {
    unix = await listenUnix(socketPath, {
      maxConnections: MAX_CONNECTIONS,
      groupId: socketGroupId(undefined),
      onConnection: (socket) => connections.adopt(socket, { kind: 'unix', caller: unixCaller(), notAfterMs: undefined }),
      onError: (error) => log.warn({ err: error, socketPath }, 'the socket of the data plane cannot accept a connection'),
      onDropped: () => refusals.count('connections', UNIX_NAME),
    });
    if (settings !== undefined) await network.start(settings);
  } catch (error) {
    await stop();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return { close: () => (closed ??= stop()) };
}

/** The permissions of the socket have decided who may connect. */
function unixCaller(): Caller {
  const bucket = new TokenBucket(CALLS_PER_SECOND, performance.now());
  return { name: UNIX_NAME, role: () => 'admin', takeRequest: () => bucket.take(performance.now()) };
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
