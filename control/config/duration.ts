/**
 * Durations: the text of ProtoJSON ("0.5s"), the message {seconds, nanos} and integer ms, each into the next. Knows no ranges.
 */
import type { google } from '#proto';

type DurationMessage = google.protobuf.Duration.$Properties;

/** google/protobuf/duration.proto: about ±10,000 years. */
const MAX_SECONDS = 315_576_000_000;
const NANOS_PER_SECOND = 1_000_000_000;

/** ProtoJSON: seconds with up to nine decimals and the letter s. undefined when the text is anything else. */
export function parseDuration(text: string): { seconds: number; nanos: number } | undefined {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s$/.exec(text);
  if (match === null) return undefined;
  const [, minus, whole, fraction = ''] = match;
  const seconds = Number(whole);
  const nanos = Number(fraction.padEnd(9, '0'));
  if (seconds > MAX_SECONDS || (seconds === MAX_SECONDS && nanos > 0)) return undefined;
  return minus === '-' ? { seconds: 0 - seconds, nanos: 0 - nanos } : { seconds, nanos };
}

/** For what people write instead ("125", "2m5s", "500ms", "1.5 s"): the same duration as it should be written. */
export function suggestDuration(text: string): string | undefined {
  const pattern = /^(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,9}(?:\.[0-9]{1,3})?)(?:s|$))?(?:([0-9]{1,9})ms)?$/;
  const match = pattern.exec(text.toLowerCase().replace(/\s/g, ''));
  if (match === null || text.trim() === '') return undefined;
  const [hours, minutes, seconds, milliseconds] = match.slice(1).map((part = '0') => Number(part));
  return formatMs((hours ?? 0) * 3_600_000 + (minutes ?? 0) * 60_000 + Math.round((seconds ?? 0) * 1000) + (milliseconds ?? 0));
}

/** May have a fraction. NaN for a message that is no duration: parts out of range or of different sign. */
export function durationMs(duration: DurationMessage): number {
  const seconds = toNumber(duration.seconds);
  const nanos = duration.nanos ?? 0;
  const valid = Math.abs(seconds) <= MAX_SECONDS && Math.abs(nanos) < NANOS_PER_SECOND && seconds * nanos >= 0;
  return valid ? seconds * 1000 + nanos / 1_000_000 : Number.NaN;
}

/** undefined for what is left out: undefined, or null as the message classes have it. */
export function optionalMs(duration: DurationMessage | null | undefined): number | undefined {
  return duration === undefined || duration === null ? undefined : durationMs(duration);
}

/** "125s", "0.5s". */
export function formatMs(ms: number): string {
  return `${ms / 1000}s`;
}

/** As formatMs, exact to the nanosecond. The message must be valid. */
export function formatDuration(duration: DurationMessage): string {
  const seconds = toNumber(duration.seconds);
  const nanos = duration.nanos ?? 0;
  const fraction = Math.abs(nanos).toString().padStart(9, '0').replace(/0+$/, '');
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${fraction === '' ? '' : `.${fraction}`}s`;
}

function toNumber(value: DurationMessage['seconds']): number {
  if (value === undefined || value === null) return 0;
  return typeof value === 'number' ? value : value.toNumber();
}
