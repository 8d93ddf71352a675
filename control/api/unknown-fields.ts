/**
 * Fields of a request that this version does not know. The generated decoder keeps them when it is told to; answering OK while they are
 * dropped would tell a newer client that its wish was granted.
 */
import { Reader } from 'protobufjs/minimal';

import type { FieldViolation } from './rich-error';

/** Beyond this many nobody reads on. */
const MAX_LISTED = 20;

/** For requests whose unknown fields are refused: a reader that keeps them. */
export function keepingReader(bytes: Uint8Array): Reader {
  const reader = Reader.create(bytes);
  reader.discardUnknown = false;
  return reader;
}

export function unknownFields(message: object): FieldViolation[] {
  const found: FieldViolation[] = [];
  collect(message, '', found);
  return found;
}

function collect(message: object, path: string, found: FieldViolation[]): void {
  const kept: unknown = Reflect.get(message, '$unknowns');
  if (Array.isArray(kept)) {
    for (const bytes of kept as Uint8Array[]) {
      if (found.length >= MAX_LISTED) return;
      const place = path === '' ? 'the request' : path;
      found.push({
        field: path,
        description: `${place} has field number ${Reader.create(bytes).uint32() >>> 3}, which this version does not know`,
      });
    }
  }
  for (const property of Object.keys(message)) {
    const value: unknown = Reflect.get(message, property);
    if (typeof value !== 'object' || value === null || isPlainList(value)) continue;
    const key = property.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
    const at = path === '' ? key : `${path}.${key}`;
    if (!Array.isArray(value)) collect(value, at, found);
    else
      value.forEach(
        (item: unknown, index) => typeof item === 'object' && item !== null && collect(item, `${at}[${index}]`, found),
      );
  }
}

/** Of texts or numbers, or empty: nothing is in it. */
function isPlainList(value: object): boolean {
  return Array.isArray(value) && typeof value[0] !== 'object';
}
