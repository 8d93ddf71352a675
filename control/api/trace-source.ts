/**
 * What a trace is asked and what it finds. Types only; answered by the router.
 */
import type { Ipv4 } from '../protocol/packet/address';

export interface TraceQuestion {
  readonly group: Ipv4;
  /** 0: a source that nobody knows anything of. */
  readonly source: Ipv4;
  /** undefined: the one by which it should come. */
  readonly interface: string | undefined;
  readonly ttl: number;
  /** Bytes of IP. */
  readonly bytes: number;
  /** undefined: no host in particular. */
  readonly host: Ipv4 | undefined;
}

export const TRACE_STAGES = ['packet', 'reverse-path', 'arrival', 'route', 'membership', 'departure'] as const;
export type TraceStage = (typeof TRACE_STAGES)[number];
export type TraceVerdict = 'pass' | 'drop' | 'note';

export interface TraceStep {
  readonly stage: TraceStage;
  readonly verdict: TraceVerdict;
  /** Name of an interface, or "". */
  readonly interface: string;
  readonly text: string;
}

export interface TracePort {
  readonly interface: string;
  readonly sent: boolean;
  readonly reason: string;
}

export interface TraceResult {
  readonly steps: readonly TraceStep[];
  readonly forwarded: boolean;
  readonly summary: string;
  readonly ports: readonly TracePort[];
}
