/**
 * Milliseconds as the controller keeps them, to and from the Timestamp and Duration messages of the API. Reads no clock.
 */
import type { google } from '#proto';

import { fromWire, type WireLong, toWire, type WireUint64 } from './u64';

interface WireTime {
  readonly seconds: WireLong;
  readonly nanos: number;
}

/** Negative spans, which can only come from a timer that ran out a moment ago, become zero. */
export function toWireTime(ms: number): WireTime {
  const whole = Math.max(0, Math.round(ms));
  return { seconds: toWire(BigInt(Math.floor(whole / 1000))), nanos: (whole % 1000) * 1_000_000 };
}

/** undefined for an absent message. Sub-millisecond digits are cut. */
export function fromWireTime(
  message: google.protobuf.Timestamp.$Properties | google.protobuf.Duration.$Properties | null | undefined,
): number | undefined {
  if (message === null || message === undefined) return undefined;
  const seconds: WireUint64 | null | undefined = message.seconds;
  return Number(fromWire(seconds)) * 1000 + Math.floor((message.nanos ?? 0) / 1_000_000);
}
