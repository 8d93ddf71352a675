/**
 * Compares what is installed with what should be, and puts right what somebody else has changed: routes, the index in front of them,
 * ranges, replication groups, ports, what is attached and pinned. Reads on worker threads and compares in pieces; what this controller
 * changes meanwhile is left for the next time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BpfMap } from '#bindings';
import { errorText } from '../errors';
import { isRange, nameOf } from '../mrib/route';
import type { RepairKind, Verification } from './api';
import type { InstalledAbi } from './installed-abi';
import { repairPins, type Forwarder } from './loader';
import type { MemberTable } from './member-table';
import type { PinFolder } from './pin-folder';
import type { PortTable } from './ports';
import type { PrefixRoutes } from './prefix-routes';
import type { Replication } from './replication';
import type { RouteIndex } from './route-index';
import type { RouteEntry, RouteTable } from './routes';

/** Routes in one piece: about a millisecond. */
const PIECE = 1024;
/** Buckets of the index in one piece. */
const BUCKETS = 8192;

export interface VerifiedParts {
  readonly forwarder: Forwarder;
  readonly pins: PinFolder;
  readonly ports: PortTable;
  readonly replication: Replication;
  readonly routes: RouteTable;
  readonly index: RouteIndex;
  readonly ranges: PrefixRoutes;
  readonly members: MemberTable;
  readonly nowMs: () => number;
  /** Between pieces: whether to go on. */
  readonly isClosed: () => boolean;
}

export class Verifier {
  readonly #parts: VerifiedParts;
  readonly #map: BpfMap;
  readonly #abi: InstalledAbi;
  #repairs = new Map<RepairKind, number>();
  #problems: string[] = [];

  constructor(parts: VerifiedParts) {
    this.#parts = parts;
    this.#map = parts.forwarder.object.map('xm_routes');
    this.#abi = parts.forwarder.installedAbi;
  }

  async verify(): Promise<Verification> {
    this.#repairs = new Map();
    this.#problems = [];
    // Ports first: groups are written by their interfaces, and routes by groups.
    for (const step of [() => this.#ports(), () => this.#groups(), () => this.#ranges(), () => this.#routes(), () => this.#pins()]) {
      if (this.#parts.isClosed()) break;
      await step();
    }
    return { repairs: this.#repairs, problems: this.#problems };
  }

  #note(kind: RepairKind, count: number): void {
    if (count > 0) this.#repairs.set(kind, (this.#repairs.get(kind) ?? 0) + count);
  }

  async #ports(): Promise<void> {
    const { ports } = this.#parts;
    for (const ifindex of ports.devices()) {
      try {
        for (const kind of await ports.repair(ifindex)) this.#note(kind, 1);
      } catch (error) {
        this.#problems.push(errorText(error));
      }
    }
  }

  async #groups(): Promise<void> {
    const { replication } = this.#parts;
    let slots = 0;
    for (const group of replication.pool.groupsInUse()) {
      // Another set may have it by now.
      if (replication.pool.isInUse(group) && (await replication.repair(group))) this.#note('group', 1);
      slots += group.slots;
      if (slots < PIECE) continue;
      slots = 0;
      await nextTurn();
    }
  }

  async #ranges(): Promise<void> {
    this.#note('route', await this.#parts.ranges.repair());
    this.#note('route', await this.#parts.members.repair());
  }

  async #routes(): Promise<void> {
    const { routes } = this.#parts;
    routes.beginWatch();
    try {
      const { keys, values, count } = await this.#map.lookupBatch();
      const found = await this.#compare(keys, values, count);
      await this.#repairMissing(found);
      await this.#repairIndex();
    } finally {
      routes.endWatch();
    }
  }

  /** Resolves with the names of the routes that are there. */
  async #compare(keys: Uint8Array, values: Uint8Array, count: number): Promise<ReadonlySet<string>> {
    const { routes, nowMs } = this.#parts;
    const keyView = new DataView(keys.buffer, keys.byteOffset, keys.byteLength);
    const valueWords = new BigUint64Array(values.buffer, values.byteOffset, count);
    const found = new Set<string>();
    for (let i = 0; i < count; i++) {
      const key = this.#abi.readRouteKey(keyView, i);
      const name = nameOf(key);
      const entry = routes.entry(name);
      found.add(name);
      if (!routes.wasTouched(name) && (entry === undefined || routes.wordsOf(entry).value !== valueWords[i])) {
        if (entry === undefined) routes.removeStranger(key, nowMs());
        else routes.rewrite([entry], nowMs());
        this.#note('route', 1);
      }
      if (i % PIECE === PIECE - 1) await nextTurn();
    }
    return found;
  }

  async #repairMissing(found: ReadonlySet<string>): Promise<void> {
    const { routes, nowMs } = this.#parts;
    const missing: RouteEntry[] = [];
    let seen = 0;
    for (const [name, entry] of routes.entries()) {
      if (!isRange(entry.route) && !found.has(name) && !routes.wasTouched(name)) missing.push(entry);
      if (++seen % PIECE === 0) await nextTurn();
    }
    for (let from = 0; from < missing.length; from += PIECE) {
      routes.rewrite(missing.slice(from, from + PIECE).filter(({ route }) => !routes.wasTouched(nameOf(route))), nowMs());
      await nextTurn();
    }
    this.#note('route', missing.length);
  }

  async #repairIndex(): Promise<void> {
    const { routes, index, nowMs } = this.#parts;
    let exact = 0;
    let seen = 0;
    for (const [name, entry] of routes.entries()) {
      if (isRange(entry.route)) continue;
      exact++;
      const { key, value } = routes.wordsOf(entry);
      if (!routes.wasTouched(name) && index.repair(entry.route, key, value, nowMs())) this.#note('index', 1);
      if (++seen % PIECE === 0) await nextTurn();
    }
    let keys = 0;
    for (const count of index.countKeys(BUCKETS)) {
      keys += count;
      await nextTurn();
    }
    // Each route has one key. There may also be more because routes have come since: looking costs time and nothing else.
    if (keys > exact - index.homeless) await this.#removeStrangers();
  }

  async #removeStrangers(): Promise<void> {
    const { routes, index } = this.#parts;
    const isRoute = (key: bigint): boolean => routes.entry(nameOf(this.#keyOf(key))) !== undefined;
    for (const strangers of index.removeStrangers(isRoute, PIECE)) {
      this.#note('index', strangers);
      await nextTurn();
    }
  }

  #keyOf(word: bigint): ReturnType<InstalledAbi['readRouteKey']> {
    return this.#abi.readRouteKey(new DataView(BigUint64Array.of(word).buffer), 0);
  }

  async #pins(): Promise<void> {
    const { forwarder, pins, replication } = this.#parts;
    if (pins.restore(forwarder.generation)) this.#note('pin', 1);
    this.#note('pin', repairPins(forwarder));
    await nextTurn();
    this.#note('pin', replication.repairPins());
  }
}
