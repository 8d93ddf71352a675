/**
 * How rules are applied to fields: to a text, to the numbers and durations of a section, to a list and each of its entries. Knows
 * no rule itself.
 */
import type { google } from '#proto';
import { durationMs, formatDuration, formatMs } from './duration';
import type { Range } from './ranges';
import type { Problem } from './settings';
import { indexPath, keyPath } from './source-map';

type Value = number | google.protobuf.Duration.$Properties | null | undefined;

/** What is wrong with a text, if anything. */
export type FaultOf = (text: string) => string | undefined;

export function problem(path: string, message: string): Problem {
  return { path, line: 0, column: 0, message };
}

export function textProblems(path: string, text: string | null | undefined, faultOf: FaultOf): Problem[] {
  const fault = text === undefined || text === null ? undefined : faultOf(text);
  return fault === undefined ? [] : [problem(path, fault)];
}

export function requiredTextProblems(path: string, text: string | null | undefined, faultOf: FaultOf): Problem[] {
  return text ? textProblems(path, text, faultOf) : [problem(path, 'is empty or left out; it is needed')];
}

/** For fields without explicit presence: an empty text is the same as none. */
export function optionalTextProblems(path: string, text: string | null | undefined, faultOf: FaultOf): Problem[] {
  return textProblems(path, text === '' ? undefined : text, faultOf);
}

/** The entries of a list that is too long are not looked at: so the cost of a list is bounded. */
export function listProblems<Item>(
  path: string,
  items: readonly Item[] | null | undefined,
  max: number,
  problemsOf: (item: Item, path: string) => Problem[],
): Problem[] {
  if (items === undefined || items === null) return [];
  if (items.length > max) return [problem(path, `${items.length} given; at most ${max} are allowed`)];
  return items.flatMap((item, index) => problemsOf(item, indexPath(path, index)));
}

export function textListProblems(
  path: string,
  texts: readonly string[] | null | undefined,
  max: number,
  faultOf: FaultOf,
): Problem[] {
  return listProblems(path, texts, max, (text, itemPath) => textProblems(itemPath, text, faultOf));
}

export function rangeProblems<Property extends string>(
  section: { readonly [property in NoInfer<Property>]?: Value },
  ranges: Readonly<Record<Property, Range>>,
  path: string,
): Problem[] {
  const properties = Object.keys(ranges) as Property[];
  return properties.flatMap((property) => valueProblems(keyPath(path, snakeCase(property)), section[property], ranges[property]));
}

export function valueProblems(path: string, value: Value, range: Range): Problem[] {
  if (value === undefined || value === null) return [];
  const fault = typeof value === 'number' ? numberFault(value, range) : durationFault(value, range);
  return fault === undefined ? [] : [problem(path, fault)];
}

function numberFault(value: number, { min, max }: Range): string | undefined {
  return Number.isInteger(value) && value >= min && value <= max ? undefined : `is ${value}; allowed is ${min} to ${max}`;
}

function durationFault(value: google.protobuf.Duration.$Properties, { min, max }: Range): string | undefined {
  const ms = durationMs(value);
  const allowed = `allowed is ${formatMs(min)} to ${formatMs(max)}`;
  if (Number.isNaN(ms)) return `is not a valid duration (seconds and nanos of one sign, nanos below a second); ${allowed}`;
  if (ms < min || ms > max) return `is ${formatDuration(value)}; ${allowed}`;
  return Number.isInteger(ms) ? undefined : `is ${formatDuration(value)}; nothing finer than a millisecond (0.001s) is kept`;
}

/** ignoreV1 → ignore_v1. */
function snakeCase(property: string): string {
  return property.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
