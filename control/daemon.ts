/**
 * Wiring, and nothing else: starts the rooms in order, and stops them in reverse.
 */
import type { Logger } from 'pino';
import { monotonicNs, NetlinkSocket, sdNotify } from '#bindings';
import { startApiServer } from './api/server';
import { ConfigManager } from './config/config-manager';
import { toSettings } from './config/defaults';
import { MAX_INTERFACES } from './config/ranges';
import type { Reconfigurable } from './config/reconfigurable';
import { rereadConfigFile } from './config/reread';
import type { RevisionStore } from './config/revision-store';
import type { Settings } from './config/settings';
import type { StartingConfig } from './config/starting-config';
import { BpfDataplane } from './dataplane/bpf-dataplane';
import type { Punt } from './dataplane/api';
import { errorText, XmcastError } from './errors';
import { systemClock } from './kernel/clock';
import { KernelView } from './kernel/kernel-view';
import { VlanLinks } from './kernel/vlan-links';
import { missingCapabilities } from './kernel/process-checks';
import { MetricsListener } from './metrics/metrics-listener';
import { productVersion } from './paths';
import { Router } from './router/router';
import { RouterState } from './router/state';

export interface DaemonOptions {
  readonly starting: StartingConfig;
  /** Called once, when the API takes over from a file. */
  readonly openStore: () => Promise<RevisionStore>;
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
  checkPrivileges();
  const upcalls = new Upcalls();
  const dataplane = await openDataplane(options, settings, upcalls);
  // A start that fails leaves what it found, and nothing of its own.
  const afterlife: Afterlife = { keepOnStop: settings.dataplane.keepOnStop && dataplane.takenOver !== undefined, isDetaching: false };
  const keep = (): boolean => afterlife.keepOnStop && !afterlife.isDetaching;
  closers.push(() => dataplane.close({ keep: keep() }));
  const kernel = new KernelView({ openSocket: (socket) => new NetlinkSocket(socket) });
  closers.push(() => kernel.close());
  kernel.onError((error) => log.error({ code: error.code, hint: error.hint }, error.message));
  await kernel.start();
  checkInterfaces(options, settings, kernel);

  const router = new Router({ settings, dataplane, kernel, clock: systemClock, log });
  closers.push(() => router.close({ keep: keep() }));
  upcalls.open(router);
  // An interface that vanished just now is one that may return, as if it had never been there.
  const problem = (await router.start()).find(({ code }) => requireInterfaces || code !== 'XM_INTERFACE');
  if (problem !== undefined) throw problem;

  const state = new RouterState({ router, dataplane, clock: systemClock, version: productVersion() });
  const metrics = new MetricsListener({ state, log });
  closers.push(() => metrics.close());
  const config = new ConfigManager({
    started: starting,
    store: starting.store,
    openStore: options.openStore,
    file: starting.file,
    readFile: rereadConfigFile,
    router: new Followers(settings, { router, metrics, log, afterlife }),
    interfaceExists: (name) => interfaceExists(kernel, name),
    clock: systemClock,
    log,
  });
  closers.push(() => config.close());
  const detach = (): void => {
    afterlife.isDetaching = true;
    options.onStopRequested();
  };
  const api = await startApiServer({ socketPath: settings.api.socketPath, state, config, detach, log });
  closers.push(() => api.close());
  await metrics.follow(settings.metrics);
  closers.push(() => void sdNotify('STOPPING=1'));
  afterlife.keepOnStop = settings.dataplane.keepOnStop;
  await router.takeOver();
  sdNotify('READY=1');
  log.info({ socket: settings.api.socketPath, interfaces: settings.interfaces.map(({ name }) => name) }, 'xmcastd is ready');
  return config;
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
  readonly metrics: MetricsListener;
  readonly log: Logger;
  readonly afterlife: Afterlife;
}

/** What follows a changed configuration: all of it or none. */
class Followers implements Reconfigurable {
  readonly #rooms: FollowingRooms;
  #settings: Settings;

  constructor(settings: Settings, rooms: FollowingRooms) {
    this.#settings = settings;
    this.#rooms = rooms;
  }

  async reconfigure(settings: Settings): Promise<void> {
    const { router, metrics, log, afterlife } = this.#rooms;
    // First of all what may fail for reasons outside, such as an address in use.
    await metrics.follow(settings.metrics);
    try {
      await router.reconfigure(settings);
    } catch (error) {
      await metrics.follow(this.#settings.metrics);
      throw error;
    }
    log.level = settings.logLevel;
    afterlife.keepOnStop = settings.dataplane.keepOnStop;
    this.#settings = settings;
  }
}

/** The data plane speaks before there is a router to listen: what comes earlier is dropped, the startup queries ask again. */
class Upcalls {
  #router: Router | undefined;

  open(router: Router): void {
    this.#router = router;
  }

  punted(punts: readonly Punt[]): void {
    this.#router?.punted(punts);
  }

  roomMade(): void {
    this.#router?.roomMade();
  }
}

function openDataplane({ bpfObjectPath, flush, log }: DaemonOptions, settings: Settings, upcalls: Upcalls): Promise<BpfDataplane> {
  return BpfDataplane.open({
    objectPath: bpfObjectPath,
    pinPath: settings.dataplane.pinPath,
    routeLimit: settings.limits.routes,
    groupLimit: settings.limits.replicationGroups,
    // A configuration that comes later may have any number of interfaces.
    ports: MAX_INTERFACES,
    policers: settings.dataplane.policers,
    flush,
    onPunts: (batch) => upcalls.punted(batch),
    onRoom: () => upcalls.roomMade(),
    onTrouble: (message) => log.error({}, message),
    nowMs: () => systemClock.nowMs(),
  });
}

function checkPrivileges(): void {
  const missing = missingCapabilities();
  if (missing.length === 0) return;
  throw new XmcastError('XM_PRIVILEGE', `start the forwarder: this process lacks ${missing.join(', ')}`, {
    hint: 'Run xmcastd as root, or give the service these capabilities (AmbientCapabilities= in its unit).',
  });
}

/** Or will be one: a VLAN needs no more than the interface below it. */
function interfaceExists(kernel: KernelView, name: string): boolean {
  return new VlanLinks(kernel).link(name, []) !== undefined;
}

function checkInterfaces({ requireInterfaces, log }: DaemonOptions, settings: Settings, kernel: KernelView): void {
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
