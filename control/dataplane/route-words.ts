/**
 * Key and value of each route as the kernel should have them, by counter: a table of a hundred thousand is compared without a look at a
 * single route. By halves, because reading a 64-bit word makes an object of it.
 */

/** Of a key, and of a value. */
const HALVES = 2;
const STRIDE = 2 * HALVES;

export class RouteWords {
  readonly #halves: Uint32Array;

  constructor(counters: number) {
    this.#halves = new Uint32Array(STRIDE * counters);
  }

  /** The `index`-th of many. */
  set(counter: number, keys: Uint32Array, values: Uint32Array, index: number): void {
    const at = STRIDE * counter;
    for (let half = 0; half < HALVES; half++) {
      this.#halves[at + half] = keys[HALVES * index + half] ?? 0;
      this.#halves[at + HALVES + half] = values[HALVES * index + half] ?? 0;
    }
  }

  forget(counter: number): void {
    this.#halves.fill(0, STRIDE * counter, STRIDE * (counter + 1));
  }

  /** Of no route the key is zero: no group is 0.0.0.0. */
  isKnown(counter: number): boolean {
    return (this.keyHalf(counter, 0) | this.keyHalf(counter, 1)) !== 0;
  }

  /** Whether the `index`-th of many is what should be there. */
  holds(counter: number, keys: Uint32Array, values: Uint32Array, index: number): boolean {
    const at = STRIDE * counter;
    const from = HALVES * index;
    return (
      this.#halves[at] === keys[from] && this.#halves[at + 1] === keys[from + 1] && this.#halves[at + 2] === values[from] && this.#halves[at + 3] === values[from + 1]
    );
  }

  keyHalf(counter: number, half: 0 | 1): number {
    return this.#halves[STRIDE * counter + half] ?? 0;
  }

  valueHalf(counter: number, half: 0 | 1): number {
    return this.#halves[STRIDE * counter + HALVES + half] ?? 0;
  }
}

export function halvesOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Uint32Array.BYTES_PER_ELEMENT);
}
