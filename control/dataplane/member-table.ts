/**
 * Where the machine itself is a member, route by route: on these interfaces the tc program hands what comes in, and a copy of what leaves,
 * to the machine's own applications. Written before the route that sends packets there, cleared when nothing does any more.
 */
import type { BpfMap } from '#bindings';
import type { VportId } from '../mrib/route';
import type { Abi } from './abi';
import { readU32, u32Key } from './keys';

const PRESENT = u32Key(1);
const NOBODY: readonly VportId[] = [];

export class MemberTable {
  readonly #abi: Pick<Abi, 'memberKey'>;
  readonly #map: Pick<BpfMap, 'update' | 'delete' | 'lookupBatch'>;
  /** As the kernel should have them. */
  readonly #keys = new Set<number>();

  constructor(abi: Pick<Abi, 'memberKey'>, map: Pick<BpfMap, 'update' | 'delete' | 'lookupBatch'>) {
    this.#abi = abi;
    this.#map = map;
  }

  /** Throws what the kernel says when the table is full. */
  add(counter: number, vports: readonly VportId[] = NOBODY): void {
    for (const vport of vports) {
      const key = this.#abi.memberKey(counter, vport);
      if (this.#keys.has(key)) continue;
      this.#map.update(u32Key(key), PRESENT);
      this.#keys.add(key);
    }
  }

  /** All of `vports` but those in `except`. */
  remove(counter: number, vports: readonly VportId[] = NOBODY, except: readonly VportId[] = NOBODY): void {
    for (const vport of vports) {
      const key = this.#abi.memberKey(counter, vport);
      if (except.includes(vport) || !this.#keys.delete(key)) continue;
      this.#map.delete(u32Key(key));
    }
  }

  /** They are there already. */
  adopt(counter: number, vports: readonly VportId[] = NOBODY): void {
    for (const vport of vports) this.#keys.add(this.#abi.memberKey(counter, vport));
  }

  /** What is missing in the kernel is written, what is too much removed. Resolves with how many. */
  async repair(): Promise<number> {
    const expected = [...this.#keys];
    const { keys, count } = await this.#map.lookupBatch();
    const found = new Set(Array.from({ length: count }, (_, i) => readU32(keys, i)));
    let repaired = 0;
    // What came or went meanwhile is as it should be.
    for (const key of expected) {
      if (found.has(key) || !this.#keys.has(key)) continue;
      this.#map.update(u32Key(key), PRESENT);
      repaired++;
    }
    for (const key of found) if (!this.#keys.has(key) && this.#map.delete(u32Key(key))) repaired++;
    return repaired;
  }
}
