/**
 * The controller's half of the bench, in the router's namespace: a data plane in this process or in another one, and the clock. The same
 * code for both; RouteSync writes, as in the daemon. Ends with its stdin.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { PUNT_CLASSES, type Dataplane, type DataplaneEvents, type PolicerSettings, type PuntClass } from '../../../control/dataplane/api';
import { BpfDataplane } from '../../../control/dataplane/bpf-dataplane';
import { systemClock } from '../../../control/kernel/clock';
import { nameOf, type RouteChange, type WantedRoute } from '../../../control/mrib/route';
import { bpfObjectPath } from '../../../control/paths';
import { RemoteDataplane } from '../../../control/remote/remote-dataplane';
import { RouteSync } from '../../../control/router/route-sync';
import { endure, spreadOf } from '../routes/event-loop';
import { serveRequests } from '../../lab/serve-requests';
import type { Answers, BatchAnswer, BatchRequest, CountersAnswer, CountersRequest, OpenRequest, PuntsAnswer, Request, SinglesAnswer, SinglesRequest } from './protocol';

const [FIRST_SOURCE, GROUP] = [0x0a640000, 0xef050001];
const GROUP_LIMIT = 512;
const CONNECT_MS = 10_000;
const WARM_UP = 50;
/** Longer than counters rest. */
const REST_MS = 1100;
/** RemoteDataplane reads all counters once in so many readings. */
const READINGS_BETWEEN_COMPLETE = 30;

class Worker {
  readonly #dataplane: Dataplane;
  readonly #sync: RouteSync;
  readonly #heard: Heard;

  private constructor(dataplane: Dataplane, heard: Heard) {
    this.#dataplane = dataplane;
    this.#heard = heard;
    this.#sync = new RouteSync({ dataplane, events: { report: () => undefined }, nowMs: systemClock.nowMs, onWritten: () => undefined });
    heard.sync = this.#sync;
  }

  static async open(request: OpenRequest): Promise<Worker> {
    const heard = new Heard();
    const dataplane = await openDataplane(request, heard);
    for (const [i, { name, ifindex, mac, mtu }] of request.ports.entries()) {
      const macAddress = Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16));
      await dataplane.setPort({ vport: i + 1, name, ifindex, macAddress, mtu, ttlThreshold: 1, mode: 'xdp' });
    }
    return new Worker(dataplane, heard);
  }

  async singles({ samples }: SinglesRequest): Promise<SinglesAnswer> {
    const us: number[] = [];
    for (let i = 0; i < samples + WARM_UP; i++) {
      const change = setRoute(i);
      const started = performance.now();
      this.#sync.apply([change], systemClock.nowMs());
      while (this.#dataplane.installedAtMs(nameOf(change.route)) === undefined) await this.#heard.nextAnswer();
      us.push((performance.now() - started) * 1000);
    }
    await this.#clear(samples + WARM_UP);
    return { confirmedUs: spreadOf(us.slice(WARM_UP)) };
  }

  async batch({ routes, listLength }: BatchRequest): Promise<BatchAnswer> {
    const all = Array.from({ length: routes }, (_, i) => setRoute(i));
    const installed = await endure(() => this.#write(all, listLength, routes));
    const removed = await endure(() => this.#write(all.map(removal), listLength, 0));
    await pause(REST_MS);
    return { installMs: installed.wallMs, removeMs: removed.wallMs, stallMs: Math.max(installed.stallMs, removed.stallMs) };
  }

  async counters({ routes, reads }: CountersRequest): Promise<CountersAnswer> {
    await this.#write(Array.from({ length: routes }, (_, i) => setRoute(i)), routes, routes);
    const [complete, unchanged, stalls]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i < reads * READINGS_BETWEEN_COMPLETE; i++) {
      const { wallMs, stallMs } = await endure(() => this.#dataplane.readCounters());
      (i % READINGS_BETWEEN_COMPLETE === 0 ? complete : unchanged).push(wallMs);
      stalls.push(stallMs);
    }
    await this.#clear(routes);
    return { completeMs: spreadOf(complete), unchangedMs: spreadOf(unchanged), stallMs: spreadOf(stalls) };
  }

  punts(): PuntsAnswer {
    return this.#heard.takePunts();
  }

  async close(): Promise<object> {
    await this.#dataplane.close();
    return {};
  }

  /** Resolves when the data plane says that so many are there. */
  async #write(changes: readonly RouteChange[], listLength: number, expected: number): Promise<void> {
    for (let at = 0; at < changes.length; at += listLength) this.#sync.apply(changes.slice(at, at + listLength), systemClock.nowMs());
    while (this.#sync.waiting > 0 || this.#dataplane.usage.routes !== expected) await this.#heard.nextAnswer();
    if (this.#sync.refused > 0n) throw new Error(`${this.#sync.refused} routes were refused`);
  }

  async #clear(routes: number): Promise<void> {
    await this.#write(Array.from({ length: routes }, (_, i) => removal(setRoute(i))), routes, 0);
    await pause(REST_MS);
    this.#dataplane.tick(systemClock.nowMs());
  }
}

class Heard implements DataplaneEvents {
  sync: RouteSync | undefined;
  #punts = { punts: 0, firstMs: 0, lastMs: 0 };

  readonly onPunts: DataplaneEvents['onPunts'] = (punts) => {
    this.#punts.lastMs = performance.now();
    if (this.#punts.punts === 0) this.#punts.firstMs = this.#punts.lastMs;
    this.#punts.punts += punts.length;
  };
  readonly onRoom = (): void => undefined;
  readonly onTrouble = (message: string): void => void process.stderr.write(`${message}\n`);
  readonly onApplied: DataplaneEvents['onApplied'] = (changes, refused) => this.sync?.applied(changes, refused);
  readonly onReady = (): void => this.sync?.ready();
  readonly onLinkUp = (): void => undefined;

  /** Whatever the event loop brings next. */
  nextAnswer(): Promise<void> {
    return new Promise(setImmediate);
  }

  takePunts(): PuntsAnswer {
    const { punts, firstMs, lastMs } = this.#punts;
    this.#punts = { punts: 0, firstMs: 0, lastMs: 0 };
    return { punts, elapsedMs: lastMs - firstMs };
  }
}

function setRoute(i: number): { readonly kind: 'set'; readonly route: WantedRoute } {
  return { kind: 'set', route: { source: FIRST_SOURCE + i, group: GROUP, incoming: 1, outgoing: [2, 3] } };
}

function removal({ route }: { readonly route: WantedRoute }): RouteChange {
  return { kind: 'remove', key: { source: route.source, group: route.group } };
}

async function openDataplane({ target, pinPath, routeLimit, ports }: OpenRequest, heard: Heard): Promise<Dataplane> {
  const open: PolicerSettings = { ratePps: 1_000_000, burst: 1_000_000, totalPps: 10_000_000 };
  const policers = Object.fromEntries(PUNT_CLASSES.map((name) => [name, open])) as Record<PuntClass, PolicerSettings>;
  if (target === null) {
    const sizes = { routeLimit, groupLimit: GROUP_LIMIT, ports: ports.length };
    return BpfDataplane.open({ ...heard, ...sizes, objectPath: bpfObjectPath(), pinPath, policers, nowMs: systemClock.nowMs });
  }
  const dataplane = RemoteDataplane.open({ ...heard, target, name: 'bench:hop', electionId: 1n, clock: systemClock, log: pino({ level: 'silent' }) });
  dataplane.setPolicers(policers);
  await dataplane.whenUp(CONNECT_MS);
  if (!dataplane.link.isUp) throw new Error(`no data plane at ${target}: ${dataplane.link.problem}`);
  return dataplane;
}

let worker: Worker | undefined;

async function obey(request: Request): Promise<Answers[keyof Answers]> {
  if (request.do === 'open') {
    worker = await Worker.open(request);
    return {};
  }
  if (worker === undefined) throw new Error('not open yet');
  switch (request.do) {
    case 'singles':
      return worker.singles(request);
    case 'batch':
      return worker.batch(request);
    case 'counters':
      return worker.counters(request);
    case 'punts':
      return worker.punts();
    case 'close':
      return worker.close();
  }
}

void serveRequests<Request>(obey, () => worker?.close());
