/**
 * The bytes of an UpdateStaticEntriesRequest, cut into its entries without reading them: tens of thousands are read piece by piece, and
 * kept on disk as they came.
 */
import { Reader } from 'protobufjs/minimal';
import { xmcast } from '#proto';

/** Tags: their numbers in static.proto, and the wire type of what has a length. */
const UPSERTS = (2 << 3) | 2;
const DELETES = (3 << 3) | 2;

/** Where the messages of one repeated field lie. */
export class Pieces<Message> {
  readonly #reader: Reader;
  readonly #decode: (reader: Reader, length: number) => Message;
  readonly #places: number[] = [];

  constructor(bytes: Uint8Array, decode: (reader: Reader, length: number) => Message) {
    this.#reader = Reader.create(bytes);
    this.#reader.discardUnknown = false;
    this.#decode = decode;
  }

  get count(): number {
    return this.#places.length / 2;
  }

  add(start: number, length: number): void {
    this.#places.push(start, length);
  }

  /** With the fields that this version does not know. Throws on bytes that are no such message. */
  read(index: number): Message {
    const [start, length] = [this.#places[2 * index] ?? 0, this.#places[2 * index + 1] ?? 0];
    this.#reader.pos = start;
    // Damaged lengths within it must not lead into the next one.
    this.#reader.len = start + length;
    return this.#decode(this.#reader, length);
  }
}

export interface UpdatePieces {
  /** The request without its entries. */
  readonly head: Uint8Array;
  readonly upserts: Pieces<xmcast.v1.StaticEntry.$Properties>;
  readonly deletes: Pieces<xmcast.v1.StaticEntryKey.$Properties>;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/** Throws on bytes that are no message at all. */
export function cutUpdate(bytes: Uint8Array): UpdatePieces {
  const upserts = new Pieces(bytes, (reader, length) => xmcast.v1.StaticEntry.decode(reader, length));
  const deletes = new Pieces(bytes, (reader, length) => xmcast.v1.StaticEntryKey.decode(reader, length));
  const reader = Reader.create(bytes);
  const rest: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const pieces = tag === UPSERTS ? upserts : tag === DELETES ? deletes : undefined;
    if (pieces === undefined) {
      reader.skipType(tag & 7);
      rest.push(bytes.subarray(start, reader.pos));
      continue;
    }
    const length = reader.uint32();
    pieces.add(reader.pos, length);
    reader.skip(length);
  }
  return { head: Buffer.concat(rest), upserts, deletes, bytes };
}
