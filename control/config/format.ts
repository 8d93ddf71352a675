/**
 * Config message → YAML in its one canonical form: keys as in the schema and in its order, only what is set. What comes out reads
 * back as the same message.
 */
import { stringify } from 'yaml';
import type { google, xmcast } from '#proto';
import { formatDuration } from './duration';
import { configSchema, type FieldSchema, type MessageSchema } from './schema';

type Plain = { readonly [property: string]: unknown };

export function configToYaml(config: xmcast.v1.Config.$Properties): string {
  return stringify(plainMessage({ ...config }, configSchema()), {
    version: '1.2',
    schema: 'core',
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

function plainMessage(message: Plain, schema: MessageSchema): Plain {
  const set = schema.fields.filter((field) => isSet(message[field.property], field));
  return Object.fromEntries(set.map((field) => [field.key, plainField(message[field.property], field)]));
}

/** Without explicit presence zero is the same as left out, and so is an empty list. */
function isSet(value: unknown, field: FieldSchema): boolean {
  if (value === undefined || value === null) return false;
  if (Array.isArray(value)) return value.length > 0;
  return field.explicitPresence || field.kind === 'message' || Boolean(value);
}

function plainField(value: unknown, field: FieldSchema): unknown {
  return Array.isArray(value) ? value.map((item) => plainValue(item, field)) : plainValue(value, field);
}

function plainValue(value: unknown, field: FieldSchema): unknown {
  if (field.kind === 'duration') return formatDuration(value as google.protobuf.Duration.$Properties);
  return field.kind === 'message' ? plainMessage(value as Plain, field.message) : value;
}
