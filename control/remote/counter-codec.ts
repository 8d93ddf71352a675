/**
 * ReadCountersResponse on the wire. A packed column of fixed64 is the little-endian words one after the other: they are copied whole,
 * which the generated code cannot do; everything else it does.
 */
import { endianness } from 'node:os';
import { Reader, Writer } from 'protobufjs/minimal';
import { xmcast } from '#proto';
import { ROUTE_COUNTER_FIELDS } from '../dataplane/api';

/** ROUTE_COUNTER_FIELDS have these numbers one after the other, see dataplane.proto. */
const FIRST_COLUMN_FIELD = 5;
const POSITIONS: ReadonlyMap<number, number> = new Map(ROUTE_COUNTER_FIELDS.map((_, position) => [FIRST_COLUMN_FIELD + position, position]));
const LENGTH_DELIMITED = 2;
const WIRE_TYPE_BITS = 3;
const WORD_BYTES = 8;
const SWAPS_WORDS = endianness() === 'BE';

export interface CounterPiece {
  /** Without columns. */
  readonly message: xmcast.v1.ReadCountersResponse.$Properties;
  /** In the order of ROUTE_COUNTER_FIELDS, a value for each key. */
  readonly columns: readonly BigUint64Array[];
}

export function encodeCounterPiece({ message, columns }: CounterPiece): Buffer {
  const head = xmcast.v1.ReadCountersResponse.encode(message).finish();
  const parts: Uint8Array[] = [head];
  for (const [position, column] of columns.entries()) {
    if (column.length === 0) continue;
    const tag = ((FIRST_COLUMN_FIELD + position) << WIRE_TYPE_BITS) | LENGTH_DELIMITED;
    parts.push(new Writer().uint32(tag).uint32(column.byteLength).finish(), bytesOf(column));
  }
  return Buffer.concat(parts);
}

/** Throws RangeError or Error on bytes that are none. */
export function decodeCounterPiece(bytes: Uint8Array): CounterPiece {
  const columns: BigUint64Array[] = ROUTE_COUNTER_FIELDS.map(() => new BigUint64Array(0));
  const others: Uint8Array[] = [];
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    const position = (tag & ((1 << WIRE_TYPE_BITS) - 1)) === LENGTH_DELIMITED ? POSITIONS.get(tag >>> WIRE_TYPE_BITS) : undefined;
    if (position === undefined) {
      reader.skipType(tag & ((1 << WIRE_TYPE_BITS) - 1));
      others.push(bytes.subarray(start, reader.pos));
    } else columns[position] = wordsOf(reader.bytes());
  }
  return { message: xmcast.v1.ReadCountersResponse.decode(Buffer.concat(others)), columns };
}

function bytesOf(words: BigUint64Array): Uint8Array {
  const bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
  return SWAPS_WORDS ? Buffer.from(bytes).swap64() : bytes;
}

function wordsOf(bytes: Uint8Array): BigUint64Array {
  const words = new BigUint64Array(Math.floor(bytes.length / WORD_BYTES));
  const copy = Buffer.from(words.buffer);
  copy.set(bytes.subarray(0, words.byteLength));
  if (SWAPS_WORDS) copy.swap64();
  return words;
}
