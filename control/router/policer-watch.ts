/**
 * Notices when the policers keep packets from the controller, and when they have stopped doing so: one event each, however many packets.
 */
import type { EventSink } from '../events';
import { PUNT_CLASSES, type CounterSnapshot, type PuntClass } from '../dataplane/api';
import type { Port } from './port';

/** Without a held-back packet for so long, it is over. */
const QUIET_MS = 10_000;

interface Spell {
  readonly port: Port;
  readonly class: PuntClass;
  held: bigint;
  lastMs: number;
}

export class PolicerWatch {
  readonly #events: EventSink;
  readonly #spells = new Map<string, Spell>();

  constructor(events: EventSink) {
    this.#events = events;
  }

  countersRead(ports: readonly Port[], { current, previous }: { readonly current: CounterSnapshot; readonly previous: CounterSnapshot }, nowMs: number): void {
    for (const port of ports) {
      const now = current.vport(port.vport);
      const before = previous.vport(port.vport);
      if (now === undefined || before === undefined) continue;
      PUNT_CLASSES.forEach((punt, i) => this.#look(port, punt, (now.puntsPoliced[i] ?? 0n) - (before.puntsPoliced[i] ?? 0n), nowMs));
    }
    for (const [name, spell] of this.#spells) if (nowMs - spell.lastMs >= QUIET_MS) this.#end(name, spell);
  }

  #look(port: Port, punt: PuntClass, held: bigint, nowMs: number): void {
    if (held <= 0n) return;
    const name = `${port.vport} ${punt}`;
    const spell = this.#spells.get(name);
    if (spell !== undefined) {
      spell.held += held;
      spell.lastMs = nowMs;
      return;
    }
    this.#spells.set(name, { port, class: punt, held, lastMs: nowMs });
    const text = `more packets of class ${punt} come in by ${port.name} than its policer lets through: ${held} were kept from the controller`;
    this.#events.report({ type: 'policer-began', severity: 'warn', subject: port.name, text, fields: { interface: port.name, class: punt } });
  }

  #end(name: string, { port, class: punt, held }: Spell): void {
    this.#spells.delete(name);
    const text = `no more packets of class ${punt} are kept back on ${port.name}; ${held} were, in all`;
    this.#events.report({ type: 'policer-ended', subject: port.name, text, fields: { interface: port.name, class: punt, held: String(held) } });
  }
}
