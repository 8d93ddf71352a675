/**
 * What the static commands do: the calls they make, and what they print. Each resolves with the exit status.
 */
import { type ServiceError, status } from '@grpc/grpc-js';

import { xmcast } from '#proto';

import type { ApiClient } from '../api/client';
import { decodeRichError, DETAILS_TRAILER } from '../api/rich-error';
import { staticEntryServiceDefinition } from '../api/services';
import { toWireTime } from '../api/wire-time';

import type { ConfigTools } from './config-actions';
import { readConfigText } from './config-text';
import { CliFailure, EXIT, type ExitStatus } from './failure';
import { formatStaticEntries, formatStaticOwners, formatUpdated } from './format-static';
import { isTable, renderView } from './output';
import { messageToJson } from './proto-json';
import { parseStaticFile, pathInFile } from './static-file';
import { printable } from './table';
import type { View } from './views';

type Entry = xmcast.v1.StaticEntry.$Properties;
type Key = xmcast.v1.StaticEntryKey.$Properties;
type Update = xmcast.v1.UpdateStaticEntriesRequest.$Properties;

const PAGE_SIZE = 5000;

export interface StaticListOptions {
  readonly owner?: string;
  readonly group?: string;
  readonly kind?: 'route' | 'membership';
}

export interface OwnerOptions {
  readonly owner: string;
}

export interface StaticUpdateOptions extends OwnerOptions {
  /** ms; 0: none. */
  readonly lease?: number;
  readonly dryRun?: boolean;
  readonly requestId?: string;
  readonly revision?: number;
}

export interface StaticEntryOptions extends StaticUpdateOptions {
  readonly source?: string;
  readonly from?: string;
  readonly to?: readonly string[];
  readonly ttlThreshold?: number;
  readonly member?: string;
}

const KINDS = {
  route: xmcast.v1.StaticEntryKind.STATIC_ENTRY_KIND_ROUTE,
  membership: xmcast.v1.StaticEntryKind.STATIC_ENTRY_KIND_MEMBERSHIP,
} as const;

export async function staticEntriesView(client: ApiClient, options: StaticListOptions): Promise<View> {
  const { owner = '', group = '', kind } = options;
  const entries: xmcast.v1.OwnedStaticEntry.$Properties[] = [];
  let pageToken = '';
  do {
    const request = { owner, group, kind: kind === undefined ? 0 : KINDS[kind], pageSize: PAGE_SIZE, pageToken };
    const page = await client.call(staticEntryServiceDefinition.listStaticEntries, xmcast.v1.ListStaticEntriesRequest.create(request));
    for (const entry of page.entries) entries.push(entry);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  const items = (): object[] => entries.map((entry) => messageToJson('xmcast.v1.OwnedStaticEntry', entry));
  const view = { table: (style: Parameters<View['table']>[0]) => formatStaticEntries(entries, style), items, json: () => ({ entries: items() }) };
  const given = Object.entries({ owner: options.owner, group: options.group, kind }).filter(([, value]) => value !== undefined);
  if (entries.length > 0 || given.length === 0) return view;
  const text = given.map(([name, value]) => `--${name} ${value}`).join(' ');
  return { ...view, missing: new CliFailure(EXIT.notFound, `no static entries match ${text}`) };
}

export async function staticOwnersView(client: ApiClient, nowMs: () => number): Promise<View> {
  const { owners } = await client.call(staticEntryServiceDefinition.listStaticOwners, {});
  const items = (): object[] => owners.map((owner) => messageToJson('xmcast.v1.StaticOwner', owner));
  return { table: (style) => formatStaticOwners(owners, nowMs(), style), items, json: () => ({ owners: items() }) };
}

export async function addStaticAction(tools: ConfigTools, group: string, options: StaticEntryOptions): Promise<ExitStatus> {
  return show(tools, options, { upserts: [entryFrom(group, options)] });
}

export async function deleteStaticAction(tools: ConfigTools, group: string, { member, ...options }: StaticEntryOptions): Promise<ExitStatus> {
  const key: Key = member === undefined ? { route: { group, source: options.source ?? '' } } : { membership: { interface: member, group } };
  const { removed } = await update(tools, options, { deletes: [key] });
  if (removed > 0) return EXIT.ok;
  throw new CliFailure(EXIT.notFound, `"${options.owner}" has no such entry; xmcastctl static list has all of them`);
}

/** The file is all that the owner has, unless it is told to keep the rest. */
export async function applyStaticAction(tools: ConfigTools, file: string, options: StaticUpdateOptions & { readonly keep?: boolean }): Promise<ExitStatus> {
  const { name, text } = await readConfigText(file, tools.io);
  const { entries, paths } = parseStaticFile(name, text);
  const request = { upserts: [...entries], replace: options.keep !== true };
  return show(tools, options, request).catch((error: unknown) => {
    const violations = violationsOf(error);
    if (violations.length === 0) throw error;
    for (const { field, description } of violations) tools.io.stderr.write(`${printable(`${name}: ${pathInFile(field, paths)}: ${description}`)}\n`);
    throw error;
  });
}

export async function renewStaticAction({ client, io, style }: ConfigTools, { owner }: OwnerOptions): Promise<ExitStatus> {
  const renewed = await client.call(staticEntryServiceDefinition.renewStaticLease, xmcast.v1.RenewStaticLeaseRequest.create({ owner }));
  const json = messageToJson('xmcast.v1.RenewStaticLeaseResponse', renewed);
  const text = `the lease of "${owner}" is renewed\n`;
  io.stdout.write(isTable(style.format) ? text : renderView({ table: () => '', items: () => [json], json: () => json }, style));
  return EXIT.ok;
}

function entryFrom(group: string, { source, from, to, ttlThreshold, member }: StaticEntryOptions): Entry {
  if (member !== undefined) {
    if (from !== undefined || to !== undefined || ttlThreshold !== undefined) {
      throw new CliFailure(EXIT.usage, '--member makes a membership, --from and --to a route: give one or the other');
    }
    return { membership: { interface: member, group, sources: source === undefined ? [] : source.split(',') } };
  }
  if (from === undefined) throw new CliFailure(EXIT.usage, 'give --from and --to for a route, or --member for a membership');
  const ttl = ttlThreshold === undefined ? {} : { ttlThreshold };
  return { route: { group, source: source ?? '', upstream: from, downstreams: [...(to ?? [])], ...ttl } };
}

/** Of the update; a refused route is told, and is no failure: it is tried again by itself. */
async function show(tools: ConfigTools, options: StaticUpdateOptions, changes: Update): Promise<ExitStatus> {
  await update(tools, options, changes);
  return EXIT.ok;
}

async function update({ client, io, style }: ConfigTools, options: StaticUpdateOptions, changes: Update): Promise<xmcast.v1.UpdateStaticEntriesResponse> {
  const { owner, lease, dryRun = false, requestId = '', revision } = options;
  const request = xmcast.v1.UpdateStaticEntriesRequest.create({
    owner,
    validateOnly: dryRun,
    requestId,
    ...(lease === undefined ? {} : { lease: toWireTime(lease) }),
    ...(revision === undefined ? {} : { expectedRevision: revision }),
    ...changes,
  });
  const updated = await client.call(staticEntryServiceDefinition.updateStaticEntries, request).catch((error: unknown) => {
    if (!isTooLarge(error)) throw error;
    const bytes = xmcast.v1.UpdateStaticEntriesRequest.encode(request).finish().length;
    throw new CliFailure(EXIT.usage, `${bytes} bytes of entries are more than xmcastd takes at once (api.limits.request_bytes): give parts of them to owners of their own, or with --keep`);
  });
  const json = messageToJson('xmcast.v1.UpdateStaticEntriesResponse', updated);
  const view = { table: () => formatUpdated(owner, updated, dryRun), items: () => [json], json: () => json };
  io.stdout.write(renderView(view, style));
  return updated;
}

/** grpc-js says it in words only. */
function isTooLarge(error: unknown): boolean {
  const { code, details } = error as Partial<ServiceError>;
  return code === status.RESOURCE_EXHAUSTED && /message larger than max/.test(details ?? '');
}

function violationsOf(error: unknown): readonly { readonly field: string; readonly description: string }[] {
  const [bytes] = (error as Partial<ServiceError>).metadata?.get(DETAILS_TRAILER) ?? [];
  return bytes instanceof Buffer ? (decodeRichError(bytes)?.violations ?? []) : [];
}
