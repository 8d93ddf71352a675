/**
 * Wiring, and nothing else: starts the rooms in order, and stops them in reverse.
 */
import { hostname, release } from 'node:os';
import type { Logger } from 'pino';
import { monotonicNs, NetlinkSocket, sdNotify } from '#bindings';
import { ApiCounters } from './api/api-counters';
import { startApiServer, type ApiServer } from './api/server';
import { ConfigManager } from './config/config-manager';
import { toSettings } from './config/defaults';
import { MAX_INTERFACES } from './config/ranges';
import type { Reconfigurable } from './config/reconfigurable';
import { rereadConfigFile } from './config/reread';
import type { RevisionStore } from './config/revision-store';
import type { Settings } from './config/settings';
import type { StartingConfig } from './config/starting-config';
import { BpfDataplane } from './dataplane/bpf-dataplane';
import type { Dataplane, DataplaneEvents } from './dataplane/api';
import { errorText, XmcastError } from './errors';
import { EventLog } from './events';
import { systemClock } from './kernel/clock';
import { HostGroups } from './kernel/host-groups';
import { KernelView, type LinkSource } from './kernel/kernel-view';
import { VlanLinks } from './kernel/vlan-links';
import { requirePrivileges } from './kernel/process-checks';
import { LogLevel } from './log-level';
import { MetricsListener } from './metrics/metrics-listener';
import { productVersion } from './paths';
import type { DataplaneAddress } from './remote/open-client';
import { RemoteDataplane } from './remote/remote-dataplane';
import { RemoteLinks } from './remote/remote-links';
import type { Policers } from './remote/wire-route';
import { RouterControl } from './router/control';
import { CounterBase } from './router/counter-base';
import { Router } from './router/router';
import { RouterState } from './router/state';
import { EntryStore, type EntryStoreOptions } from './static/entry-store';
import { StaticManager } from './static/static-manager';

/** A data plane in another process. */
export interface RemoteOptions extends DataplaneAddress {
  readonly electionId: bigint;
}

export interface DaemonOptions {
  /** undefined: the data plane is in this process. */
  readonly remote: RemoteOptions | undefined;
  readonly starting: StartingConfig;
  /** Called once, when the API takes over from a file. */
  readonly openStore: () => Promise<RevisionStore>;
  /** Where static entries of the API are kept. */
  readonly entryStore: EntryStoreOptions;
  readonly bpfObjectPath: string;
  /** Fail when a configured interface does not exist, instead of waiting for it. */
  readonly requireInterfaces: boolean;
  /** Begin with nothing, whatever a daemon before has left forwarding. */
  readonly flush: boolean;
  /** Somebody has asked by the API for the end of the daemon; what it leaves behind is decided. */
  readonly onStopRequested: () => void;
  readonly log: Logger;
}

export interface Daemon {
  /** The file once more; what came of it is in the log. Never rejects. */
  reload(): Promise<void>;
  /** Idempotent. Forwarding goes on where dataplane.keep_on_stop says so, else the programs are detached and every pin is removed. */
  close(): Promise<void>;
}

/** Whether forwarding outlives the daemon. */
interface Afterlife {
  keepOnStop: boolean;
  isDetaching: boolean;
}

/** How long the start waits for a data plane in another process. */
const CONNECT_PATIENCE_MS = 5000;

type Closer = () => Promise<void> | void;

/** Rejects with XmcastError; what had been started by then is stopped again. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const closers: Closer[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll(closers));
  try {
    const config = await startAll(options, closers);
    return { close, reload: () => reload(config, options.log) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(options: DaemonOptions, closers: Closer[]): Promise<ConfigManager> {
  const { starting, requireInterfaces, log } = options;
  const settings = toSettings(starting.running.config);
  closers.push(() => starting.store?.close());
  const events = new EventLog({ log, clock: systemClock });
  const logLevel = new LogLevel({ log, configured: settings.logLevel, events, nowWallMs: () => systemClock.nowWallMs() });
  closers.push(() => logLevel.close());
  const upcalls = new Upcalls(log);
  const dataplane = await openDataplane(options, settings, upcalls);
  // A start that fails leaves what it found, and nothing of its own.
  const afterlife: Afterlife = { keepOnStop: settings.dataplane.keepOnStop && dataplane.takenOver !== undefined, isDetaching: false };
  const keep = (): boolean => afterlife.keepOnStop && !afterlife.isDetaching;
  closers.push(() => dataplane.close({ keep: keep() }));
  const kernel = await openLinks(options);
  closers.push(() => kernel.close());
  checkInterfaces(options, settings, kernel);

  const hostGroups = new HostGroups();
  const router = new Router({ settings, dataplane, kernel, clock: systemClock, log, events, readHostGroups: () => hostGroups.read() });
  closers.push(() => router.close({ keep: keep() }));
  upcalls.open(router);
  // An interface that vanished just now is one that may return, as if it had never been there.
  const problem = (await router.start()).find(({ code }) => code !== 'XM_DATAPLANE' && (requireInterfaces || code !== 'XM_INTERFACE'));
  if (problem !== undefined) throw problem;

  const staticEntries = await openStaticEntries(options, settings, router);
  closers.push(() => staticEntries.close());
  // Before any update that the API may bring; what is wrong is told where it is waited for.
  const loaded = staticEntries.load();
  loaded.catch(() => undefined);
  const counters = new ApiCounters();
  const stateOptions = { router, dataplane, clock: systemClock, version: productVersion(), staticEntries: () => staticEntries.counts };
  // What Prometheus scrapes goes on when somebody resets what the API shows.
  const metrics = new MetricsListener({ state: new RouterState(stateOptions), api: counters, log });
  const base = new CounterBase();
  const state = new RouterState({ ...stateOptions, base });
  const control = new RouterControl({ router, base, logLevel, events, clock: systemClock, kernelRelease: release() });
  closers.push(() => metrics.close());
  const followers = new Followers(settings, { router, staticEntries, metrics, log, logLevel, afterlife });
  const config = new ConfigManager({
    started: starting,
    store: starting.store,
    openStore: options.openStore,
    file: starting.file,
    readFile: rereadConfigFile,
    router: followers,
    interfaceExists: (name) => interfaceExists(kernel, name),
    clock: systemClock,
    log,
    events,
  });
  closers.push(() => config.close());
  const detach = (): void => {
    afterlife.isDetaching = true;
    options.onStopRequested();
  };
  const { socketPath, socketGroup, limits } = settings.api;
  const api = await startApiServer({ socketPath, socketGroup, limits, network: settings.api, state, config, static: staticEntries, detach, counters, events, control, log });
  closers.push(() => api.close());
  followers.open(api);
  await metrics.follow(settings.metrics);
  closers.push(() => void sdNotify('STOPPING=1'));
  afterlife.keepOnStop = settings.dataplane.keepOnStop;
  // What they ask for is no stale route.
  await loaded;
  await router.takeOver();
  sdNotify('READY=1');
  const interfaces = settings.interfaces.map(({ name }) => name);
  events.report({ type: 'started', text: 'xmcastd is ready', fields: { socket: settings.api.socketPath, interfaces } });
  return config;
}

async function openStaticEntries({ entryStore, log }: DaemonOptions, settings: Settings, router: Router): Promise<StaticManager> {
  const store = await EntryStore.openIfThere(entryStore);
  return new StaticManager({ settings, follower: router.static, store, makeStore: () => EntryStore.make(entryStore), clock: systemClock, log });
}

async function reload(config: ConfigManager, log: Logger): Promise<void> {
  // systemd.service(5), Type=notify-reload: over when READY=1 comes.
  sdNotify(`RELOADING=1\nMONOTONIC_USEC=${monotonicNs() / 1000n}`);
  try {
    const { changes, warnings } = await config.reload({ validateOnly: false, takeover: false });
    log.info({ changes: changes.map(({ path }) => path), warnings }, 'reloaded');
    sdNotify('READY=1\nSTATUS=');
  } catch (error) {
    log.error({}, `reload: ${errorText(error)}`);
    sdNotify(`READY=1\nSTATUS=reload failed, the configuration before holds; see the log`);
  }
}

interface FollowingRooms {
  readonly router: Router;
  readonly staticEntries: StaticManager;
  readonly metrics: MetricsListener;
  readonly log: Logger;
  readonly logLevel: LogLevel;
  readonly afterlife: Afterlife;
}

/** What follows a changed configuration: all of it or none. */
class Followers implements Reconfigurable {
  readonly #rooms: FollowingRooms;
  #api: Pick<ApiServer, 'follow'> | undefined;
  #settings: Settings;

  constructor(settings: Settings, rooms: FollowingRooms) {
    this.#settings = settings;
    this.#rooms = rooms;
  }

  /** The API asks for changes, and is one of those that follow. */
  open(api: Pick<ApiServer, 'follow'>): void {
    this.#api = api;
  }

  async reconfigure(settings: Settings): Promise<void> {
    const { router, staticEntries, metrics, log, logLevel, afterlife } = this.#rooms;
    // First of all what may fail for reasons outside, such as an address in use.
    await metrics.follow(settings.metrics);
    try {
      await this.#api?.follow(settings.api);
      await router.reconfigure(settings);
    } catch (error) {
      // What cannot go back says so; why it had to is what the caller is told.
      const inVain = (again: unknown): void => log.error({}, `going back to the configuration before: ${errorText(again)}`);
      await this.#api?.follow(this.#settings.api).catch(inVain);
      await metrics.follow(this.#settings.metrics).catch(inVain);
      throw error;
    }
    staticEntries.configure(settings);
    logLevel.follow(settings.logLevel);
    afterlife.keepOnStop = settings.dataplane.keepOnStop;
    this.#settings = settings;
  }
}

/** The data plane speaks before there is a router to listen: what comes earlier is dropped, the startup queries ask again. */
class Upcalls implements DataplaneEvents {
  readonly #log: Logger;
  #router: Router | undefined;

  constructor(log: Logger) {
    this.#log = log;
  }

  open(router: Router): void {
    this.#router = router;
  }

  readonly onPunts: DataplaneEvents['onPunts'] = (punts) => this.#router?.punted(punts);
  readonly onRoom: DataplaneEvents['onRoom'] = () => this.#router?.roomMade();
  readonly onTrouble: DataplaneEvents['onTrouble'] = (message) => this.#log.error({}, message);
  readonly onApplied: DataplaneEvents['onApplied'] = (changes, refused) => this.#router?.routesApplied(changes, refused);
  readonly onReady: DataplaneEvents['onReady'] = () => this.#router?.dataplaneReady();
  readonly onLinkUp: DataplaneEvents['onLinkUp'] = () => this.#router?.dataplaneLinkUp();
}

async function openDataplane({ remote, bpfObjectPath, flush, log }: DaemonOptions, settings: Settings, upcalls: Upcalls): Promise<Dataplane> {
  const { limits, dataplane } = settings;
  if (remote !== undefined) return connectDataplane(remote, dataplane.policers, upcalls, log);
  requirePrivileges();
  return BpfDataplane.open({
    ...upcalls,
    objectPath: bpfObjectPath,
    pinPath: dataplane.pinPath,
    routeLimit: limits.routes,
    groupLimit: limits.replicationGroups,
    // A configuration that comes later may have any number of interfaces.
    ports: MAX_INTERFACES,
    policers: dataplane.policers,
    flush,
    nowMs: () => systemClock.nowMs(),
  });
}

async function connectDataplane(remote: RemoteOptions, policers: Policers, upcalls: Upcalls, log: Logger): Promise<Dataplane> {
  const dataplane = RemoteDataplane.open({ ...remote, ...upcalls, name: `xmcastd on ${hostname()}`, clock: systemClock, log });
  dataplane.setPolicers(policers);
  // It may come later; so short a wait spares a start with every port in error.
  await dataplane.whenUp(CONNECT_PATIENCE_MS);
  return dataplane;
}

/** Interfaces are those of the namespace in which the data plane is. */
async function openLinks({ remote, log }: DaemonOptions): Promise<LinkSource> {
  if (remote !== undefined) {
    const links = RemoteLinks.open(remote);
    await links.whenComplete(CONNECT_PATIENCE_MS);
    return links;
  }
  const kernel = new KernelView({ openSocket: (socket) => new NetlinkSocket(socket) });
  kernel.onError((error) => log.error({ code: error.code, hint: error.hint }, error.message));
  await kernel.start();
  return kernel;
}

/** Or will be one: a VLAN needs no more than the interface below it. */
function interfaceExists(kernel: LinkSource, name: string): boolean {
  return new VlanLinks(kernel).link(name, []) !== undefined;
}

function checkInterfaces({ requireInterfaces, log }: DaemonOptions, settings: Settings, kernel: LinkSource): void {
  const missing = settings.interfaces.map(({ name }) => name).filter((name) => !interfaceExists(kernel, name));
  if (missing.length === 0) return;
  const message = `find interface ${missing.join(', ')}: no such interface here`;
  const hint = 'Check the name with "ip link"; an interface that comes later is taken as soon as it appears.';
  if (requireInterfaces) throw new XmcastError('XM_INTERFACE', message, { hint });
  log.warn({ interfaces: missing, hint }, message);
}

async function closeAll(closers: Closer[]): Promise<void> {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
}
