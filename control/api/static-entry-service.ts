/**
 * StaticEntryService: requests become those of the StaticManager, its results and refusals become answers and statuses. Decides nothing
 * itself.
 */
import { status } from '@grpc/grpc-js';

import { xmcast } from '#proto';

import { ConfigRefusal } from '../config/refusal';
import type { Ipv4Prefix } from '../protocol/packet/address';
import { entryMessage, type OwnedEntry } from '../static/entry';
import { extentOf, ownerOf } from '../static/entry-table';
import { StaticRefusal, type StaticRefusalReason } from '../static/refusal';
import type { OwnerView, StaticManager, UpdateResult } from '../static/static-manager';
import { XmcastError } from '../errors';

import { ensureKnown } from './config-request';
import { apiErrorOf as configErrorOf, refusalError } from './config-service';
import type { SerializedResponse, ServiceHandlers } from './define-service';
import { addressFilter } from './filters';
import { STATIC_ENTRY_ORDER } from './page-orders';
import { answerWithPage } from './page-response';
import { staticEntryServiceDefinition } from './services';
import { decodeUpdate, readOwner, readUpdate } from './static-request';
import { toWire } from './u64';
import { toWireTime } from './wire-time';

/** What the service needs of the StaticManager. */
export type StaticControl = Pick<StaticManager, 'update' | 'renew' | 'owners' | 'entries' | 'hindranceOf' | 'counts'>;

type Handlers = ServiceHandlers<xmcast.v1.StaticEntryService>;

const MAX_REFUSED = 1000;
/** Names and addresses of an entry beside its lists. */
const ENTRY_WEIGHT = 4;

/** As it is served: the entries of an update are left where they are until their turn comes. */
export const servedStaticEntryService = {
  ...staticEntryServiceDefinition,
  updateStaticEntries: { ...staticEntryServiceDefinition.updateStaticEntries, requestDeserialize: decodeUpdate },
};

export function staticEntryServiceHandlers(control: StaticControl): Handlers {
  return {
    listStaticEntries: (request) => listEntries(control, request),
    listStaticOwners: async () => ({ owners: (await control.owners()).map(ownerMessage) }),
    updateStaticEntries: async (request) => {
      ensureKnown(request);
      return resultMessage(await control.update(readUpdate(request)).catch(refuse));
    },
    renewStaticLease: async (request) => {
      ensureKnown(request);
      const { revision, leaseExpiresWallMs } = await control.renew(readOwner(request.owner ?? '')).catch(refuse);
      return { revision: toWire(BigInt(revision)), ...expiryField(leaseExpiresWallMs) };
    },
  };
}

const STATUS: Readonly<Record<StaticRefusalReason, status>> = {
  ENTRIES_INVALID: status.INVALID_ARGUMENT,
  ENTRY_EXISTS: status.ALREADY_EXISTS,
  REVISION_MISMATCH: status.ABORTED,
  TOO_MANY_ENTRIES: status.RESOURCE_EXHAUSTED,
  NO_ENTRIES: status.NOT_FOUND,
  NO_LEASE: status.FAILED_PRECONDITION,
};

function refuse(error: unknown): never {
  if (error instanceof ConfigRefusal || error instanceof XmcastError) throw configErrorOf(error);
  throw error instanceof StaticRefusal ? refusalError(error, STATUS[error.reason], ({ path }) => path) : error;
}

async function listEntries(control: StaticControl, request: xmcast.v1.ListStaticEntriesRequest.$Properties): Promise<SerializedResponse> {
  const owner = request.owner ?? '';
  const group = addressFilter('group', request.group ?? '');
  const kind = request.kind ?? 0;
  const entries = await control.entries();
  const options = {
    table: { keys: () => entries, read: (entry: OwnedEntry) => entry },
    query: ['static-entries', owner, group.canonical, String(kind)],
    matches: matcher({ owner, kind, overlaps: group.overlaps }),
    order: STATIC_ENTRY_ORDER,
    weightOf: (entry: OwnedEntry) => ENTRY_WEIGHT + extentOf(entry),
  };
  const message = (entry: OwnedEntry): xmcast.v1.OwnedStaticEntry.$Properties => ({
    owner: ownerOf(entry),
    entry: entryMessage(entry),
    problem: control.hindranceOf(entry),
  });
  return answerWithPage(staticEntryServiceDefinition.listStaticEntries, request, options, (page) => ({ entries: page.map(message) }));
}

interface Filters {
  readonly owner: string;
  readonly kind: xmcast.v1.StaticEntryKind;
  readonly overlaps: (range: Ipv4Prefix) => boolean;
}

function matcher({ owner, kind, overlaps }: Filters): (entry: OwnedEntry) => boolean {
  return (entry) =>
    (owner === '' || ownerOf(entry) === owner) &&
    (kind === 0 || kind === KIND[entry.kind]) &&
    overlaps(entry.kind === 'route' ? entry.route.group : { address: entry.membership.group, length: 32 });
}

const KIND = {
  route: xmcast.v1.StaticEntryKind.STATIC_ENTRY_KIND_ROUTE,
  membership: xmcast.v1.StaticEntryKind.STATIC_ENTRY_KIND_MEMBERSHIP,
} as const;

function ownerMessage({ name, revision, programmedRevision, routes, memberships, leaseMs, leaseExpiresWallMs }: OwnerView): xmcast.v1.StaticOwner.$Properties {
  const lease = leaseMs === undefined ? {} : { lease: toWireTime(leaseMs) };
  return {
    owner: name,
    revision: toWire(BigInt(revision)),
    programmedRevision: toWire(BigInt(programmedRevision)),
    routes,
    memberships,
    ...lease,
    ...expiryField(leaseExpiresWallMs),
  };
}

function resultMessage(result: UpdateResult): xmcast.v1.UpdateStaticEntriesResponse.$Properties {
  const { revision, programmedRevision, added, changed, removed, unchanged, refused } = result;
  return {
    revision: toWire(BigInt(revision)),
    programmedRevision: toWire(BigInt(programmedRevision)),
    added,
    changed,
    removed,
    unchanged,
    refused: refused.slice(0, MAX_REFUSED).map(({ route, problem }) => ({ route, problem })),
    omittedRefused: Math.max(0, refused.length - MAX_REFUSED),
    ...expiryField(result.leaseExpiresWallMs),
  };
}

function expiryField(wallMs: number | undefined): Pick<xmcast.v1.StaticOwner.$Properties, 'leaseExpireTime'> {
  return wallMs === undefined ? {} : { leaseExpireTime: toWireTime(wallMs) };
}
