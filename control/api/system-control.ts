/**
 * What SystemService can ask of the daemon beside its state. Types only; daemon.ts provides it.
 */
import type { LogLevelName, LogLevelState } from '../log-level';
import type { TraceQuestion, TraceResult } from './trace-source';

export interface KernelFeature {
  readonly name: string;
  readonly isAvailable: boolean;
  readonly detail: string;
}

export interface SystemControl {
  kernel(): { readonly release: string; readonly features: readonly KernelFeature[] };
  /** Resolves with the wall-clock ms of the last read from before. */
  resetCounters(what: { readonly flows: boolean; readonly interfaces: boolean }): Promise<number>;
  /** undefined: back to that of the configuration. */
  setLogLevel(level: LogLevelName | undefined, durationMs: number): LogLevelState;
  trace(question: TraceQuestion): TraceResult;
}
