/**
 * The routers that benches compare, each in a lab of its own with the same network and the same task:
 *
 *     source 10.100.0.10 ── up0 [router] lan1 ── host 10.1.1.10
 *                                        lan2 ── other 10.1.2.10
 */
import { Daemon, type DaemonConfig } from '../../lab/daemon';
import type { Host } from '../../lab/host';
import { joinedGroups } from '../../lab/kernel-multicast';
import type { Lab } from '../../lab/lab';
import type { Namespace } from '../../lab/namespace';
import { Frr } from '../../lab/peers/frr';
import { Igmpproxy } from '../../lab/peers/igmpproxy';
import { createStar } from '../../lab/star';

export const ROUTER_NAMES = ['xmcast', 'igmpproxy', 'FRR'] as const;
export type RouterName = (typeof ROUTER_NAMES)[number];

export interface RouterOptions {
  /** What it should have room for. */
  readonly groups: number;
  /** More of xmcast's `igmp` section. */
  readonly igmp?: Readonly<Record<string, unknown>>;
}

export interface RouterBed {
  readonly lab: Lab;
  readonly source: Host;
  readonly host: Host;
  readonly other: Host;
  /** Processes that are the router. */
  readonly pids: readonly number[];
  /** How many groups it knows members of. Costs the router something: not to be asked while it is measured. */
  groups(): Promise<number>;
  /** IGMP messages of so many sent by the host that never reached its program, since the last call. */
  lostMessages(sent: number): Promise<number>;
  /** Routes in the data plane; undefined where the kernel makes routes only for packets. */
  routes(): Promise<number | undefined>;
  close(): Promise<void>;
}

type Running = Pick<RouterBed, 'pids' | 'groups' | 'lostMessages' | 'routes'>;

export async function createRouterBed(name: RouterName, options: RouterOptions): Promise<RouterBed> {
  const star = await createStar(`bench-${name.toLowerCase()}`, [{ name: 'host' }, { name: 'other' }]);
  const { lab, router, source, hosts } = star;
  const [host, other] = hosts;
  try {
    if (host === undefined || other === undefined) throw new Error('no hosts');
    const running = await START[name](lab, router, star.config, options);
    return { lab, source, host, other, ...running, close: () => lab.close() };
  } catch (error) {
    await lab.close();
    throw error;
  }
}

type Start = (lab: Lab, router: Namespace, config: DaemonConfig, options: RouterOptions) => Promise<Running>;

const START: Readonly<Record<RouterName, Start>> = { xmcast: startXmcast, igmpproxy: startIgmpproxy, FRR: startFrr };
/** What the benches send is wanted: the policers are not what is measured. */
const OPEN = { rate: 1_000_000, burst: 1_000_000, total: 10_000_000 };
/** Reading counters, and comparing what is installed with what should be, cost by time and not by report. */
const HOUSEKEEPING_INTERVAL = '60s';
const SPARE_ROUTES = 4096;
const MIN_GROUPS = 4096;

async function startXmcast(lab: Lab, router: Namespace, config: DaemonConfig, { groups, igmp }: RouterOptions): Promise<Running> {
  const daemon = await Daemon.start(lab, router, {
    ...config,
    igmp: { max_groups: Math.max(groups, MIN_GROUPS), ...igmp },
    limits: { routes: Math.max(groups, MIN_GROUPS) + SPARE_ROUTES },
    dataplane: { policers: { igmp_report: OPEN, new_source: OPEN, no_route: OPEN }, counter_interval: HOUSEKEEPING_INTERVAL, verify_interval: HOUSEKEEPING_INTERVAL },
  });
  let received = 0;
  return {
    pids: [daemon.process.pid],
    groups: async () => (await daemon.client.getStatus()).memberships ?? 0,
    routes: async () => Number((await daemon.client.getStatus()).routesInstalled ?? 0),
    lostMessages: async (sent) => {
      const [port] = await daemon.client.listInterfaces({ name: 'lan1' });
      const before = received;
      received = Object.values(port?.igmpReceived ?? {}).reduce<number>((sum, count) => sum + Number(count), 0);
      return sent - (received - before);
    },
  };
}

async function startIgmpproxy(lab: Lab, router: Namespace): Promise<Running> {
  const proxy = await Igmpproxy.start(lab, router, { upstream: 'up0', downstream: ['lan1', 'lan2'] });
  const { length: ownGroups } = await proxy.upstreamGroups();
  return {
    pids: [proxy.process.pid],
    groups: async () => (await joinedGroups(router, 'up0')).length - ownGroups,
    ...kernelForwarded(router),
  };
}

async function startFrr(lab: Lab, router: Namespace): Promise<Running> {
  const lans = ['lan1', 'lan2'].map((name) => ({ name, pim: true, igmp: {} }));
  const frr = await Frr.start(lab, router, { interfaces: [{ name: 'up0', pim: true }, ...lans], rendezvousPoint: '10.100.0.1' });
  return { pids: [frr.pimd.pid, frr.zebra.pid], groups: () => frr.groupCount(), ...kernelForwarded(router) };
}

function kernelForwarded(router: Namespace): Pick<Running, 'lostMessages' | 'routes'> {
  let before = 0;
  return {
    routes: () => Promise.resolve(undefined),
    lostMessages: async () => {
      const now = await rawSocketDrops(router);
      const lost = now - before;
      before = now;
      return lost;
    },
  };
}

/** Of the raw socket that lost most: a program may have several that get the same messages. */
async function rawSocketDrops(namespace: Namespace): Promise<number> {
  const lines = (await namespace.run(['cat', '/proc/net/raw'])).trim().split('\n').slice(1);
  return Math.max(0, ...lines.map((line) => Number(line.trim().split(/\s+/).at(-1))));
}
