/**
 * The differences between two Configs, each by its path: a walk by the schema over their canonical spellings. Pure. Without a difference
 * the canonical texts are equal, and the other way round.
 */
import type { Plain, PlainValue } from './canonical';
import { listRule } from './list-rules';
import { configSchema, type FieldSchema, type MessageField, type MessageSchema } from './schema';
import { keyPath } from './source-map';

export interface Difference {
  /** interfaces[eth1].igmp.version */
  readonly path: string;
  /** The keys alone: ["interfaces", "igmp", "version"]. */
  readonly keys: readonly string[];
  readonly kind: 'added' | 'removed' | 'changed' | 'reordered';
  /** undefined: not set. */
  readonly before: PlainValue | undefined;
  readonly after: PlainValue | undefined;
  /** The entries of lists on the way, from the outside in: ["eth1"]. */
  readonly entries: readonly string[];
}

interface Place {
  readonly path: string;
  readonly keys: readonly string[];
  readonly entries: readonly string[];
}

export function differences(before: Plain, after: Plain): Difference[] {
  const found: Difference[] = [];
  walkMessage({ path: '', keys: [], entries: [] }, [before, after], configSchema(), found);
  return found;
}

type Pair<Value> = readonly [before: Value, after: Value];

function walkMessage(place: Place, [before, after]: Pair<Plain>, schema: MessageSchema, found: Difference[]): void {
  for (const field of schema.fields) {
    const pair = [before[field.key], after[field.key]] as const;
    if (pair[0] === undefined && pair[1] === undefined) continue;
    const at = { ...place, path: keyPath(place.path, field.key), keys: [...place.keys, field.key] };
    if (field.repeated) walkList(at, [asList(pair[0]), asList(pair[1])], field, found);
    else if (field.kind === 'message') walkMessage(at, [asPlain(pair[0]), asPlain(pair[1])], field.message, found);
    else if (pair[0] !== pair[1]) found.push({ ...at, kind: kindOf(pair), before: pair[0], after: pair[1] });
  }
}

function walkList(place: Place, lists: Pair<readonly PlainValue[]>, field: FieldSchema, found: Difference[]): void {
  const rule = listRule(place.keys);
  const sizeBefore = found.length;
  if (rule.kind === 'sequence') walkSequence(place, lists, found);
  else {
    const keyOf = rule.kind === 'keyed' ? (entry: PlainValue) => rule.keyOf(asPlain(entry)) : String;
    walkEntries(place, [byKey(lists[0], keyOf), byKey(lists[1], keyOf)], field, found);
  }
  if (found.length > sizeBefore || isSame(lists[0], lists[1])) return;
  found.push({ ...place, kind: 'reordered', before: lists[0], after: lists[1] });
}

type Entries = ReadonlyMap<string, PlainValue>;

function walkEntries(place: Place, [before, after]: Pair<Entries>, field: FieldSchema, found: Difference[]): void {
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const pair = [before.get(key), after.get(key)] as const;
    const at = entryPlace(place, key);
    if (pair[0] === undefined || pair[1] === undefined) {
      found.push({ ...at, kind: kindOf(pair), before: pair[0], after: pair[1] });
    } else if (isMessageList(field)) {
      walkMessage(at, [asPlain(pair[0]), asPlain(pair[1])], field.message, found);
    }
  }
}

/** What is between the common beginning and the common end, as one difference. */
function walkSequence(place: Place, [before, after]: Pair<readonly PlainValue[]>, found: Difference[]): void {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isSame(before[start], after[start])) start++;
  let end = 0;
  while (end < shorter - start && isSame(before[before.length - 1 - end], after[after.length - 1 - end])) end++;
  const was = before.slice(start, before.length - end);
  const is = after.slice(start, after.length - end);
  if (was.length === 0 && is.length === 0) return;
  const last = start + Math.max(was.length, is.length) - 1;
  const at = entryPlace(place, last > start ? `${start}..${last}` : String(start));
  const pair = [was.length === 0 ? undefined : was, is.length === 0 ? undefined : is] as const;
  found.push({ ...at, kind: kindOf(pair), before: pair[0], after: pair[1] });
}

function entryPlace(place: Place, key: string): Place {
  return { ...place, path: `${place.path}[${key}]`, entries: [...place.entries, key] };
}

function byKey(list: readonly PlainValue[], keyOf: (entry: PlainValue) => string): Entries {
  return new Map(list.map((entry) => [keyOf(entry), entry]));
}

function kindOf([before, after]: Pair<unknown>): 'added' | 'removed' | 'changed' {
  if (before === undefined) return 'added';
  return after === undefined ? 'removed' : 'changed';
}

function isMessageList(field: FieldSchema): field is MessageField {
  return field.kind === 'message';
}

/** Canonical spellings have their keys in one order. */
function isSame(left: PlainValue | undefined, right: PlainValue | undefined): boolean {
  return left === right || JSON.stringify(left) === JSON.stringify(right);
}

function asList(value: PlainValue | undefined): readonly PlainValue[] {
  return Array.isArray(value) ? (value as readonly PlainValue[]) : [];
}

function asPlain(value: PlainValue | undefined): Plain {
  return typeof value === 'object' && !Array.isArray(value) ? (value as Plain) : {};
}
