/**
 * The process inside the router's namespace: xmcast's data plane as the daemon opens it, and the clock. Does what it is asked, decides
 * nothing. Ends with its stdin.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { monotonicNs, readBtf } from '#bindings';
import { NO_COUNTERS, PUNT_CLASSES, type PolicerSettings, type PuntClass } from '../../../control/dataplane/api';
import { BpfDataplane } from '../../../control/dataplane/bpf-dataplane';
import { systemClock } from '../../../control/kernel/clock';
import { routeName, type RouteChange, type VportId, type WantedRoute } from '../../../control/mrib/route';
import { bpfObjectPath } from '../../../control/paths';
import { RouteSync } from '../../../control/router/route-sync';
import { mapMemory } from '../forward/map-memory';
import { FIRST_SOURCE } from '../forward/stream';
import { Stream } from './arrivals';
import { endure, spreadOf, type Endured } from './event-loop';
import type {
  Answers, ArrivalsAnswer, ArrivalsRequest, BatchAnswer, BatchRequest, CountersAnswer, CountersRequest, FanoutAnswer, FanoutRequest,
  JoinsAnswer, JoinsRequest, OpenRequest, Request,
} from './protocol';
import { serveRequests } from '../../lab/serve-requests';

const INGRESS_VPORT = 1;
/** The i-th outgoing port (from 0) is vport i + 2. */
const FIRST_EGRESS_VPORT = 2;
/** One route for each port that somebody joins; another group of it for those that have joined already. */
const [JOIN_GROUP, HELD_GROUP, FILL_GROUP] = [0xef040001, 0xef040002, 0xef040003];
/** New sets taken in one go: then the pool is given time to grow, as it has between joins of real hosts. */
const NEW_SETS_AT_ONCE = 6;
const POOL_GROWS_MS = 60;
/** Longer than groups and counters rest. */
const REST_MS = 1100;
const BETWEEN_ARRIVALS_MS = 4;
const SETTLE_MS = 50;
const WARM_UP = 20;

class Worker {
  readonly #request: OpenRequest;
  readonly #dataplane: BpfDataplane;
  readonly #stream: Stream;
  #receivers: readonly number[] = [];

  private constructor(request: OpenRequest, dataplane: BpfDataplane, stream: Stream) {
    this.#request = request;
    this.#dataplane = dataplane;
    this.#stream = stream;
  }

  static async open(request: OpenRequest): Promise<Worker> {
    const dataplane = await openDataplane(request);
    return new Worker(request, dataplane, await Stream.load(request.ports[0]?.ifindex ?? 0, request.benchPinPath));
  }

  get pins(): Answers['open'] {
    return this.#stream.pins;
  }

  set receivers(ifindexes: readonly number[]) {
    this.#receivers = ifindexes;
  }

  async joins({ ports, existing, samples }: JoinsRequest): Promise<JoinsAnswer> {
    const sets = Array.from({ length: samples + WARM_UP }, (_, i) => this.#window(i, ports));
    const before = sets.map((set, i) => setRoute(routeAt(i, JOIN_GROUP, set.slice(0, -1))));
    for (const [i, set] of sets.entries()) {
      await this.#letPoolGrow(i);
      this.#apply([...before.slice(i, i + 1), ...(existing ? [setRoute(routeAt(i, HELD_GROUP, set))] : [])]);
    }
    const writtenUs: number[] = [];
    for (const [i, set] of sets.entries()) {
      if (!existing) await this.#letPoolGrow(i);
      const started = performance.now();
      this.#apply([setRoute(routeAt(i, JOIN_GROUP, set))]);
      writtenUs.push((performance.now() - started) * 1000);
    }
    await this.#clear(sets.length);
    return { writtenUs: spreadOf(writtenUs.slice(WARM_UP)) };
  }

  async arrivals({ ports, existing, samples }: ArrivalsRequest): Promise<ArrivalsAnswer> {
    const sets = Array.from({ length: samples }, (_, i) => this.#window(i, ports));
    const started = performance.now();
    let [ended, sent] = [false, 0];
    const group = JOIN_GROUP;
    const streaming = (async () => {
      const frames = 20_000;
      for (; !ended; sent += frames) await this.#stream.send(group, frames);
    })();
    const arrivedUs: number[] = [];
    for (const [i, set] of sets.entries()) arrivedUs.push(...(await this.#arrivalOf(set, existing, i)));
    ended = true;
    await streaming;
    const streamPps = (sent * 1000) / (performance.now() - started);
    await this.#clear(sets.length);
    if (arrivedUs.length < samples / 2) throw new Error(`only ${arrivedUs.length} of ${samples} joins were seen to arrive`);
    return { arrivedUs: spreadOf(arrivedUs), streamPps };
  }

  async batch({ routes, singly }: BatchRequest): Promise<BatchAnswer> {
    const outgoing = this.#window(0, 4);
    const wanted = Array.from({ length: routes }, (_, i) => setRoute(routeAt(i, FILL_GROUP, outgoing)));
    const gone = wanted.map((_, i): RouteChange => ({ kind: 'remove', key: routeAt(i, FILL_GROUP, []) }));
    const installed = await this.#write(wanted, singly);
    const removed = await this.#write(gone, singly);
    await this.#rest();
    return {
      installMs: installed.wallMs,
      removeMs: removed.wallMs,
      installStallMs: installed.stallMs,
      installWaitP99Ms: installed.waitP99Ms,
      removeStallMs: removed.stallMs,
      refused: installed.refused + removed.refused,
    };
  }

  async counters({ routes, reads }: CountersRequest): Promise<CountersAnswer> {
    const outgoing = this.#window(0, 4);
    const heapBefore = heapUsed();
    await this.#write(Array.from({ length: routes }, (_, i) => setRoute(routeAt(i, FILL_GROUP, outgoing))), false);
    const heapBytesPerRoute = (heapUsed() - heapBefore) / routes;
    let previous = NO_COUNTERS;
    const [wallMs, comparedMs, stallMs]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i < reads; i++) {
      const { result: current, ...endured } = await endure(() => this.#dataplane.readCounters());
      const started = performance.now();
      for (const keys of current.activeSince(previous)) if (keys.length > 0) throw new Error('a route counted packets that nobody sent');
      comparedMs.push(performance.now() - started);
      wallMs.push(endured.wallMs);
      stallMs.push(Math.max(endured.stallMs, comparedMs.at(-1) ?? 0));
      previous = current;
    }
    await this.#clear(routes);
    return { wallMs: spreadOf(wallMs), comparedMs: spreadOf(comparedMs), stallMs: spreadOf(stallMs), heapBytesPerRoute };
  }

  memory(): Answers['memory'] {
    const maxVports = readBtf(bpfObjectPath()).enumerators['XM_MAX_VPORTS'];
    if (maxVports === undefined) throw new Error('the object does not declare XM_MAX_VPORTS');
    return mapMemory(this.#request.pinPath, this.#request.routeLimit, maxVports);
  }

  async fanout({ ports, packets }: FanoutRequest): Promise<FanoutAnswer> {
    const group = JOIN_GROUP;
    this.#apply([setRoute({ source: FIRST_SOURCE, group, incoming: INGRESS_VPORT, outgoing: this.#window(0, ports) })]);
    for (const ifindex of this.#receivers) this.#stream.clear(ifindex);
    await this.#stream.send(group, packets);
    await pause(SETTLE_MS);
    const counted = (await this.#dataplane.readCounters()).route(routeName(FIRST_SOURCE, group));
    const arrived = this.#receivers.slice(0, ports).map((ifindex) => this.#stream.at(ifindex).packets);
    await this.#clear(1);
    return {
      complete: arrived.filter((count) => count === packets).length,
      fewest: Math.min(...arrived),
      most: Math.max(...arrived),
      expected: Number(counted?.expected ?? 0n),
      copies: Number(counted?.copies ?? 0n),
    };
  }

  async close(): Promise<object> {
    this.#stream.close();
    await this.#dataplane.close();
    return {};
  }

  /** So many consecutive ports from the i-th on, round the end: as many sets as there are ports. */
  #window(first: number, count: number): readonly VportId[] {
    const total = this.#request.ports.length - 1;
    if (count > total) throw new Error(`${count} ports of ${total}`);
    return Array.from({ length: count }, (_, i) => FIRST_EGRESS_VPORT + ((first + i) % total)).sort((a, b) => a - b);
  }

  #apply(changes: readonly RouteChange[]): void {
    const [problem] = this.#dataplane.applyRoutes(changes, systemClock.nowMs());
    if (problem !== undefined) throw new Error(`install a route: ${problem.problem}`);
  }

  async #letPoolGrow(i: number): Promise<void> {
    if (i % NEW_SETS_AT_ONCE === 0) await pause(POOL_GROWS_MS);
    this.#dataplane.tick(systemClock.nowMs());
  }

  /** Empty when no copy came in time. */
  async #arrivalOf(set: readonly VportId[], existing: boolean, i: number): Promise<readonly number[]> {
    const joiner = set.at(-1) ?? 0;
    const receiver = this.#receivers[joiner - FIRST_EGRESS_VPORT] ?? 0;
    const route = (outgoing: readonly VportId[]): RouteChange => setRoute({ source: FIRST_SOURCE, group: JOIN_GROUP, incoming: INGRESS_VPORT, outgoing });
    await this.#letPoolGrow(i);
    this.#apply([route(set.slice(0, -1)), ...(existing ? [setRoute(routeAt(i, HELD_GROUP, set))] : [])]);
    await pause(BETWEEN_ARRIVALS_MS);
    this.#stream.clear(receiver);
    const decidedNs = monotonicNs();
    this.#apply([route(set)]);
    await pause(BETWEEN_ARRIVALS_MS);
    const { firstNs } = this.#stream.at(receiver);
    // Between two runs of the stream nothing passes.
    return firstNs === undefined || firstNs < decidedNs ? [] : [Number(firstNs - decidedNs) / 1000];
  }

  async #write(changes: readonly RouteChange[], singly: boolean): Promise<Omit<Endured<void>, 'result'> & { readonly refused: number }> {
    const sync = new RouteSync({ dataplane: this.#dataplane, events: { report: () => undefined }, nowMs: systemClock.nowMs, onWritten: () => undefined });
    const { wallMs, stallMs, waitP99Ms } = await endure(async () => {
      if (singly) for (const change of changes) sync.apply([change], systemClock.nowMs());
      else sync.apply(changes, systemClock.nowMs());
      while (sync.waiting > 0) await new Promise(setImmediate);
    });
    return { wallMs, stallMs, waitP99Ms, refused: Number(sync.refused) };
  }

  /** Removes what the measurement made, and waits until groups and counters can be used again. */
  async #clear(routes: number): Promise<void> {
    const groups = [JOIN_GROUP, HELD_GROUP, FILL_GROUP];
    const keys = Array.from({ length: routes }, (_, i) => groups.map((group) => routeAt(i, group, []))).flat();
    await this.#write(keys.map((key) => ({ kind: 'remove', key })), false);
    await this.#rest();
  }

  async #rest(): Promise<void> {
    await pause(REST_MS);
    while ((this.#dataplane.tick(systemClock.nowMs()) ?? Infinity) <= systemClock.nowMs()) await new Promise(setImmediate);
  }
}

function setRoute(route: WantedRoute): RouteChange {
  return { kind: 'set', route };
}

function routeAt(i: number, group: number, outgoing: readonly VportId[]): WantedRoute {
  return { source: FIRST_SOURCE + i, group, incoming: INGRESS_VPORT, outgoing };
}

async function openDataplane(request: OpenRequest): Promise<BpfDataplane> {
  const policer: PolicerSettings = { ratePps: 100, burst: 100, totalPps: 400 };
  const dataplane = await BpfDataplane.open({
    objectPath: bpfObjectPath(),
    pinPath: request.pinPath,
    routeLimit: request.routeLimit,
    groupLimit: request.groupLimit,
    ports: request.ports.length,
    policers: Object.fromEntries(PUNT_CLASSES.map((name) => [name, policer])) as Record<PuntClass, PolicerSettings>,
    onPunts: () => undefined,
    onTrouble: (message) => process.stderr.write(`${message}\n`),
    nowMs: systemClock.nowMs,
  });
  for (const [i, { name, ifindex, mac, mtu }] of request.ports.entries()) {
    const macAddress = Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16));
    await dataplane.setPort({ vport: INGRESS_VPORT + i, name, ifindex, macAddress, mtu, ttlThreshold: 1 });
  }
  return dataplane;
}

/** Only what is still in use, where the process was started with --expose-gc. */
function heapUsed(): number {
  globalThis.gc?.();
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage();
  return heap + arrayBuffers;
}

let worker: Worker | undefined;

async function obey(request: Request): Promise<Answers[keyof Answers]> {
  if (request.do === 'open') {
    worker = await Worker.open(request);
    return worker.pins;
  }
  if (worker === undefined) throw new Error('not open yet');
  switch (request.do) {
    case 'receivers':
      worker.receivers = request.ifindexes;
      return {};
    case 'joins':
      return worker.joins(request);
    case 'arrivals':
      return worker.arrivals(request);
    case 'batch':
      return worker.batch(request);
    case 'counters':
      return worker.counters(request);
    case 'memory':
      return worker.memory();
    case 'fanout':
      return worker.fanout(request);
    case 'close':
      return worker.close();
  }
}

void serveRequests<Request>(obey, () => worker?.close());
