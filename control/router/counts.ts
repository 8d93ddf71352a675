/** Event counts by label, for people to read. Counts only; never decides. */

export class Counts<Label extends string> {
  readonly #counts = new Map<Label, bigint>();

  add(label: Label): void {
    this.#counts.set(label, (this.#counts.get(label) ?? 0n) + 1n);
  }

  snapshot(): ReadonlyMap<Label, bigint> {
    return new Map(this.#counts);
  }
}
