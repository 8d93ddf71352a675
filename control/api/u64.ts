/**
 * The one place where 64-bit counters change between bigint (inside the controller) and the Long of the protobuf runtime.
 * Nobody else may put a counter into a message: the generated encoder silently writes 0 for a bigint it is handed.
 */
import { util } from 'protobufjs/minimal';

import type { xmcast } from '#proto';

/** What generated messages declare their 64-bit fields as. */
export type WireUint64 = NonNullable<xmcast.v1.Flow.$Properties['packets']>;
export type WireLong = Exclude<WireUint64, number>;

/** The class the runtime itself uses. It comes typed through another export of the same package than in the generated module. */
const RuntimeLong = util.Long as unknown as new (low: number, high: number, unsigned: boolean) => WireLong;

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/** Throws RangeError outside 0 … 2^64-1: such a counter is a bug, not a figure to show. */
export function toWire(value: bigint): WireLong {
  if (value < 0n || value > UINT64_MAX) throw new RangeError(`${value} is no unsigned 64-bit number`);
  return new RuntimeLong(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), true);
}

/** Absent fields are zero, as proto3 has it. */
export function fromWire(value: WireUint64 | null | undefined): bigint {
  if (value === null || value === undefined) return 0n;
  if (typeof value === 'number') return BigInt(value);
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
}

/** A counter map field. Returns a null-prototype object so that no key can reach Object.prototype. */
export function toWireMap(counters: ReadonlyMap<string, bigint>): Record<string, WireLong> {
  const fields = Object.create(null) as Record<string, WireLong>;
  for (const [name, value] of counters) fields[name] = toWire(value);
  return fields;
}

export function fromWireMap(fields: Readonly<Record<string, WireUint64>> | null | undefined): Map<string, bigint> {
  return new Map(Object.entries(fields ?? {}).map(([name, value]) => [name, fromWire(value)]));
}
