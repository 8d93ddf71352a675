/**
 * Canonical spelling → Config message: for configurations that were kept. Refuses keys that this version does not know.
 */
import type { Type } from 'protobufjs';
import { fromJson } from 'protobufjs/ext/protojson';
import { xmcast } from '#proto';
import { errorText } from '../errors';
import type { Plain } from './canonical';
import { configType } from './schema';

export type ReadPlain =
  | { readonly config: xmcast.v1.Config; readonly fault: undefined }
  | { readonly config: undefined; readonly fault: string };

/** What the values mean is validate.ts. */
export function configFromPlain(plain: Plain): ReadPlain {
  const type: Type = configType();
  try {
    return { config: xmcast.v1.Config.fromObject(fromJson(type, plain)), fault: undefined };
  } catch (error) {
    // fromJson() throws on whatever is no ProtoJSON of this message, unknown keys among it.
    return { config: undefined, fault: errorText(error) };
  }
}

export function configFromText(text: string): ReadPlain {
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch (error) {
    return { config: undefined, fault: errorText(error) };
  }
  const isMessage = typeof plain === 'object' && plain !== null && !Array.isArray(plain);
  return isMessage ? configFromPlain(plain as Plain) : { config: undefined, fault: 'no mapping of keys to values' };
}
