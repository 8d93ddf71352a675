/**
 * The role "dataplane": the forwarder and its service, and nothing else. Privileged and small: no protocol, no configuration file, no
 * route that no controller has written.
 */
import type { Logger } from 'pino';
import { NetlinkSocket, sdNotify } from '#bindings';
import type { NetworkSettings } from './api/network';
import { toSettings } from './config/defaults';
import { MAX_INTERFACES } from './config/ranges';
import { BpfDataplane } from './dataplane/bpf-dataplane';
import type { Punt } from './dataplane/api';
import { systemClock } from './kernel/clock';
import { KernelView } from './kernel/kernel-view';
import { requirePrivileges } from './kernel/process-checks';
import { productVersion } from './paths';
import { startDataplaneServer } from './remote/dataplane-server';
import { DataplaneService } from './remote/dataplane-service';
import { Verification } from './router/verification';

export interface DataplaneDaemonOptions {
  readonly socketPath: string;
  /** undefined: no TCP. */
  readonly network: NetworkSettings | undefined;
  readonly pinPath: string;
  readonly routeLimit: number;
  readonly groupLimit: number;
  readonly bpfObjectPath: string;
  /** Begin with nothing, whatever a daemon before has left forwarding. */
  readonly flush: boolean;
  /** Forwarding outlives the process, for another one to take over. */
  readonly keepOnStop: boolean;
  readonly log: Logger;
}

export interface DataplaneDaemon {
  /** Idempotent. Forwarding goes on where keepOnStop says so, else the programs are detached and every pin is removed. */
  close(): Promise<void>;
}

/** Rejects with XmcastError; what had been started by then is stopped again. */
export async function startDataplaneDaemon(options: DataplaneDaemonOptions): Promise<DataplaneDaemon> {
  const { socketPath, network, log, keepOnStop, ...sizes } = options;
  requirePrivileges();
  const upcalls: { service?: DataplaneService } = {};
  const kernel = new KernelView({ openSocket: (socket) => new NetlinkSocket(socket) });
  kernel.onError((error) => log.error({ code: error.code, hint: error.hint }, error.message));
  await kernel.start();
  const dataplane = await openForwarder(sizes, upcalls, log).catch((error: unknown) => {
    kernel.close();
    throw error;
  });
  const verification = new Verification(dataplane, log);
  verification.start(toSettings({}).dataplane.verifyIntervalMs);
  const service = new DataplaneService({ dataplane, kernel, problems: () => verification.problems, clock: systemClock, version: productVersion(), log });
  upcalls.service = service;
  const server = await startDataplaneServer({ socketPath, network, service, log }).catch(async (error: unknown) => {
    service.close();
    kernel.close();
    await verification.close();
    await dataplane.close({ keep: keepOnStop && dataplane.takenOver !== undefined });
    throw error;
  });
  sdNotify('READY=1');
  log.info({ socket: socketPath }, 'the data plane is ready and waits for a controller');
  let closing: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    sdNotify('STOPPING=1');
    await server.close();
    kernel.close();
    await verification.close();
    await dataplane.close({ keep: keepOnStop });
  };
  return { close: () => (closing ??= stop()) };
}

type Sizes = Pick<DataplaneDaemonOptions, 'pinPath' | 'routeLimit' | 'groupLimit' | 'bpfObjectPath' | 'flush'>;

/** Until a controller sets its own, the policers are the usual ones. */
function openForwarder({ bpfObjectPath, ...sizes }: Sizes, upcalls: { readonly service?: DataplaneService }, log: Logger): Promise<BpfDataplane> {
  return BpfDataplane.open({
    ...sizes,
    objectPath: bpfObjectPath,
    ports: MAX_INTERFACES,
    policers: toSettings({}).dataplane.policers,
    onPunts: (punts: readonly Punt[]) => upcalls.service?.onPunts(punts),
    onRoom: () => upcalls.service?.onRoom(),
    onTrouble: (message) => (upcalls.service === undefined ? log.error({}, message) : upcalls.service.onTrouble(message)),
    nowMs: () => systemClock.nowMs(),
  });
}
