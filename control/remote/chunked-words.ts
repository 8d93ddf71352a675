/**
 * Counters of many places, some 64-bit words each, in chunks. A snapshot shares the chunks that nobody has written to since, so taking one
 * costs nothing and writing to few places costs few copies. Words are pairs of numbers: copying and comparing them makes no bigints.
 */
const PLACES_IN_A_CHUNK = 1024;
const HALVES_OF_A_WORD = 2;

/** As they were; never written to. */
export type SharedWords = readonly Uint32Array[];

export class ChunkedWords {
  /** Halves of words of one place. */
  readonly #perPlace: number;
  #chunks: Uint32Array[] = [];
  /** Chunks that no snapshot has. */
  readonly #own = new Set<Uint32Array>();

  constructor(wordsPerPlace: number) {
    this.#perPlace = HALVES_OF_A_WORD * wordsPerPlace;
  }

  snapshot(): SharedWords {
    this.#own.clear();
    return [...this.#chunks];
  }

  /** The i-th values of some columns become the words of the place. */
  set(place: number, columns: readonly Uint32Array[], i: number): void {
    const chunk = this.#writable(place);
    let at = this.#offset(place);
    for (const column of columns) {
      chunk[at++] = column[HALVES_OF_A_WORD * i] ?? 0;
      chunk[at++] = column[HALVES_OF_A_WORD * i + 1] ?? 0;
    }
  }

  clear(place: number): void {
    const at = this.#offset(place);
    this.#writable(place).fill(0, at, at + this.#perPlace);
  }

  word(shared: SharedWords, place: number, word: number): bigint {
    const [low, high] = this.#halvesOf(shared, place, word);
    return (BigInt(high) << 32n) | BigInt(low);
  }

  isSame(a: SharedWords, b: SharedWords, place: number, word: number): boolean {
    const [low, high] = this.#halvesOf(a, place, word);
    const [otherLow, otherHigh] = this.#halvesOf(b, place, word);
    return low === otherLow && high === otherHigh;
  }

  /** Zero where there is none. */
  #halvesOf(shared: SharedWords, place: number, word: number): readonly [low: number, high: number] {
    const chunk = shared[Math.floor(place / PLACES_IN_A_CHUNK)];
    const at = this.#offset(place) + HALVES_OF_A_WORD * word;
    return [chunk?.[at] ?? 0, chunk?.[at + 1] ?? 0];
  }

  #offset(place: number): number {
    return (place % PLACES_IN_A_CHUNK) * this.#perPlace;
  }

  #writable(place: number): Uint32Array {
    const index = Math.floor(place / PLACES_IN_A_CHUNK);
    const chunk = this.#chunks[index];
    if (chunk !== undefined && this.#own.has(chunk)) return chunk;
    const fresh = chunk?.slice() ?? new Uint32Array(PLACES_IN_A_CHUNK * this.#perPlace);
    this.#chunks[index] = fresh;
    this.#own.add(fresh);
    return fresh;
  }
}

/** The words of a column as their halves. */
export function halvesOf({ buffer, byteOffset, length }: BigUint64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, HALVES_OF_A_WORD * length);
}
