/**
 * Messages as canonical ProtoJSON, by the compiled schema: uint64 as strings, times as RFC 3339, durations as "1.5s". Fields at their
 * default are written too, so that scripts need not know which ones those are.
 */
import * as protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor';
import { fromJson, toJson } from 'protobufjs/ext/protojson';

import { readSchema } from '../api/schema';

type JsonObject = Record<string, unknown>;

let schema: protobuf.Root | undefined;

/** `typeName`: "xmcast.v1.Flow". */
export function messageToJson(typeName: string, message: object): JsonObject {
  schema ??= loadSchema();
  const type = schema.lookupType(typeName);
  return withDefaults(type, toJson(type, message) as JsonObject);
}

/** Keys as in files or as ProtoJSON writes them. Throws on whatever is no such message, unknown keys among it. */
export function messageFromJson(typeName: string, json: unknown): object {
  schema ??= loadSchema();
  const type = schema.lookupType(typeName);
  return type.toObject(fromJson(type, json));
}

function loadSchema(): protobuf.Root {
  const root = protobuf.Root.fromDescriptor(readSchema());
  root.resolveAll();
  return root;
}

/** Absent messages stay absent: that is what tells "no querier" from a querier with empty fields. */
function withDefaults(type: protobuf.Type, json: JsonObject): JsonObject {
  const complete: JsonObject = {};
  for (const field of type.fieldsArray) {
    const value = json[field.name];
    if (value === undefined) {
      const byDefault = defaultOf(field);
      if (byDefault !== undefined) complete[field.name] = byDefault;
    } else {
      complete[field.name] = nestedDefaults(field, value);
    }
  }
  return complete;
}

function nestedDefaults(field: protobuf.Field, value: unknown): unknown {
  const type = field.resolvedType;
  // Well-known types are plain strings in ProtoJSON.
  if (!(type instanceof protobuf.Type) || type.fullName.startsWith('.google.protobuf.') || field.map) return value;
  return Array.isArray(value)
    ? value.map((item: JsonObject) => withDefaults(type, item))
    : withDefaults(type, value as JsonObject);
}

function defaultOf(field: protobuf.Field): unknown {
  if (field.repeated) return [];
  if (field.map) return {};
  if (field.hasPresence || field.resolvedType instanceof protobuf.Type) return undefined;
  if (field.resolvedType instanceof protobuf.Enum) return field.resolvedType.valuesById[0];
  if (field.type === 'string') return '';
  if (field.type === 'bool') return false;
  return field.type.endsWith('64') ? '0' : 0;
}
