/**
 * From where counters are shown: what they were when somebody reset them is taken off. For the eyes of the API only; the counters
 * themselves go on, and so do those that Prometheus scrapes.
 */
import { NO_COUNTERS, type CounterSnapshot, type RouteCounters, type VportCounters } from '../dataplane/api';
import type { Port } from './port';

type Counts = ReadonlyMap<string, bigint>;

interface PortCounts {
  readonly received: Counts;
  readonly sent: Counts;
  readonly dropped: Counts;
}

export class CounterBase {
  #flows: CounterSnapshot = NO_COUNTERS;
  #interfaces: CounterSnapshot = NO_COUNTERS;
  #flowsResetMs = 0;
  /** A port that was made anew counts from zero. */
  #ports = new WeakMap<Port, PortCounts>();
  #resetWallMs: number | undefined;

  get resetWallMs(): number | undefined {
    return this.#resetWallMs;
  }

  /** `snapshot`: read just now. */
  resetFlows(snapshot: CounterSnapshot, now: { readonly ms: number; readonly wallMs: number }): void {
    this.#flows = snapshot;
    this.#flowsResetMs = now.ms;
    this.#resetWallMs = now.wallMs;
  }

  resetInterfaces(snapshot: CounterSnapshot, ports: readonly Port[], wallMs: number): void {
    this.#interfaces = snapshot;
    this.#ports = new WeakMap(ports.map((port) => [port, countsOf(port)]));
    this.#resetWallMs = wallMs;
  }

  /** `installedAtMs`: a route that came after the reset began at zero. */
  route(name: string, found: RouteCounters, installedAtMs: number | undefined): RouteCounters {
    if (installedAtMs === undefined || installedAtMs > this.#flowsResetMs) return found;
    const base = this.#flows.route(name);
    return base === undefined ? found : (difference(found, base) as RouteCounters);
  }

  vport(port: Port, found: VportCounters | undefined): VportCounters | undefined {
    const base = this.#ports.has(port) ? this.#interfaces.vport(port.vport) : undefined;
    if (found === undefined || base === undefined) return found;
    return difference(found, base) as VportCounters;
  }

  counts(port: Port): PortCounts {
    const base = this.#ports.get(port);
    const found = countsOf(port);
    if (base === undefined) return found;
    return {
      received: countsSince(found.received, base.received),
      sent: countsSince(found.sent, base.sent),
      dropped: countsSince(found.dropped, base.dropped),
    };
  }
}

function countsOf(port: Port): PortCounts {
  return { received: port.received.snapshot(), sent: port.sent.snapshot(), dropped: port.dropped.snapshot() };
}

function countsSince(found: Counts, base: Counts): Counts {
  const since = new Map<string, bigint>();
  for (const [label, value] of found) if (value > (base.get(label) ?? 0n)) since.set(label, value - (base.get(label) ?? 0n));
  return since;
}

type Figures = RouteCounters | VportCounters;

/** Field by field; lists by position. A counter below its base has begun again. */
function difference(found: Figures, base: Figures): object {
  const values = Object.entries(base) as [string, bigint | readonly bigint[]][];
  const before = new Map(values);
  return Object.fromEntries(
    (Object.entries(found) as [string, bigint | readonly bigint[]][]).map(([field, value]) => {
      const old = before.get(field);
      if (typeof value === 'bigint') return [field, minus(value, typeof old === 'bigint' ? old : 0n)];
      return [field, value.map((one, i) => minus(one, Array.isArray(old) ? ((old as readonly bigint[])[i] ?? 0n) : 0n))];
    }),
  );
}

function minus(value: bigint, base: bigint): bigint {
  return value < base ? value : value - base;
}
