/**
 * The configured interfaces in their order, and the numbers the forwarder knows them by. An interface that stays in the configuration
 * keeps its port, its number and its hosts.
 */
import type { InterfaceSettings } from '../config/settings';
import type { VportId } from '../mrib/route';
import type { Port } from './port';

/** Numbers that the forwarder has for interfaces already. */
export interface KnownNumbers {
  readonly numbers: ReadonlyMap<string, VportId>;
  readonly keyOf: (settings: InterfaceSettings) => string;
}

export class PortSet {
  readonly #make: (vport: VportId, settings: InterfaceSettings) => Port;
  readonly #known: KnownNumbers;
  #all: readonly Port[] = [];
  #byVport: ReadonlyMap<VportId, Port> = new Map();

  constructor(make: (vport: VportId, settings: InterfaceSettings) => Port, known: KnownNumbers = { numbers: new Map(), keyOf: ({ name }) => name }) {
    this.#make = make;
    this.#known = known;
  }

  /** In the order of the configuration. */
  get all(): readonly Port[] {
    return this.#all;
  }

  byVport(vport: VportId): Port | undefined {
    return this.#byVport.get(vport);
  }

  /** Resolves when ports that are gone have left the forwarder, and those that stay follow their new settings. */
  async configure(interfaces: readonly InterfaceSettings[]): Promise<void> {
    const before = new Map(this.#all.map((port) => [port.name, port]));
    const taken = new Set(this.#byVport.keys());
    const free = freeNumbers(new Set([...taken, ...this.#known.numbers.values()]));
    const numberFor = (entry: InterfaceSettings): VportId => {
      const known = this.#known.numbers.get(this.#known.keyOf(entry));
      return known === undefined || taken.has(known) ? free.next().value : known;
    };
    const staying = (entry: InterfaceSettings): Port | undefined => {
      const port = before.get(entry.name);
      return port?.mayBecome(entry) === true ? port : undefined;
    };
    this.#all = interfaces.map((entry) => staying(entry) ?? this.#make(numberFor(entry), entry));
    this.#byVport = new Map(this.#all.map((port) => [port.vport, port]));
    const gone = [...before.values()].filter((port) => this.#byVport.get(port.vport) !== port);
    await Promise.all(gone.map((port) => port.remove()));
    await Promise.all(interfaces.map((entry, i) => this.#all[i]?.configure(entry)));
  }
}

/** From 1 on. Those of interfaces that just go are not among them: their counters are theirs. */
function* freeNumbers(taken: ReadonlySet<VportId>): Generator<VportId, never> {
  for (let vport = 1; ; vport++) if (!taken.has(vport)) yield vport;
}
