/** The columns of counters, copied by hand, are on the wire what the generated code reads and writes. */
import { xmcast } from '#proto';
import { fromWire, toWire } from '../../../control/api/u64';
import { ROUTE_COUNTER_FIELDS } from '../../../control/dataplane/api';
import { decodeCounterPiece, encodeCounterPiece, type CounterPiece } from '../../../control/remote/counter-codec';

const WORDS = [0n, 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n];
const piece: CounterPiece = {
  message: { reading: 7, complete: true, keys: WORDS.map((_, i) => ({ source: i, group: 0xef000000 + i })) },
  columns: ROUTE_COUNTER_FIELDS.map((_, column) => BigUint64Array.from(WORDS, (word) => BigInt.asUintN(64, word + BigInt(column)))),
};

test('the generated code reads what is written by hand', () => {
  const message = xmcast.v1.ReadCountersResponse.decode(encodeCounterPiece(piece));
  expect(fromWire(message.reading)).toBe(7n);
  expect(message.keys.map(({ group }) => group)).toEqual(WORDS.map((_, i) => 0xef000000 + i));
  for (const [column, name] of ROUTE_COUNTER_FIELDS.entries()) expect(message[name].map(fromWire)).toEqual([...(piece.columns[column] ?? [])]);
});

test('what the generated code writes is read by hand, in whatever order', () => {
  const fields = Object.fromEntries(ROUTE_COUNTER_FIELDS.map((name, column) => [name, [...(piece.columns[column] ?? [])].map(toWire)]));
  const bytes = xmcast.v1.ReadCountersResponse.encode({ ...piece.message, ...fields, end: true }).finish();
  const read = decodeCounterPiece(bytes);
  expect(read.columns).toEqual(piece.columns);
  expect(read.message).toMatchObject({ complete: true, end: true });
  expect(decodeCounterPiece(encodeCounterPiece(piece)).columns).toEqual(piece.columns);
});

test('no column for a field that a later version may add, and truncated bytes throw', () => {
  expect(decodeCounterPiece(encodeCounterPiece({ message: { end: true }, columns: [] })).message.end).toBe(true);
  const bytes = encodeCounterPiece(piece);
  expect(() => decodeCounterPiece(bytes.subarray(0, bytes.length - 3))).toThrow();
});
