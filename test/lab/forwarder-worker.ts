/**
 * The process inside a router's namespace: xmcast's data plane as the daemon opens it, with static routes and no protocol. Does what it
 * is asked, decides nothing. Ends with its stdin.
 */
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { BpfDataplane } from '../../control/dataplane/bpf-dataplane';
import { PUNT_CLASSES, type PolicerSettings, type PortSpec, type PuntClass } from '../../control/dataplane/api';
import { systemClock } from '../../control/kernel/clock';
import { routeName, type WantedRoute } from '../../control/mrib/route';
import { bpfObjectPath } from '../../control/paths';
import { ip } from '../bpf/packet';
import type {
  ChurnAnswer,
  ChurnRequest,
  CountersAnswer,
  ForwarderAnswers,
  ForwarderPort,
  ForwarderRequest,
  ForwarderRoute,
  OpenRequest,
} from './forwarder-protocol';
import { NumberedStream } from './numbered-stream';

const ROUTE_LIMIT = 256;
const PORT_LIMIT = 16;

class Worker {
  readonly #dataplane: BpfDataplane;
  readonly #routes = new Map<string, ForwarderRoute>();
  readonly #vports = new Set<number>();
  #stream: NumberedStream | undefined;

  private constructor(dataplane: BpfDataplane) {
    this.#dataplane = dataplane;
  }

  static async open(request: OpenRequest): Promise<Worker> {
    const policer: PolicerSettings = { ratePps: 100, burst: 100, totalPps: 400 };
    const dataplane = await BpfDataplane.open({
      objectPath: bpfObjectPath(),
      pinPath: request.pinPath,
      routeLimit: ROUTE_LIMIT,
      groupLimit: request.groupLimit,
      ports: PORT_LIMIT,
      policers: Object.fromEntries(PUNT_CLASSES.map((name) => [name, policer])) as Record<PuntClass, PolicerSettings>,
      onPunts: () => undefined,
      onTrouble: (message) => process.stderr.write(`${message}\n`),
      nowMs: systemClock.nowMs,
    });
    const worker = new Worker(dataplane);
    for (const port of request.ports) await worker.setPort(port);
    return worker;
  }

  async setPort(port: ForwarderPort): Promise<void> {
    this.#vports.add(port.vport);
    await this.#dataplane.setPort(portSpec(port));
  }

  removePort(vport: number): Promise<void> {
    return this.#dataplane.removePort(vport);
  }

  /** The problem of the first route that was refused. */
  apply(routes: readonly ForwarderRoute[]): string | undefined {
    for (const route of routes) this.#routes.set(`${route.source} ${route.group}`, route);
    const changes = routes.map((route) => ({ kind: 'set', route: wanted(route) }) as const);
    return this.#dataplane.applyRoutes(changes, systemClock.nowMs())[0]?.problem;
  }

  async counters(): Promise<CountersAnswer> {
    const snapshot = await this.#dataplane.readCounters();
    const routes = [...this.#routes].map(([name, { source, group }]) => {
      const route = snapshot.route(routeName(ip(source), ip(group)));
      if (route === undefined) throw new Error(`no counters of ${name}`);
      const { packets, expected, copies, copyBytes, failed, dropped } = route;
      return [name, numbers({ packets, expected, sent: copies, sentBytes: copyBytes, failed, dropped })] as const;
    });
    const ports = [...this.#vports].map((vport) => {
      const port = snapshot.vport(vport);
      const drops = this.#dataplane.dropReasons.map((reason, i) => [reason, Number(port?.drops[i] ?? 0n)] as const);
      const occurred = Object.fromEntries(drops.filter(([, count]) => count > 0));
      return [vport, { received: Number(port?.rxPackets ?? 0n), sent: Number(port?.txPackets ?? 0n), drops: occurred }] as const;
    });
    return { routes: Object.fromEntries(routes), ports: Object.fromEntries(ports) };
  }

  async churn(request: ChurnRequest): Promise<ChurnAnswer> {
    const started = performance.now();
    let refused = 0;
    let lastProblem: string | null = null;
    const change = async (): Promise<void> => {
      for (let i = 0; i < request.changes; i++) {
        const earlyMs = (i * 1000) / request.changesPerSecond - (performance.now() - started);
        if (earlyMs > 0) await pause(earlyMs);
        const route = request.routes[i % request.routes.length];
        const problem = route === undefined ? 'no route to change' : this.apply([route]);
        if (problem === undefined) continue;
        refused++;
        lastProblem = problem;
      }
    };
    await Promise.all([this.stream.generate(request.stream), change()]);
    return { elapsedMs: performance.now() - started, refused, lastProblem };
  }

  get stream(): NumberedStream {
    if (this.#stream === undefined) throw new Error('no stream yet');
    return this.#stream;
  }

  set stream(stream: NumberedStream) {
    this.#stream = stream;
  }

  close(): Promise<void> {
    return this.#dataplane.close();
  }
}

function portSpec({ vport, name, ifindex, vlan, mac, mtu, ttlThreshold, mode }: ForwarderPort): PortSpec {
  const macAddress = Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16));
  return { vport, name, ifindex, vlan: vlan ?? 0, macAddress, mtu, ttlThreshold, ...(mode === undefined ? {} : { mode }) };
}

function wanted({ source, group, incoming, outgoing }: ForwarderRoute): WantedRoute {
  return { source: ip(source), group: ip(group), incoming, outgoing };
}

function numbers<Name extends string>(values: Readonly<Record<Name, bigint>>): Record<Name, number> {
  return Object.fromEntries(Object.entries<bigint>(values).map(([name, value]) => [name, Number(value)])) as Record<Name, number>;
}

let worker: Worker | undefined;

async function obey(request: ForwarderRequest): Promise<ForwarderAnswers[keyof ForwarderAnswers]> {
  if (request.do === 'open') {
    worker = await Worker.open(request);
    return {};
  }
  if (worker === undefined) throw new Error('not open yet');
  switch (request.do) {
    case 'setPort':
      await worker.setPort(request.port);
      return {};
    case 'removePort':
      await worker.removePort(request.vport);
      return {};
    case 'routes': {
      const problem = worker.apply(request.routes);
      if (problem !== undefined) throw new Error(problem);
      return {};
    }
    case 'counters':
      return worker.counters();
    case 'stream':
      worker.stream = await NumberedStream.load(request);
      return worker.stream.pins;
    case 'generate':
      await worker.stream.generate(request);
      return {};
    case 'churn':
      return worker.churn(request);
    case 'arrivals': {
      const { stream } = worker;
      return { arrivals: request.ifindexes.map((ifindex) => stream.arrivals(ifindex)) };
    }
    case 'slow':
      worker.stream.setDelay(request.ifindex, request.delayNs);
      return {};
    case 'close':
      await worker.close();
      return {};
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function answer(line: string): Promise<object> {
  try {
    return { event: 'answer', ...(await obey(JSON.parse(line) as ForwarderRequest)) };
  } catch (error) {
    return { event: 'answer', error: error instanceof Error ? error.message : String(error) };
  }
}

/** Requests start at once, so that a port can change while a stream runs; answers keep the order. */
async function serve(): Promise<void> {
  let answered = Promise.resolve();
  say({ event: 'ready' });
  for await (const line of createInterface({ input: process.stdin })) {
    const next = answer(line);
    answered = answered.then(async () => say(await next));
  }
  await answered;
  await worker?.close();
  say({ event: 'finished' });
  process.exit(0);
}

void serve();
