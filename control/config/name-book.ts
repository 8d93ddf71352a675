/**
 * The names of interfaces[], for texts that must be one of them. Suggests the nearest for those that are not, at bounded cost.
 */
import { printable } from './printable';
import { nearestWord } from './suggest';

/** A suggestion costs a comparison with every name. */
const MAX_SUGGESTIONS = 100;

export class NameBook {
  readonly #indexes: ReadonlyMap<string, number>;
  readonly #suggestions = new Map<string, string | undefined>();

  constructor(names: readonly string[]) {
    this.#indexes = new Map(names.map((name, index) => [name, index]));
  }

  indexOf(name: string): number | undefined {
    return this.#indexes.get(name);
  }

  unknownFault(name: string): string | undefined {
    if (this.#indexes.has(name)) return undefined;
    const nearest = this.#nearest(name);
    return `${printable(name)} is no name in interfaces[]${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
  }

  #nearest(name: string): string | undefined {
    if (!this.#suggestions.has(name) && this.#suggestions.size < MAX_SUGGESTIONS) {
      this.#suggestions.set(name, nearestWord(name, this.#indexes.keys()));
    }
    return this.#suggestions.get(name);
  }
}
