/**
 * One value of a configuration by its path, as differences spell paths: interfaces[eth1].ttl_threshold. Whether the value is a good one is
 * for the rules that every configuration goes through.
 */
import type { Plain, PlainValue } from './canonical';
import { listRule, prefixKey } from './list-rules';
import { configSchema, type FieldSchema, type MessageSchema } from './schema';
import { nearestWord } from './suggest';

export type SetValue = { readonly plain: Plain; readonly fault: undefined } | { readonly plain: undefined; readonly fault: string };

/** `value` undefined: takes it away. An entry of a list that is named and not there is added. */
export function setValue(config: Plain, path: string, value: PlainValue | undefined): SetValue {
  try {
    const steps = readPath(path);
    return { plain: setInMessage(config, { steps, schema: configSchema(), keys: [] }, value), fault: undefined };
  } catch (error) {
    if (error instanceof PathFault) return { plain: undefined, fault: error.message };
    throw error;
  }
}

class PathFault extends Error {}

interface Step {
  readonly key: string;
  /** What is in brackets behind the key. */
  readonly entry: string | undefined;
}

interface Way {
  readonly steps: readonly Step[];
  readonly schema: MessageSchema;
  readonly keys: readonly string[];
}

/** Dots in brackets belong to the entry: static_routes[239.1.1.1].upstream. */
function readPath(path: string): Step[] {
  const step = /([A-Za-z0-9_]+)(?:\[([^\]]+)\])?(?:\.|$)/y;
  const steps: Step[] = [];
  while (step.lastIndex < path.length || steps.length === 0) {
    const match = step.exec(path);
    if (match === null) throw new PathFault('is no path such as igmp.query_interval or interfaces[eth1].ttl_threshold');
    steps.push({ key: match[1] ?? '', entry: match[2] });
  }
  return steps;
}

function setInMessage(message: Plain, { steps, schema, keys }: Way, value: PlainValue | undefined): Plain {
  const [step, ...rest] = steps;
  if (step === undefined) return message;
  const field = fieldOf(step.key, schema);
  const { [field.key]: old, ...others } = message;
  const way = [...keys, field.key];
  const set = setField(old, { step, field, rest, keys: way }, value);
  return set === undefined ? others : { ...others, [field.key]: set };
}

interface At {
  readonly step: Step;
  readonly field: FieldSchema;
  readonly rest: readonly Step[];
  readonly keys: readonly string[];
}

function setField(old: PlainValue | undefined, at: At, value: PlainValue | undefined): PlainValue | undefined {
  const { step, field, rest, keys } = at;
  if (step.entry !== undefined) return setInList((old ?? []) as readonly PlainValue[], step.entry, at, value);
  if (rest.length === 0) return value;
  if (field.kind !== 'message') throw new PathFault(`${field.key} has no keys below it`);
  if (field.repeated) throw new PathFault(`${field.key} is a list; name an entry in brackets, such as ${field.key}[…]`);
  return setInMessage((old ?? {}) as Plain, { steps: rest, schema: field.message, keys }, value);
}

function setInList(list: readonly PlainValue[], name: string, { step, field, rest, keys }: At, value: PlainValue | undefined): PlainValue {
  const rule = listRule(keys);
  if (!field.repeated) throw new PathFault(`${step.key} is no list`);
  if (rule.kind === 'sequence') throw new PathFault(`${step.key} is an ordered list; set it as a whole`);
  const keyOf = (entry: PlainValue): string => (rule.kind === 'keyed' ? rule.keyOf(entry as Plain) : prefixKey(entry));
  const wanted = prefixKey(name);
  const index = list.findIndex((entry) => keyOf(entry) === wanted);
  const old = list[index] ?? newEntry(field, name);
  const set = rest.length === 0 || field.kind !== 'message' ? mergedKey(field, name, value) : setInMessage(old as Plain, { steps: rest, schema: field.message, keys }, value);
  if (set === undefined) return list.filter((_, at) => at !== index);
  return index < 0 ? [...list, set] : list.with(index, set);
}

/** An entry given as a whole need not repeat its key. */
function mergedKey(field: FieldSchema, name: string, value: PlainValue | undefined): PlainValue | undefined {
  if (value === undefined || field.kind !== 'message') return value;
  if (typeof value !== 'object' || Array.isArray(value)) throw new PathFault(`${field.key}[${name}] takes a mapping such as {}, or a path below it`);
  return { ...(newEntry(field, name) as Plain), ...(value as Plain) };
}

function newEntry(field: FieldSchema, name: string): PlainValue {
  if (field.kind !== 'message') return name;
  if (field.key === 'interfaces') return { name };
  const [group = '', source] = name.split(' from ');
  return source === undefined ? { group } : { group, source };
}

function fieldOf(key: string, schema: MessageSchema): FieldSchema {
  const field = schema.byKey.get(key);
  if (field !== undefined) return field;
  const known = schema.fields.map(({ key: name }) => name);
  const nearest = nearestWord(key, known);
  throw new PathFault(nearest === undefined ? `${key}: unknown key; known here: ${known.join(', ')}` : `${key}: unknown key; did you mean "${nearest}"?`);
}
