/**
 * Wiring, and nothing else: starts the rooms in order, and stops them in reverse.
 */
import type { Logger } from 'pino';
import { NetlinkSocket, sdNotify } from '#bindings';
import { startApiServer } from './api/server';
import type { Settings } from './config/settings';
import { BpfDataplane } from './dataplane/bpf-dataplane';
import type { Punt } from './dataplane/api';
import { XmcastError } from './errors';
import { systemClock } from './kernel/clock';
import { KernelView } from './kernel/kernel-view';
import { missingCapabilities } from './kernel/process-checks';
import { startMetricsServer } from './metrics/server';
import { productVersion } from './paths';
import { Router } from './router/router';
import { RouterState } from './router/state';

export interface DaemonOptions {
  readonly settings: Settings;
  readonly bpfObjectPath: string;
  /** Fail when a configured interface does not exist, instead of waiting for it. */
  readonly requireInterfaces: boolean;
  readonly log: Logger;
}

export interface Daemon {
  /** Idempotent. Forwarding ends: the programs are detached and every pin is removed. */
  close(): Promise<void>;
}

type Closer = () => Promise<void> | void;

/** Rejects with XmcastError; what had been started by then is stopped again. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const closers: Closer[] = [];
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= closeAll(closers));
  try {
    await startAll(options, closers);
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startAll(options: DaemonOptions, closers: Closer[]): Promise<void> {
  const { settings, requireInterfaces, log } = options;
  checkPrivileges();
  const upcalls = new Upcalls();
  const dataplane = await openDataplane(options, upcalls);
  closers.push(() => dataplane.close());
  const kernel = new KernelView({ openSocket: (socket) => new NetlinkSocket(socket) });
  closers.push(() => kernel.close());
  kernel.onError((error) => log.error({ code: error.code, hint: error.hint }, error.message));
  await kernel.start();
  checkInterfaces(options, kernel);

  const router = new Router({ settings, dataplane, kernel, clock: systemClock, log });
  closers.push(() => router.close());
  upcalls.open(router);
  // An interface that vanished just now is one that may return, as if it had never been there.
  const problem = (await router.start()).find(({ code }) => requireInterfaces || code !== 'XM_INTERFACE');
  if (problem !== undefined) throw problem;

  const state = new RouterState({ router, dataplane, settings, clock: systemClock, version: productVersion() });
  const api = await startApiServer({ socketPath: settings.api.socketPath, state, log });
  closers.push(() => api.close());
  if (settings.metrics !== undefined) {
    const metrics = await startMetricsServer({ ...settings.metrics, state, log });
    closers.push(() => metrics.close());
    log.info({ host: metrics.host, port: metrics.port }, `metrics on http://${metrics.host}:${metrics.port}/metrics`);
  }
  closers.push(() => void sdNotify('STOPPING=1'));
  sdNotify('READY=1');
  log.info({ socket: settings.api.socketPath, interfaces: settings.interfaces.map(({ name }) => name) }, 'xmcastd is ready');
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

function openDataplane({ settings, bpfObjectPath, log }: DaemonOptions, upcalls: Upcalls): Promise<BpfDataplane> {
  return BpfDataplane.open({
    objectPath: bpfObjectPath,
    pinPath: settings.dataplane.pinPath,
    routeLimit: settings.limits.routes,
    groupLimit: settings.limits.replicationGroups,
    ports: settings.interfaces.length,
    policers: settings.dataplane.policers,
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

function checkInterfaces({ settings, requireInterfaces, log }: DaemonOptions, kernel: KernelView): void {
  const missing = settings.interfaces.map(({ name }) => name).filter((name) => kernel.link(name) === undefined);
  if (missing.length === 0) return;
  const message = `find interface ${missing.join(', ')}: no such interface here`;
  const hint = 'Check the name with "ip link"; an interface that comes later is taken as soon as it appears.';
  if (requireInterfaces) throw new XmcastError('XM_INTERFACE', message, { hint });
  log.warn({ interfaces: missing, hint }, message);
}

async function closeAll(closers: Closer[]): Promise<void> {
  for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
}
