/**
 * The unicast routes of the main table and the longest-prefix look-up for reverse path checks. Pure.
 * Never follows policy rules, other tables or next-hop objects.
 */
import { prefixMask, type Ipv4 } from '../protocol/packet/address';
import {
  NLM_F_APPEND,
  NLM_F_REPLACE,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_THROW,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RT_TABLE_MAIN,
} from './netlink/constants';
import type { RouteHop, RouteRecord } from './netlink/route';

/** What a look-up found. */
export interface KernelRoute {
  readonly ifindex: number;
  /** undefined: the address is on the link. */
  readonly gateway: Ipv4 | undefined;
  readonly prefixLength: number;
}

/** What packets to one prefix do. */
export interface UnicastChoice {
  readonly network: Ipv4;
  readonly length: number;
  /** undefined: they are rejected. */
  readonly hop: RouteHop | undefined;
}

/** Routes of one prefix: lowest metric first, of equal metric in kernel order. Lists are replaced, never changed in place. */
type Alternatives = readonly RouteRecord[];

/** Types other than unicast that end a look-up without a result, and so hide shorter prefixes. */
const REJECTING_TYPES: ReadonlySet<number> = new Set([RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT, RTN_THROW]);

export class RouteTable {
  /** By prefix length, then by network. */
  readonly #byLength = new Map<number, Map<Ipv4, Alternatives>>();
  /** The lengths in use, longest first. */
  #lengths: readonly number[] = [];

  /** How many prefixes there are. */
  get size(): number {
    let size = 0;
    for (const networks of this.#byLength.values()) size += networks.size;
    return size;
  }

  /** The kernel's choice for this destination: longest prefix, then lowest metric; of a multipath route the first hop. */
  lookup(address: Ipv4): KernelRoute | undefined {
    for (const length of this.#lengths) {
      const best = this.#byLength.get(length)?.get((address & prefixMask(length)) >>> 0)?.[0];
      if (best === undefined) continue;
      const hop = best.hops[0];
      return best.type === RTN_UNICAST && hop ? { ifindex: hop.ifindex, gateway: hop.gateway, prefixLength: length } : undefined;
    }
    return undefined;
  }

  /** The kernel's choice for each prefix; without a hop packets to it are rejected. */
  *choices(): Iterable<UnicastChoice> {
    for (const [length, networks] of this.#byLength) {
      for (const [network, [best]] of networks) {
        const hop = best?.type === RTN_UNICAST ? best.hops[0] : undefined;
        if (best !== undefined) yield { network, length, hop };
      }
    }
  }

  /**
   * `flags` are the NLM_F_ flags of a notification, which tell where the route went among those of equal metric;
   * a dump lists them in order: NLM_F_APPEND. True when something changed.
   */
  add(record: RouteRecord, flags: number): boolean {
    if (!isRelevant(record)) return false;
    const before = this.#alternatives(record);
    const after = insert(before, record, flags);
    if (after !== before) this.#store(record, after);
    return after !== before;
  }

  remove(record: RouteRecord): boolean {
    if (!isRelevant(record)) return false;
    const before = this.#alternatives(record);
    const candidates = before.filter((route) => route.metric === record.metric);
    // A lone candidate goes even when its hops differ: hops over links that went down have been dropped here already.
    const gone = candidates.find((route) => isSameRoute(route, record)) ?? (candidates.length === 1 ? candidates[0] : undefined);
    if (gone !== undefined)
      this.#store(
        record,
        before.filter((route) => route !== gone),
      );
    return gone !== undefined;
  }

  /** The interface no longer carries IPv4: hops over it go, and routes without another. The kernel does so in silence. */
  dropVia(ifindex: number): boolean {
    return this.#rewrite((route) => {
      if (!route.hops.some((hop) => hop.ifindex === ifindex)) return route;
      const hops = route.hops.filter((hop) => hop.ifindex !== ifindex);
      return hops.length === 0 ? undefined : { ...route, hops };
    });
  }

  /** The box no longer owns the address: routes that prefer it as source go. The kernel does so in silence. */
  dropPreferring(source: Ipv4): boolean {
    return this.#rewrite((route) => (route.preferredSource === source ? undefined : route));
  }

  equals(other: RouteTable): boolean {
    if (this.size !== other.size) return false;
    for (const networks of this.#byLength.values()) {
      for (const alternatives of networks.values()) {
        const [sample] = alternatives;
        if (sample && !isSameList(alternatives, other.#alternatives(sample))) return false;
      }
    }
    return true;
  }

  #alternatives({ length, network }: RouteRecord): Alternatives {
    return this.#byLength.get(length)?.get(network) ?? [];
  }

  #store({ length, network }: RouteRecord, alternatives: Alternatives): void {
    const networks = this.#byLength.get(length) ?? new Map<Ipv4, Alternatives>();
    if (alternatives.length > 0) networks.set(network, alternatives);
    else networks.delete(network);
    if (networks.size > 0) this.#byLength.set(length, networks);
    else this.#byLength.delete(length);
    if (this.#lengths.length !== this.#byLength.size) this.#lengths = [...this.#byLength.keys()].sort((a, b) => b - a);
  }

  #rewrite(change: (route: RouteRecord) => RouteRecord | undefined): boolean {
    let changed = false;
    for (const networks of [...this.#byLength.values()]) {
      for (const before of [...networks.values()]) {
        const after = before.map(change).filter((route) => route !== undefined);
        const [sample] = before;
        if (sample === undefined || isSameList(before, after)) continue;
        this.#store(sample, after);
        changed = true;
      }
    }
    return changed;
  }
}

function isRelevant(record: RouteRecord): boolean {
  const kept = record.type === RTN_UNICAST || REJECTING_TYPES.has(record.type);
  return kept && record.table === RT_TABLE_MAIN && record.typeOfService === 0 && !record.cloned;
}

/** Mirrors fib_table_insert(): of equal metric, REPLACE takes the place of the first, APPEND goes last, anything else first. */
function insert(list: Alternatives, record: RouteRecord, flags: number): Alternatives {
  const start = list.findIndex((route) => route.metric >= record.metric);
  const first = start < 0 ? list.length : start;
  const following = list.findIndex((route) => route.metric > record.metric);
  const end = following < 0 ? list.length : following;
  const equalMetric = list.slice(first, end);
  if (equalMetric.some((route) => isSameRoute(route, record))) return list;
  if ((flags & NLM_F_REPLACE) !== 0) return [...list.slice(0, first), record, ...list.slice(first + (end > first ? 1 : 0))];
  const position = (flags & NLM_F_APPEND) !== 0 ? end : first;
  return [...list.slice(0, position), record, ...list.slice(position)];
}

function isSameRoute(a: RouteRecord, b: RouteRecord): boolean {
  return (
    a.metric === b.metric &&
    a.type === b.type &&
    a.preferredSource === b.preferredSource &&
    a.hops.length === b.hops.length &&
    a.hops.every((hop, index) => hop.ifindex === b.hops[index]?.ifindex && hop.gateway === b.hops[index]?.gateway)
  );
}

function isSameList(a: Alternatives, b: Alternatives): boolean {
  return a.length === b.length && a.every((route, index) => isSame(route, b[index]));
}

function isSame(a: RouteRecord, b: RouteRecord | undefined): boolean {
  return a === b || (b !== undefined && isSameRoute(a, b));
}
