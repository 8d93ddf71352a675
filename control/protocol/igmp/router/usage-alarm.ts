/**
 * Says once when 80 % and 95 % of a limit are in use, and once when it is clearly less again. Owns the marks; never refuses anything.
 */
import type { Turn } from './turn';

const MARKS = [80, 95] as const;
/** Percent below a mark that end its alarm: a group that comes and goes at the mark must not be news each time. */
const HYSTERESIS = 5;

export class UsageAlarm {
  readonly #topic: string;
  readonly #name: string;
  /** Marks that were said to be reached. */
  #raised = 0;

  constructor(topic: string, name: string) {
    this.#topic = topic;
    this.#name = name;
  }

  update(used: number, limit: number, turn: Turn): void {
    const percent = limit > 0 && limit < Infinity ? (used * 100) / limit : 0;
    const reached = marksBelow(percent);
    // What the log limiter holds back now is said with a later change.
    if (reached > this.#raised) {
      const text = (): string => `${MARKS[reached - 1]} % of the ${this.#name} of ${limit} in use`;
      if (turn.logSparingly(`usage ${this.#topic} ${reached}`, 'warn', text)) this.#raised = reached;
      return;
    }
    const left = Math.min(this.#raised, marksBelow(percent + HYSTERESIS));
    if (left === this.#raised) return;
    const text = (): string => `less than ${MARKS[left]} % of the ${this.#name} of ${limit} in use again`;
    if (turn.logSparingly(`usage ${this.#topic} down`, 'info', text)) this.#raised = left;
  }
}

function marksBelow(percent: number): number {
  if (percent >= MARKS[1]) return 2;
  return percent >= MARKS[0] ? 1 : 0;
}
