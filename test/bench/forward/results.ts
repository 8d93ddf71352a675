/** What a run of the bench found, as it is written to results.json, and the targets it is held against. Pure data and arithmetic. */
import type { FillAnswer, MemoryAnswer } from './protocol';
import type { CONTENDERS } from './protocol';

/** Over rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface ContenderFigures {
  /** Counted by the receivers; a second of CPU time. */
  readonly copiesPerSecond: Spread;
  /** By the clock on the wall: the same on a machine that does nothing else. */
  readonly copiesPerWallSecond: Spread;
  readonly nsPerPacket: number;
  readonly nsPerCopy: number;
  /** Copies that should have arrived and did not, all rounds. */
  readonly lost: number;
}

export interface Cell {
  readonly ports: number;
  readonly size: number;
  /** On the veth, without frame check sequence. */
  readonly frameBytes: number;
  readonly rounds: number;
  readonly contenders: Readonly<Record<(typeof CONTENDERS)[number], ContenderFigures>>;
  /** Of paired rounds: xmcast's copies a second over the other's. */
  readonly overKernel: Spread;
  readonly tcOverKernel: Spread;
  readonly overBare: Spread;
  /** What is left of the bare broadcast by an egress program that does nothing: no forwarder that rewrites each copy can have more. */
  readonly egressOverBare: Spread;
}

/** The cost of a full route table. */
export interface TableCell {
  readonly routes: number;
  readonly ports: number;
  readonly frameBytes: number;
  readonly oneRouteNsPerPacket: number;
  readonly allRoutesNsPerPacket: number;
  /** Of paired rounds: time per packet over all routes, over that of one. */
  readonly ratio: Spread;
  readonly fill: FillAnswer;
}

export interface Results {
  readonly environment: Readonly<Record<string, string | number>>;
  /** Making a frame and dropping it at once: in every figure. By frame size. */
  readonly generatorNsPerPacket: Readonly<Record<number, number>>;
  readonly cells: readonly Cell[];
  readonly table: TableCell | null;
  readonly memory: MemoryAnswer;
  /** What contradicts: one sentence each. Empty when the figures can be trusted. */
  readonly contradictions: readonly string[];
  readonly targets: readonly TargetResult[];
}

export interface TargetResult {
  readonly target: string;
  readonly value: number;
  readonly met: boolean;
}

export const OVER_KERNEL = 5;
/** Cloning is the kernel's: this is what its helper leaves of the advantage. */
export const TC_OVER_KERNEL = 1.8;
/** The advantage over the kernel comes from replication: it is promised from here on. */
export const OVER_KERNEL_FROM_PORTS = 4;
export const OVER_BARE = 0.85;
export const TABLE_RATIO = 1.3;

export function heldAgainstTargets(cells: readonly Cell[], table: TableCell | null): readonly TargetResult[] {
  const targets: TargetResult[] = [];
  for (const { ports, size, overKernel, tcOverKernel, overBare } of cells) {
    const where = `${portsText(ports)}, ${size} B`;
    if (ports >= OVER_KERNEL_FROM_PORTS) {
      targets.push({
        target: `${where}: at least ${OVER_KERNEL} x the kernel forwarder`,
        value: overKernel.median,
        met: overKernel.median >= OVER_KERNEL,
      });
    }
    if (ports >= OVER_KERNEL_FROM_PORTS) {
      const target = `${where}: at least ${TC_OVER_KERNEL} x the kernel forwarder in tc mode`;
      targets.push({ target, value: tcOverKernel.median, met: tcOverKernel.median >= TC_OVER_KERNEL });
    }
    targets.push({
      target: `${where}: at least ${OVER_BARE} of the bare broadcast`,
      value: overBare.median,
      met: overBare.median >= OVER_BARE,
    });
  }
  if (table !== null) {
    const target = `a packet with ${table.routes} routes costs at most ${TABLE_RATIO} x one with one route`;
    targets.push({ target, value: table.ratio.median, met: table.ratio.median <= TABLE_RATIO });
  }
  return targets;
}

export function portsText(ports: number): string {
  return `${ports} port${ports === 1 ? '' : 's'}`;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (low === undefined || high === undefined || min === undefined || max === undefined) throw new RangeError('no rounds');
  return { median: (low + high) / 2, min, max };
}

/** a[i] / b[i]. */
export function pairedRatios(a: readonly number[], b: readonly number[]): readonly number[] {
  return a.map((value, i) => value / (b[i] ?? Number.NaN));
}
