/**
 * The one spelling of a Config: keys as in files and in the order of the schema, only what is set, durations as text. Two
 * configurations that say the same have the same canonical text, and with it the same etag. Knows no defaults: a value left out and the
 * same value written down are two spellings.
 */
import { createHash } from 'node:crypto';
import type { google, xmcast } from '#proto';
import { formatDuration } from './duration';
import { configSchema, type FieldSchema, type MessageSchema } from './schema';

export type Plain = { readonly [key: string]: PlainValue };
export type PlainValue = string | number | boolean | Plain | readonly PlainValue[];

export function canonicalConfig(config: xmcast.v1.Config.$Properties): Plain {
  return plainMessage({ ...config }, configSchema());
}

/** JSON on one line. */
export function canonicalText(config: xmcast.v1.Config.$Properties): string {
  return JSON.stringify(canonicalConfig(config));
}

const ETAG_CHARACTERS = 32;

/** `text`: the canonical one. */
export function etagOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, ETAG_CHARACTERS);
}

function plainMessage(message: Readonly<Record<string, unknown>>, schema: MessageSchema): Plain {
  const plain: Record<string, PlainValue> = {};
  for (const field of schema.fields) {
    const value = message[field.property];
    if (value === undefined || value === null) continue;
    if (Array.isArray(value)) {
      if (value.length > 0) plain[field.key] = value.map((item) => plainValue(item, field));
      continue;
    }
    const spelt = plainValue(value, field);
    if (!saysNothing(spelt, field)) plain[field.key] = spelt;
  }
  return plain;
}

/** An empty section; zero and "" where the schema cannot tell them from nothing. */
function saysNothing(value: PlainValue, field: FieldSchema): boolean {
  if (field.kind === 'message') return Object.keys(value).length === 0;
  return !field.explicitPresence && field.kind !== 'duration' && !value;
}

function plainValue(value: unknown, field: FieldSchema): PlainValue {
  if (field.kind === 'duration') return formatDuration(value as google.protobuf.Duration.$Properties);
  return field.kind === 'message' ? plainMessage(value as Readonly<Record<string, unknown>>, field.message) : (value as PlainValue);
}
