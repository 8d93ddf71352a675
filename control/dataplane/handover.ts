/**
 * What (*,G) forwarded of a source before its (S,G) route was there belongs to the (S,G): the programs count it apart by source, and
 * here it is moved over. So a flow shows its first packets, and (*,G) only what could not be told apart.
 */
import type { BpfMap } from '#bindings';
import type { Ipv4 } from '../protocol/packet/address';
import type { Abi } from './abi';
import type { CopyCounters, RouteCounters } from './api';
import type { RouteEntry } from './routes';

/** By then every packet that met the old route has left. */
const SETTLED_AFTER_MS = 1000;
const NOTHING: CopyCounters = { packets: 0n, bytes: 0n, expected: 0n, copies: 0n, copyBytes: 0n, failed: 0n, dropped: 0n };

export class Handover {
  readonly #abi: Abi;
  readonly #recent: BpfMap;
  readonly #before = new Map<string, { flow: CopyCounters; settled: boolean }>();
  /** By group: what its (*,G) route, as long as it has been there, counted for others. */
  readonly #moved = new Map<Ipv4, CopyCounters>();

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

  #wentBefore(name: string, entry: RouteEntry, nowMs: number): CopyCounters {
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

function combine(a: CopyCounters, b: CopyCounters, sign: bigint): CopyCounters {
  return map(a, (value, field) => value + sign * b[field]);
}

function addTo(counters: Map<string, RouteCounters>, name: string, flow: CopyCounters): void {
  const now = counters.get(name);
  if (now !== undefined && flow.packets > 0n) counters.set(name, { ...now, ...combine(now, flow, 1n) });
}

/** The (*,G) figures were read a moment before the per-source ones: never below zero. */
function takeFrom(counters: Map<string, RouteCounters>, name: string, flow: CopyCounters): void {
  const now = counters.get(name);
  if (now === undefined || flow.packets === 0n) return;
  counters.set(name, { ...now, ...map(combine(now, flow, -1n), (value) => (value < 0n ? 0n : value)) });
}

function map(counters: CopyCounters, change: (value: bigint, field: keyof CopyCounters) => bigint): CopyCounters {
  return {
    packets: change(counters.packets, 'packets'),
    bytes: change(counters.bytes, 'bytes'),
    expected: change(counters.expected, 'expected'),
    copies: change(counters.copies, 'copies'),
    copyBytes: change(counters.copyBytes, 'copyBytes'),
    failed: change(counters.failed, 'failed'),
    dropped: change(counters.dropped, 'dropped'),
  };
}
