/**
 * A YAML tree → the plain object of a Config message, by the schema: every key known, every value of its type. Follows ProtoJSON:
 * both spellings of a key, null is "left out". Collects all problems with their places; never throws on input and knows no ranges.
 */
import {
  isAlias,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  type Alias,
  type LineCounter,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { parseDuration, suggestDuration } from './duration';
import { printable, printableKey } from './printable';
import type { FieldSchema, MessageField, MessageSchema, ScalarKind } from './schema';
import type { Problem } from './settings';
import { indexPath, keyPath, type Position, type SourceMap } from './source-map';
import { nearestWord } from './suggest';

export type PlainMessage = { [property: string]: unknown };

/** Beyond this many the rest of the file is not read: nobody corrects more at one go, and an alias can repeat a bad mapping. */
export const MAX_PROBLEMS = 100;
/** Keys and list entries, aliases written out: a list of thousands may be named by a thousand interfaces. */
export const MAX_VALUES = 500_000;
const UINT32_MAX = 0xffffffff;

export interface TreeContext {
  readonly lines: LineCounter;
  readonly aliases: ReadonlyMap<Alias, Node>;
  readonly sourceMap: SourceMap;
}

export class TreeReader {
  readonly problems: Problem[] = [];
  readonly #context: TreeContext;
  #valuesRead = 0;

  constructor(context: TreeContext) {
    this.#context = context;
  }

  /** Always an object, so that what stands beside a problem can still be checked. */
  readMessage(written: Node | null, schema: MessageSchema, path: string): PlainMessage {
    const node = this.#resolve(written, path);
    if (!isMap(node)) {
      if (!isNull(node)) this.#refuse(path, `expected a mapping of keys to values, found ${describe(node)}`);
      return {};
    }
    return this.#readPairs(node, schema, path);
  }

  #readPairs(map: YAMLMap, schema: MessageSchema, path: string): PlainMessage {
    const message: PlainMessage = {};
    const seen = new Map<FieldSchema, Position>();
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      if (!this.#mayReadOn(path)) break;
      const position = this.#positionOf(pair.key);
      const field = this.#fieldOf(pair.key, schema, path, position);
      if (field === undefined) continue;
      const fieldPath = keyPath(path, field.key);
      const first = seen.get(field);
      if (first !== undefined) {
        this.#refuse(fieldPath, `duplicate key, first given in line ${first.line}`, position);
        continue;
      }
      seen.set(field, position);
      this.#context.sourceMap.set(fieldPath, this.#valuePosition(pair.value) ?? position);
      const value = this.#readField(pair.value, field, fieldPath);
      if (value !== undefined) message[field.property] = value;
    }
    return message;
  }

  /** Asked before each key and list entry. */
  #mayReadOn(path: string): boolean {
    if (this.#valuesRead === MAX_VALUES)
      this.#refuse(path, `the file has more than ${MAX_VALUES} values, counted with what its aliases repeat`);
    this.#valuesRead++;
    return this.#valuesRead <= MAX_VALUES && this.problems.length < MAX_PROBLEMS;
  }

  #fieldOf(key: Node, schema: MessageSchema, path: string, position: Position): FieldSchema | undefined {
    if (!isScalar(key)) {
      this.#refuse(path, `a key must be a plain word, found ${describe(key)}`, position);
      return undefined;
    }
    const word = String(key.value);
    const field = schema.byKey.get(word);
    if (field === undefined) this.#refuse(keyPath(path, printableKey(word)), unknownKey(word, schema), position);
    return field;
  }

  #readField(written: Node | null, field: FieldSchema, path: string): unknown {
    const node = this.#resolve(written, path);
    if (isNull(node)) return undefined;
    if (field.repeated) return this.#readList(node, field, path);
    return field.kind === 'message' ? this.readMessage(node, field.message, path) : this.#readScalar(node, field.kind, path);
  }

  #readList(node: Node | null, field: FieldSchema, path: string): unknown[] {
    if (!isSeq(node)) {
      this.#refuse(path, `expected a list, found ${describe(node)}`);
      return [];
    }
    const list: unknown[] = [];
    for (const item of node.items as (Node | null)[]) {
      if (!this.#mayReadOn(path)) break;
      const itemPath = indexPath(path, list.length);
      if (item !== null) this.#context.sourceMap.set(itemPath, this.#positionOf(item));
      if (isNull(item)) this.#refuse(itemPath, 'empty list entry');
      list.push(field.kind === 'message' ? this.#readItem(item, field, itemPath) : this.#readScalar(item, field.kind, itemPath));
    }
    return list;
  }

  #readItem(item: Node | null, field: MessageField, path: string): PlainMessage {
    return this.readMessage(item, field.message, path);
  }

  #readScalar(node: Node | null, kind: ScalarKind, path: string): unknown {
    if (!isScalar(node)) {
      this.#refuse(path, `expected ${EXPECTED[kind]}, found ${describe(node)}`);
      return undefined;
    }
    const value = READERS[kind](node.value);
    if (value === undefined) this.#refuse(path, `expected ${EXPECTED[kind]}, found ${describe(node)}${advice(kind, node)}`);
    return value;
  }

  #resolve(node: Node | null, path: string): Node | null {
    if (!isAlias(node)) return node;
    const target = this.#context.aliases.get(node);
    if (target === undefined)
      this.#refuse(path, `alias *${printableKey(node.source)} has no anchor before it`, this.#positionOf(node));
    return target ?? null;
  }

  #refuse(path: string, message: string, position = this.#context.sourceMap.find(path)): void {
    this.problems.push({ path, ...position, message });
  }

  /** A scalar's own place; a mapping or list is found by its key. */
  #valuePosition(value: Node | null): Position | undefined {
    return value === null || isCollection(value) || isNull(value) ? undefined : this.#positionOf(value);
  }

  #positionOf(node: Node): Position {
    return positionAt(this.#context.lines, node.range?.[0] ?? 0);
  }
}

export function positionAt(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

const EXPECTED: Readonly<Record<ScalarKind, string>> = {
  uint32: 'a whole number from 0 to 4294967295',
  bool: 'true or false',
  string: 'text',
  duration: 'a duration in seconds such as "125s" or "0.5s"',
};

/** undefined: not of this type. */
const READERS: Readonly<Record<ScalarKind, (value: unknown) => unknown>> = {
  uint32: (value) => {
    // ProtoJSON allows numbers in quotes.
    const number = typeof value === 'string' && /^[0-9]{1,10}$/.test(value) ? Number(value) : value;
    return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= UINT32_MAX ? number : undefined;
  },
  bool: (value) => (typeof value === 'boolean' ? value : undefined),
  string: (value) => (typeof value === 'string' && !/\p{Surrogate}/u.test(value) ? value : undefined),
  duration: (value) => (typeof value === 'string' ? parseDuration(value) : undefined),
};

function advice(kind: ScalarKind, { value, source = '' }: Scalar): string {
  if (kind === 'string' && typeof value === 'string') return ', which is no Unicode: half of a surrogate pair';
  if (kind === 'string') return `; write it in quotes: ${printable(source)}`;
  if (kind === 'bool' && /^(yes|on)$/i.test(source)) return '; write true';
  if (kind === 'bool' && /^(no|off)$/i.test(source)) return '; write false';
  const suggestion = kind === 'duration' ? suggestDuration(source) : undefined;
  return suggestion === undefined ? '' : `; write "${suggestion}"`;
}

function unknownKey(word: string, schema: MessageSchema): string {
  if (word === '<<') return 'merge keys are not supported; give the keys themselves, or use an alias for the whole mapping';
  const home = schema.fields.find((field) => field.kind === 'message' && !field.repeated && field.message.byKey.has(word));
  if (home !== undefined) return `unknown key here; it belongs under "${home.key}"`;
  const keys = schema.fields.map((field) => field.key);
  const nearest = nearestWord(word, keys);
  return nearest === undefined ? `unknown key; known here: ${keys.join(', ')}` : `unknown key; did you mean "${nearest}"?`;
}

function isNull(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function describe(node: Node | null): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  const text = printable(node.source ?? String(node.value));
  return typeof node.value === 'string' ? `the text ${text}` : `${text.slice(1, -1)}`;
}
