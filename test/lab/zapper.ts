/**
 * Measures how long a router takes to begin and to end a stream (RFC 3918 6.1, 6.2): source and listeners are one process under one
 * clock, and speak IGMP by themselves, because a kernel host keeps a report back for some milliseconds.
 */
import type { Host } from './host';
import { TRAFFIC_PORT } from './sender';
import type { TrafficProcess } from './traffic-process';

export interface ZapperOptions {
  readonly source: Host;
  /** Whose delays are measured. */
  readonly host: Host;
  /** Behind another port; may have the stream before. */
  readonly other: Host;
  readonly version: 2 | 3;
}

/** What is there when the listener joins: the stream alone, the stream and another port that has it, or no stream yet. */
export type JoinMethod = 'unknown' | 'known' | 'silent';

export interface JoinTrials {
  readonly method: JoinMethod;
  /** Each trial takes the next group. */
  readonly firstGroup: string;
  readonly count: number;
  /** Frames a second. */
  readonly rate: number;
  /** How long the stream runs, or the membership stands, before what is measured. */
  readonly warmMs: number;
  readonly timeoutMs: number;
}

export interface LeaveTrials {
  readonly firstGroup: string;
  /** Groups left at once, at most 1024. */
  readonly count: number;
  /** Frames a second, all groups together: count / rate is how exactly an end is seen. */
  readonly rate: number;
  readonly timeoutMs: number;
}

export interface Delays {
  /** From the report to the first frame, or from the leave to the last one. */
  readonly delaysNs: readonly number[];
  /** Trials without: no frame came in time, frames came before the join, or went on after the time. */
  readonly missing: number;
  /** Frames sent before the first that arrived; with `silent`, these are lost. */
  readonly passed: number;
}

export class Zapper {
  readonly #traffic: TrafficProcess;

  constructor(traffic: TrafficProcess) {
    this.#traffic = traffic;
  }

  join({ method, firstGroup, count, rate, warmMs, timeoutMs }: JoinTrials): Promise<Delays> {
    return this.#traffic.command(['join', method, firstGroup, count, rate, warmMs, timeoutMs].join(' '));
  }

  leave({ firstGroup, count, rate, timeoutMs }: LeaveTrials): Promise<Delays> {
    return this.#traffic.command(['leave', firstGroup, count, rate, timeoutMs].join(' '));
  }
}

export function zapperArguments({ source, host, other, version }: ZapperOptions): readonly string[] {
  const place = ({ namespace, interfaceName, address }: Host): string => `${namespace.path}:${interfaceName}:${address}`;
  return [
    'zap',
    '--source',
    place(source),
    '--host',
    place(host),
    '--other',
    place(other),
    '--version',
    `${version}`,
    '--port',
    `${TRAFFIC_PORT}`,
  ];
}
