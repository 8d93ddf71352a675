/**
 * Reads the requests of StaticEntryService but for their entries, which are read piece by piece later. What is wrong becomes
 * INVALID_ARGUMENT with the field's name.
 */
import { xmcast } from '#proto';

import { durationMs } from '../config/duration';
import type { Problem } from '../config/settings';
import { CONFIG_OWNER } from '../static/entry';
import type { StaticUpdate } from '../static/static-manager';
import { cutUpdate, type UpdatePieces } from '../static/update-bytes';

import { invalidArgument } from './api-error';
import { readWord } from './config-request';
import { fromWire } from './u64';
import { keepingReader, unknownFields } from './unknown-fields';

const MIN_LEASE_MS = 1_000;
const MAX_LEASE_MS = 86_400_000;
const OWNER = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** Requests that were received, whose entries are read piece by piece. */
const received = new WeakMap<object, UpdatePieces>();

/** In the place of the generated decoder: leaves the entries where they are. */
export function decodeUpdate(bytes: Uint8Array): xmcast.v1.UpdateStaticEntriesRequest {
  const pieces = cutUpdate(bytes);
  const request = xmcast.v1.UpdateStaticEntriesRequest.decode(keepingReader(pieces.head));
  received.set(request, pieces);
  return request;
}

export function readUpdate(request: xmcast.v1.UpdateStaticEntriesRequest.$Properties): StaticUpdate {
  const entries = received.get(request) ?? cutUpdate(xmcast.v1.UpdateStaticEntriesRequest.encode(request).finish());
  const replace = request.replace ?? false;
  if (replace && entries.deletes.count > 0) throw invalidArgument('deletes', entries.deletes.count, 'given; with replace all others go by themselves');
  const { expectedRevision } = request;
  return {
    owner: readOwner(request.owner ?? ''),
    entries,
    replace,
    expectedRevision: expectedRevision === undefined || expectedRevision === null ? undefined : Number(fromWire(expectedRevision)),
    validateOnly: request.validateOnly ?? false,
    requestId: readWord('request_id', request.requestId ?? ''),
    leaseMs: readLease(request.lease),
    strangersIn,
  };
}

export function readOwner(name: string): string {
  if (name === CONFIG_OWNER) throw invalidArgument('owner', name, 'is the configuration; its entries are changed there');
  if (OWNER.test(name)) return name;
  throw invalidArgument('owner', name, 'is not 1 to 63 letters, digits, ".", "_" and "-", beginning with a letter or digit');
}

function readLease(lease: xmcast.v1.UpdateStaticEntriesRequest.$Properties['lease']): number | undefined {
  if (lease === undefined || lease === null) return undefined;
  const ms = Math.floor(durationMs(lease));
  if (ms === 0 || (ms >= MIN_LEASE_MS && ms <= MAX_LEASE_MS)) return ms;
  throw invalidArgument('lease', `${ms / 1000}s`, `is neither 0 s nor from ${MIN_LEASE_MS / 1000} to ${MAX_LEASE_MS / 1000} seconds`);
}

function strangersIn(message: object, path: string): readonly Problem[] {
  return unknownFields(message).map(({ field, description }) => ({
    path: field === '' ? path : `${path}.${field}`,
    line: 0,
    column: 0,
    message: description.replace('the request', 'it'),
  }));
}
