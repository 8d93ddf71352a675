/**
 * What the API may ask of a running router besides its state: counters from a new base, a trace, the level of the log.
 */
import type { KernelFeature, SystemControl } from '../api/system-control';
import type { TraceQuestion, TraceResult } from '../api/trace-source';
import type { EventSink } from '../events';
import type { Clock } from '../kernel/clock';
import { kernelFeatures } from '../kernel/features';
import type { LogLevel, LogLevelName, LogLevelState } from '../log-level';
import type { CounterBase } from './counter-base';
import type { Router } from './router';
import { trace } from './trace';
import { traceFacts } from './trace-facts';

export interface RouterControlOptions {
  readonly router: Router;
  /** That of the state the API shows. */
  readonly base: CounterBase;
  readonly logLevel: LogLevel;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly kernelRelease: string;
}

export class RouterControl implements SystemControl {
  readonly #options: RouterControlOptions;

  constructor(options: RouterControlOptions) {
    this.#options = options;
  }

  kernel(): { readonly release: string; readonly features: readonly KernelFeature[] } {
    const { kernelRelease } = this.#options;
    return { release: kernelRelease, features: kernelFeatures(kernelRelease) };
  }

  async resetCounters({ flows, interfaces }: { readonly flows: boolean; readonly interfaces: boolean }): Promise<number> {
    const { router, base, clock, events } = this.#options;
    await router.counters.refresh();
    const { snapshot, readAtWallMs } = router.counters;
    if (flows) base.resetFlows(snapshot, { ms: clock.nowMs(), wallMs: readAtWallMs });
    if (interfaces) base.resetInterfaces(snapshot, router.ports, readAtWallMs);
    const what = flows && interfaces ? 'flows and interfaces' : flows ? 'flows' : 'interfaces';
    events.report({ type: 'counters-reset', text: `counters of ${what} are shown from now on as counted since` });
    return readAtWallMs;
  }

  setLogLevel(level: LogLevelName | undefined, durationMs: number): LogLevelState {
    const { logLevel } = this.#options;
    return level === undefined ? logLevel.revert() : logLevel.set(level, durationMs);
  }

  trace(question: TraceQuestion): TraceResult {
    const { router, clock } = this.#options;
    return trace(question, traceFacts(router, question, clock.nowMs()));
  }
}
