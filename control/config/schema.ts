/**
 * What keys the configuration has, read from the descriptor of Config that is built beside the message classes: the one list of
 * keys for reading, writing and documenting them. Knows nothing about ranges or defaults.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { strict as assert } from 'node:assert';
import { Root, Type, type Field } from 'protobufjs';
import 'protobufjs/ext/descriptor';

export type ScalarKind = 'uint32' | 'bool' | 'string' | 'duration';

interface FieldBase {
  /** As files spell it: query_interval. ProtoJSON allows lowerCamelCase too. */
  readonly key: string;
  /** As the message class spells it: queryInterval. */
  readonly property: string;
  readonly repeated: boolean;
  /** Left out and zero are different things. */
  readonly explicitPresence: boolean;
}
export interface ScalarField extends FieldBase {
  readonly kind: ScalarKind;
}
export interface MessageField extends FieldBase {
  readonly kind: 'message';
  readonly message: MessageSchema;
}
export type FieldSchema = ScalarField | MessageField;

export interface MessageSchema {
  /** In order of declaration. */
  readonly fields: readonly FieldSchema[];
  /** Both spellings of every field. */
  readonly byKey: ReadonlyMap<string, FieldSchema>;
}

let loadedType: Type | undefined;
let loaded: MessageSchema | undefined;

export function configSchema(): MessageSchema {
  loaded ??= messageSchema(configType());
  return loaded;
}

export function configType(): Type {
  loadedType ??= loadRoot().lookupType('xmcast.v1.Config');
  return loadedType;
}

function loadRoot(): Root {
  const descriptorSet = join(dirname(require.resolve('#proto')), 'xmcast.binpb');
  const root = Root.fromDescriptor(readFileSync(descriptorSet));
  root.resolveAll();
  return root;
}

/** Config never contains itself, so this ends. */
function messageSchema(type: Type): MessageSchema {
  const fields = type.fieldsArray.map((field) => fieldSchema(field.resolve()));
  const byKey = new Map<string, FieldSchema>();
  for (const field of fields) byKey.set(field.key, field).set(field.property, field);
  return { fields, byKey };
}

function fieldSchema(field: Field): FieldSchema {
  const base = {
    key: field.protoName,
    property: field.name,
    repeated: field.repeated,
    explicitPresence: Boolean(field.hasPresence),
  };
  const nested = field.resolvedType;
  if (nested === null) return { ...base, kind: scalarKind(field.type) };
  if (nested.fullName === '.google.protobuf.Duration') return { ...base, kind: 'duration' };
  assert(nested instanceof Type, `${field.fullName}: configuration has no enumerations`);
  return { ...base, kind: 'message', message: messageSchema(nested) };
}

function scalarKind(type: string): ScalarKind {
  assert(type === 'uint32' || type === 'bool' || type === 'string', `configuration has no fields of type ${type}`);
  return type;
}
