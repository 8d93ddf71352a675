/**
 * The management API: ConfigService, StateService, StaticEntryService, SystemService, health and reflection, on a unix socket whose
 * permissions decide who may connect, and over TCP to clients with certificates.
 */
import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { performance } from 'node:perf_hooks';

import { DEFAULT_API_LIMITS } from '../config/api-settings';
import { EventLog } from '../events';
import { systemClock } from '../kernel/clock';
import type { Log } from '../log';

import type { Caller } from './admission';
import { ApiCounters } from './api-counters';
import { Connections } from './connections';
import { Health } from './health';
import { configServiceHandlers, type ConfigControl } from './config-service';
import { Network, type NetworkSettings } from './network';
import { addReflection } from './reflection';
import { Refusals } from './refusals';
import type { ServerLimits } from './server-limits';
import { configServiceDefinition, stateServiceDefinition, systemServiceDefinition } from './services';
import { stateServiceHandlers } from './state-service';
import type { StateSource } from './state-source';
import { statusWatchHandlers } from './status-watch';
import { servedStaticEntryService, staticEntryServiceHandlers, type StaticControl } from './static-entry-service';
import { Streams } from './streams';
import type { SystemControl } from './system-control';
import { statusReader, systemControlHandlers, systemServiceHandlers } from './system-service';
import { TokenBucket } from './token-bucket';
import { unaryHandlers } from './unary';
import { socketGroupId } from './unix-group';
import { listenUnix, type UnixListener } from './unix-socket';
import { watchHandlers } from './watch-service';

const UNIX_REQUESTS_PER_SECOND = 10_000;
/** A client that is gone without a word is found out within these two. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
const IDLE_TIMEOUT_MS = 900_000;

export interface ApiServerOptions {
  readonly socketPath: string;
  /** Name or number. Default: xmcast, if there is such a group. */
  readonly socketGroup?: string | undefined;
  /** Default: no TCP. */
  readonly network?: NetworkSettings;
  /** Default: those of a configuration that has none. */
  readonly limits?: ServerLimits;
  readonly state: StateSource;
  /** Without it there is no ConfigService. */
  readonly config?: ConfigControl;
  /** Without it there is no StaticEntryService. */
  readonly static?: StaticControl;
  /** Forwarding ends, and the daemon; begun when it returns. */
  readonly detach?: () => void;
  /** Default: counted for nobody. */
  readonly counters?: ApiCounters;
  /** Default: there are no events. */
  readonly events?: EventLog;
  /** Without it SystemService has GetStatus and Detach alone. */
  readonly control?: SystemControl;
  readonly log: Log;
  /** How long a client may leave a message of a stream unread. Default 30 s. */
  readonly stallMs?: number;
}

export interface ApiServer {
  readonly socketPath: string;
  /**
   * Health of "" and "dataplane" follows state.status().ready, within a second. false makes it NOT_SERVING at once and until true; true
   * looks at the state at once.
   */
  setServing(allowed: boolean): void;
  /**
   * Other listeners on TCP, certificates, roles and limits, but for those that hold from a start on. Rejects with XmcastError: then
   * everything is as before.
   */
  follow(settings: NetworkSettings & { readonly limits: ServerLimits }): Promise<void>;
  /** Idempotent. Calls under way get a second to finish; the socket is gone at once. */
  close(): Promise<void>;
}

/** Rejects with XmcastError when a socket cannot be had. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { state, config, log, counters = new ApiCounters() } = options;
  let limits: ServerLimits = options.limits ?? DEFAULT_API_LIMITS;
  let stopping = false;
  state.watchUsage.limit = limits.watchers;
  const refusals = new Refusals(counters, log, () => performance.now());
  const health = new Health(() => state.status().ready);
  const conditions = (): string[] => [...(config?.conditions() ?? []), ...network.conditions()];
  const streams = new Streams(options);
  const server = createGrpcServer(options, { health, streams, conditions, limits: () => limits, isStopping: () => stopping });
  const connections = new Connections(server, { counters, refusals, log });
  const network = new Network({ connections, counters, refusals, log });
  let unix: UnixListener | undefined;
  const stop = async (): Promise<void> => {
    stopping = true;
    health.stop();
    streams.stop();
    unix?.close();
    await network.close();
    await shutDown(server, connections);
  };
  try {
    unix = await listenUnix(options.socketPath, {
      maxConnections: limits.unixConnections,
      groupId: socketGroupId(options.socketGroup),
      onConnection: (socket) => connections.adopt(socket, { kind: 'unix', caller: unixCaller(), notAfterMs: undefined }),
      onError: (error) => log.warn({ err: error, socketPath: options.socketPath }, 'API socket cannot accept a connection'),
      onDropped: () => refusals.count('connections', UNIX_NAME),
    });
    if (options.network !== undefined) await network.start(options.network);
  } catch (error) {
    await stop();
    throw error;
  }
  let closed: Promise<void> | undefined;
  return {
    socketPath: options.socketPath,
    setServing: (allowed) => health.setServing(allowed),
    follow: async (settings) => {
      await network.follow(settings);
      const { unixConnections, watchers } = settings.limits;
      limits = { ...limits, unixConnections, watchers };
      state.watchUsage.limit = watchers;
      unix?.setMaxConnections(unixConnections);
    },
    close: () => (closed ??= stop()),
  };
}

const UNIX_NAME = 'unix socket';

/** The permissions of the socket have decided who may connect. */
function unixCaller(): Caller {
  const bucket = new TokenBucket(UNIX_REQUESTS_PER_SECOND, performance.now());
  return { name: UNIX_NAME, role: () => 'admin', takeRequest: () => bucket.take(performance.now()) };
}

interface Serving {
  readonly health: Health;
  readonly streams: Streams;
  readonly conditions: () => readonly string[];
  readonly limits: () => ServerLimits;
  readonly isStopping: () => boolean;
}

function createGrpcServer(options: ApiServerOptions, { health, streams, conditions, limits, isStopping }: Serving): Server {
  const { state, config, static: staticEntries, control, detach, log, events = new EventLog({ log, clock: systemClock }) } = options;
  const server = new Server({
    'grpc.max_receive_message_length': limits().requestBytes,
    'grpc.max_concurrent_streams': limits().streamsPerConnection,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.max_connection_idle_ms': IDLE_TIMEOUT_MS,
    'grpc.enable_channelz': 0,
  });
  const once = (handlers: object): UntypedServiceImplementation => unaryHandlers(handlers, log, isStopping);
  server.addService(stateServiceDefinition, {
    ...once(stateServiceHandlers(state, events)),
    ...streams.handlers(watchHandlers(state, events)),
  });
  const getStatus = statusReader(state, conditions);
  server.addService(systemServiceDefinition, {
    ...once(systemServiceHandlers(getStatus, detach)),
    ...streams.handlers(statusWatchHandlers(getStatus, state.watchUsage)),
    ...(control === undefined ? {} : once(systemControlHandlers(state, control, limits))),
  });
  if (config !== undefined) server.addService(configServiceDefinition, once(configServiceHandlers(config)));
  if (staticEntries !== undefined) server.addService(servedStaticEntryService, once(staticEntryServiceHandlers(staticEntries)));
  health.addTo(server);
  addReflection(server);
  return server;
}

async function shutDown(server: Server, connections: Connections): Promise<void> {
  await Promise.all([connections.drain('unix'), connections.drain('tls')]);
  server.forceShutdown();
}
