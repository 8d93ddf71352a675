/**
 * Structs as the BTF of the object declares them: members found, written and read by name. Knows bytes, not which structs there are.
 */
import { endianness } from 'node:os';
import type { BtfLayout, BtfMember, BtfStruct } from '#bindings';
import { XmcastError } from '../errors';

export const LITTLE_ENDIAN = endianness() === 'LE';
export const WORD_BYTES = 8;

/** The object is not the one this controller was written for. */
export function mismatch(what: string): XmcastError {
  return new XmcastError('XM_BPF_LOAD', `read the layout of the eBPF object: ${what}`, {
    hint: 'The object and the controller are of different versions: build both from the same tree with deploy/bootstrap.sh.',
  });
}

/** Of 32 bits that were read as a number of the host. */
export function fromNetworkOrder(word: number): number {
  if (!LITTLE_ENDIAN) return word;
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** One struct of the ABI: writes and reads members by name. */
export class Layout {
  readonly size: number;
  readonly #members: ReadonlyMap<string, BtfMember>;
  readonly #name: string;

  constructor(btf: BtfLayout, name: string) {
    const struct: BtfStruct | undefined = btf.structs[name];
    if (struct === undefined) throw mismatch(`struct ${name} is missing`);
    this.size = struct.size;
    this.#name = name;
    this.#members = new Map(struct.members.map((member) => [member.name, member]));
  }

  member(name: string): BtfMember {
    const member = this.#members.get(name);
    if (member === undefined) throw mismatch(`struct ${this.#name} has no member ${name}`);
    return member;
  }

  /** Unsigned members of 1, 2 or 4 bytes, and 8 bytes from a bigint. */
  write(values: Readonly<Record<string, number | bigint>>): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.writeAt(new DataView(bytes.buffer), 0, values);
    return bytes;
  }

  /** As the `index`-th of many. Members not named stay as they are. */
  writeAt(view: DataView, index: number, values: Readonly<Record<string, number | bigint>>): void {
    for (const name in values) {
      const value = values[name];
      if (value !== undefined) writeMember(view, index * this.size, this.member(name), value);
    }
  }
}

/** `at`: where the struct begins. */
function writeMember(view: DataView, at: number, member: BtfMember, value: number | bigint): void {
  const offset = at + member.offset;
  if (typeof value === 'bigint') view.setBigUint64(offset, value, LITTLE_ENDIAN);
  else if (member.size === 1) view.setUint8(offset, value);
  else if (member.size === 2) view.setUint16(offset, value, LITTLE_ENDIAN);
  else view.setUint32(offset, value, LITTLE_ENDIAN);
}

/** Finds 64-bit members among the words of many structs that lie one behind the other. */
export class WordReader {
  /** Of one struct. */
  readonly words: number;
  readonly #layout: Layout;

  constructor(layout: Layout) {
    if (layout.size % WORD_BYTES !== 0) throw mismatch('counters are not made of 64-bit words');
    this.#layout = layout;
    this.words = layout.size / WORD_BYTES;
  }

  word(name: string): number {
    return this.#layout.member(name).offset / WORD_BYTES;
  }

  read(words: BigUint64Array, index: number, name: string): bigint {
    return words[index * this.words + this.word(name)] ?? 0n;
  }

  readAll(words: BigUint64Array, index: number, name: string): readonly bigint[] {
    const first = index * this.words + this.word(name);
    return Array.from({ length: this.#layout.member(name).elements }, (_, i) => words[first + i] ?? 0n);
  }
}

/** Names of an enum's members by value, without prefix, lower case; the closing _MAX is left out. */
export function namesOf(btf: BtfLayout, enumName: string, prefix: string): readonly string[] {
  const members = btf.enums[enumName];
  if (members === undefined) throw mismatch(`enum ${enumName} is missing`);
  return Object.entries(members)
    .filter(([name]) => name !== `${prefix}MAX`)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name.slice(prefix.length).toLowerCase());
}
