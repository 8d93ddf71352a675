/**
 * A numbered stream through xmcast's data plane to four ports, and the account of every copy of it.
 *
 *     feeder gen0 ── up0 [router: data plane] lan1 ── rx1 ┐
 *                                             lan2 ── rx2 ├ receivers: a program counts, checks numbers and drops
 *                                             …           ┘
 *
 * The stream enters at up0 on live frames; nothing comes from gen0, which keeps up0 up. (The sender's program is attached there only to
 * be known to the kernel's XDP dispatcher: else each run would wait for RCU twice.)
 */
import { run } from '../lab/command';
import { atRest, eventually } from '../lab/eventually';
import type {
  Arrivals,
  ChurnAnswer,
  ForwarderRoute,
  GenerateRequest,
  PortFigures,
  RouteFigures,
} from '../lab/forwarder-protocol';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { interfacesOf, XdpForwarder, type XdpPort } from '../lab/xdp-forwarder';

export const PORTS = 4;
export const IP_BYTES = 500;
const SOURCE = '10.100.0.10';
const GROUP = '239.1.1.1';
const INGRESS_VPORT = 1;
const BURST = 64;
const RATE_PPS = 20_000;

/** One outgoing port at rest: `sent` is the forwarder's word, `arrived` the receiver's. */
export interface PortAccount extends PortFigures {
  readonly arrived: Arrivals;
}

export interface Account {
  /** Packets the test has sent. */
  readonly generated: number;
  readonly route: RouteFigures;
  /** What no counter names: the copies the kernel left out without a word. */
  readonly skipped: number;
  readonly ports: readonly PortAccount[];
}

/** vport of the i-th outgoing port, from 1. */
export function vportOf(port: number): number {
  return INGRESS_VPORT + port;
}

export function routeTo(ports: readonly number[]): ForwarderRoute {
  return { source: SOURCE, group: GROUP, incoming: INGRESS_VPORT, outgoing: ports.map(vportOf) };
}

const ALL_PORTS = Array.from({ length: PORTS }, (_, i) => i + 1);

export class StreamBed {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly receivers: Namespace;
  readonly forwarder: XdpForwarder;
  readonly #receiverProgram: string;
  /** Every interface a port's receiver has been, the present one last. */
  readonly #receiverIndexes: number[][];
  #generated = 0;

  private constructor(parts: {
    lab: Lab;
    router: Namespace;
    receivers: Namespace;
    forwarder: XdpForwarder;
    receiverProgram: string;
  }) {
    this.lab = parts.lab;
    this.router = parts.router;
    this.receivers = parts.receivers;
    this.forwarder = parts.forwarder;
    this.#receiverProgram = parts.receiverProgram;
    this.#receiverIndexes = ALL_PORTS.map(() => []);
  }

  /** `mode`: of the outgoing ports. `groupLimit`: as many outgoing sets may be in use. */
  static async create(name: string, mode: 'xdp' | 'tc', groupLimit = 64): Promise<StreamBed> {
    const lab = await Lab.create(name);
    try {
      const router = await lab.namespace('router');
      const [receivers, feeder] = [await lab.namespace('receivers'), await lab.namespace('feeder')];
      await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [feeder, 'gen0'] });
      for (const port of ALL_PORTS)
        await lab.link({ between: [router, `lan${port}`, `10.1.${port}.1/24`], and: [receivers, `rx${port}`] });
      const ports: readonly XdpPort[] = ['up0', ...ALL_PORTS.map((port) => `lan${port}`)].map((label, i) => ({
        name: label,
        vport: INGRESS_VPORT + i,
        // The stream is put in front of the XDP program there.
        mode: i === 0 ? 'xdp' : mode,
      }));
      const forwarder = await XdpForwarder.start(lab, router, ports, groupLimit);
      await forwarder.addRoutes([routeTo(ALL_PORTS)]);
      const pins = await forwarder.openStream({ incoming: 'up0', source: SOURCE, group: GROUP, ipBytes: IP_BYTES });
      await attach(feeder, 'gen0', pins.senderProgram);
      const bed = new StreamBed({ lab, router, receivers, forwarder, receiverProgram: pins.receiverProgram });
      for (const port of ALL_PORTS) await bed.listen(port);
      return bed;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Puts the counting program on the port's receiver, also when that has been made anew. */
  async listen(port: number): Promise<void> {
    await attach(this.receivers, `rx${port}`, this.#receiverProgram);
    const ifindex = await this.receiverIndex(port);
    const indexes = this.#receiverIndexes[port - 1];
    if (indexes !== undefined && indexes.at(-1) !== ifindex) indexes.push(ifindex);
  }

  async receiverIndex(port: number): Promise<number> {
    const [found] = await interfacesOf(this.receivers, [`rx${port}`]);
    return found?.ifindex ?? 0;
  }

  /** Resolves when the last packet has gone through the forwarder. */
  async send(packets: number, options: Partial<GenerateRequest> = {}): Promise<void> {
    this.#generated += packets;
    await this.forwarder.generate({ packets, burst: BURST, ratePps: RATE_PPS, ...options });
  }

  async churn(
    packets: number,
    changes: { readonly routes: readonly ForwarderRoute[]; readonly count: number; readonly perSecond: number },
  ): Promise<ChurnAnswer> {
    this.#generated += packets;
    const stream: GenerateRequest = { do: 'generate', packets, burst: BURST / 2, ratePps: RATE_PPS };
    return this.forwarder.churn({ stream, routes: changes.routes, changes: changes.count, changesPerSecond: changes.perSecond });
  }

  /** Runs `fault` in the midst of a stream, of `packets` or as many times that as it takes, and resolves when the last packet is through. */
  async sendDuring(packets: number, fault: () => Promise<void>, options: Partial<GenerateRequest> = {}): Promise<void> {
    const before = await this.#seenByKernel();
    let isOver = false;
    const sending = this.#sendUntil(() => isOver, packets, options);
    await eventually(async () => (await this.#seenByKernel()) > before + packets / 10, {
      what: 'the stream runs',
      intervalMs: 1,
    });
    await fault().finally(() => (isOver = true));
    await sending;
  }

  async #sendUntil(isOver: () => boolean, packets: number, options: Partial<GenerateRequest>): Promise<void> {
    while (!isOver()) await this.send(packets, options);
    // Some meet what has changed, in any case.
    await this.send(BURST, options);
  }

  /** Once no frame is on its way any more. */
  account(): Promise<Account> {
    return atRest(() => this.#read(), { what: 'the counters rest' });
  }

  /** The receivers' namespace polls this receiver in a thread of its own: a slow one keeps no other waiting. */
  async pollInThread(port: number): Promise<void> {
    // `ip netns exec`, for its /sys shows the devices of the namespace.
    await run(['ip', 'netns', 'exec', this.receivers.name, 'sh', '-c', `echo 1 > /sys/class/net/rx${port}/threaded`]);
  }

  /** A figure of `ethtool -S`. */
  async driverCounter(namespace: Namespace, interfaceName: string, counter: string): Promise<number> {
    const found = new RegExp(`^\\s*${counter}: (\\d+)$`, 'm').exec(await namespace.run(['ethtool', '-S', interfaceName]));
    if (found === null) throw new Error(`${interfaceName} has no counter ${counter}`);
    return Number(found[1]);
  }

  /** Frames at the first receiver, which no test disturbs: asked of the driver, for the worker answers when the stream is through. */
  #seenByKernel(): Promise<number> {
    return this.driverCounter(this.receivers, 'rx1', 'rx_queue_0_xdp_packets');
  }

  async #read(): Promise<Account> {
    const { routes, ports } = await this.forwarder.counters();
    const route = routes[`${SOURCE} ${GROUP}`];
    if (route === undefined) throw new Error('the route has no counters');
    const accounts = ALL_PORTS.map(async (port): Promise<PortAccount> => {
      const figures = ports[vportOf(port)];
      if (figures === undefined) throw new Error(`port ${port} has no counters`);
      return { ...figures, arrived: sumOf(await this.forwarder.arrivals(this.#receiverIndexes[port - 1] ?? [])) };
    });
    const skipped = route.expected - route.sent - route.failed - route.dropped;
    return { generated: this.#generated, route, skipped, ports: await Promise.all(accounts) };
  }
}

/** A receiver that was made anew starts to count at nothing: numbers it never saw are missing. */
function sumOf(parts: readonly Arrivals[]): Arrivals {
  const sum = (field: keyof Arrivals): number => parts.reduce((total, part) => total + part[field], 0);
  const [packets, bytes, behind, strange] = [sum('packets'), sum('bytes'), sum('behind'), sum('strange')];
  const next = Math.max(0, ...parts.map((part) => part.next));
  return { packets, bytes, behind, strange, next, missing: next - packets + behind };
}

async function attach(namespace: Namespace, interfaceName: string, pinnedProgram: string): Promise<void> {
  await namespace.run(['ip', 'link', 'set', 'dev', interfaceName, 'xdpdrv', 'pinned', pinnedProgram]);
}
