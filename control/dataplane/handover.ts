/**
 * What (*,G) forwarded of a source before its (S,G) route was there belongs to the (S,G): the programs count it apart by source, and
 * here it is moved over. So a flow shows its first packets, and (*,G) only what could not be told apart.
 */
import type { BpfMap } from '#bindings';
import type { Ipv4 } from '../protocol/packet/address';
import type { Abi, RecentFlow } from './abi';
import type { RouteCounters } from './api';
import type { RouteEntry } from './routes';

/** By then every packet that met the old route has left. */
const SETTLED_AFTER_MS = 1000;
const NOTHING: RecentFlow = { packets: 0n, bytes: 0n, copies: 0n, copyBytes: 0n };

export class Handover {
  readonly #abi: Abi;
  readonly #recent: BpfMap;
  readonly #before = new Map<string, { flow: RecentFlow; settled: boolean }>();
  /** By group: what its (*,G) route, as long as it has been there, counted for others. */
  readonly #moved = new Map<Ipv4, RecentFlow>();

  constructor(abi: Abi, recent: BpfMap) {
    this.#abi = abi;
    this.#recent = recent;
  }

  /** Adds to each (S,G) what went before it, and takes the same from its (*,G). */
  settle(counters: Map<string, RouteCounters>, entries: Iterable<[string, RouteEntry]>, nowMs: number): void {
    const stars: [string, Ipv4][] = [];
    for (const [name, entry] of entries) {
      if (entry.route.source === 0) stars.push([name, entry.route.group]);
      else addTo(counters, name, this.#wentBefore(name, entry, nowMs));
    }
    for (const [name, group] of stars) takeFrom(counters, name, this.#moved.get(group) ?? NOTHING);
  }

  removed(name: string, entry: RouteEntry): void {
    if (entry.route.source === 0) this.#moved.delete(entry.route.group);
    else this.#before.delete(name);
  }

  #wentBefore(name: string, entry: RouteEntry, nowMs: number): RecentFlow {
    const known = this.#before.get(name);
    if (known?.settled === true) return known.flow;
    const { source, group, incoming } = entry.route;
    if (incoming === undefined) return NOTHING;
    const key = this.#abi.newSourceKey(source, group, incoming);
    const value = this.#recent.lookup(key);
    const flow = value === undefined ? (known?.flow ?? NOTHING) : this.#abi.readRecent(value);
    const settled = nowMs - entry.installedAtMs >= SETTLED_AFTER_MS;
    if (settled) this.#recent.delete(key);
    this.#moved.set(group, combine(this.#moved.get(group) ?? NOTHING, combine(flow, known?.flow ?? NOTHING, -1n), 1n));
    this.#before.set(name, { flow, settled });
    return flow;
  }
}

function combine(a: RecentFlow, b: RecentFlow, sign: bigint): RecentFlow {
  return {
    packets: a.packets + sign * b.packets,
    bytes: a.bytes + sign * b.bytes,
    copies: a.copies + sign * b.copies,
    copyBytes: a.copyBytes + sign * b.copyBytes,
  };
}

function addTo(counters: Map<string, RouteCounters>, name: string, flow: RecentFlow): void {
  const now = counters.get(name);
  if (now !== undefined && flow.packets > 0n) counters.set(name, { ...now, ...combine(now, flow, 1n) });
}

/** The (*,G) figures were read a moment before the per-source ones: never below zero. */
function takeFrom(counters: Map<string, RouteCounters>, name: string, flow: RecentFlow): void {
  const now = counters.get(name);
  if (now === undefined || flow.packets === 0n) return;
  const rest = combine(now, flow, -1n);
  const floor = (value: bigint): bigint => (value < 0n ? 0n : value);
  counters.set(name, {
    ...now,
    packets: floor(rest.packets),
    bytes: floor(rest.bytes),
    copies: floor(rest.copies),
    copyBytes: floor(rest.copyBytes),
  });
}
