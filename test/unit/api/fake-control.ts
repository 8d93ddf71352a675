/** A SystemControl that remembers what it was asked and answers what a test puts there. */
import type { SystemControl } from '../../../control/api/system-control';
import type { TraceQuestion, TraceResult } from '../../../control/api/trace-source';
import type { LogLevelName, LogLevelState } from '../../../control/log-level';

export class FakeControl implements SystemControl {
  readonly asked: unknown[] = [];
  traceResult: TraceResult = {
    steps: [
      { stage: 'packet', verdict: 'pass', interface: '', text: 'a packet' },
      { stage: 'arrival', verdict: 'drop', interface: 'eth0', text: 'TTL 1 is used up' },
    ],
    forwarded: false,
    summary: 'Not forwarded: TTL 1 is used up.',
    ports: [{ interface: 'eth1', sent: false, reason: 'the packet does not get so far' }],
  };

  kernel() {
    return { release: '6.1.0', features: [{ name: 'tcx', isAvailable: false, detail: 'since Linux 6.6' }] };
  }

  resetCounters(what: object): Promise<number> {
    this.asked.push(what);
    return Promise.resolve(1_700_000_000_000);
  }

  setLogLevel(level: LogLevelName | undefined, durationMs: number): LogLevelState {
    this.asked.push([level, durationMs]);
    return { level: level ?? 'info', revertWallMs: level === undefined ? undefined : 1_700_000_000_000 };
  }

  trace(question: TraceQuestion): TraceResult {
    this.asked.push(question);
    return this.traceResult;
  }
}
