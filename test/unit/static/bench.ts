/** A StaticManager with a disk, a clock and a router that tests hold in their hands. */
import { xmcast } from '#proto';
import { toSettings } from '../../../control/config/defaults';
import type { Settings } from '../../../control/config/settings';
import { formatPrefix } from '../../../control/protocol/packet/address';
import type { FlowPrefix } from '../../../control/protocol/packet/flow-table';
import { entryMessage, type OwnedEntry } from '../../../control/static/entry';
import { EntryStore, type EntryStoreOptions } from '../../../control/static/entry-store';
import { NOTHING_WANTED, type ChangedPlaces, type StaticFollower, type StaticSource } from '../../../control/static/follower';
import { StaticManager, type StaticUpdate, type UpdateResult } from '../../../control/static/static-manager';
import { cutUpdate } from '../../../control/static/update-bytes';
import { SimulatedDisk } from '../config-transactions/simulated-disk';
import { RecordedLog } from '../api/recorded-log';

export type Entry = xmcast.v1.StaticEntry.$Properties;
export type Key = xmcast.v1.StaticEntryKey.$Properties;

export const FOLDER = '/state/static-entries';

export const SETTINGS: Settings = toSettings({
  interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }, { name: 'lan2', staticGroups: [{ group: '239.9.9.9' }] }],
  staticRoutes: [{ group: '239.8.8.8', upstream: 'up0', downstreams: ['lan1'] }],
  limits: { staticEntries: 10 },
});

export function route(group: string, changes: Partial<xmcast.v1.StaticRoute.$Properties> = {}): Entry {
  return { route: { group, upstream: 'up0', downstreams: ['lan1'], ...changes } };
}

export function membership(group: string, changes: Partial<xmcast.v1.StaticMembership.$Properties> = {}): Entry {
  return { membership: { interface: 'lan1', group, ...changes } };
}

export interface Asked extends Partial<Omit<StaticUpdate, 'entries'>> {
  readonly upserts?: Entry[];
  readonly deletes?: Key[];
}

export function updateOf({ upserts = [], deletes = [], ...given }: Asked): StaticUpdate {
  const { owner = 'one', replace = false } = given;
  const bytes = xmcast.v1.UpdateStaticEntriesRequest.encode({ owner, replace, upserts, deletes }).finish();
  return {
    owner,
    replace,
    entries: cutUpdate(bytes),
    expectedRevision: undefined,
    validateOnly: false,
    requestId: '',
    leaseMs: undefined,
    strangersIn: () => [],
    ...given,
  };
}

/** Has all routes at once, but those that a test lets it refuse. */
export class FakeFollower implements StaticFollower {
  readonly refused = new Map<string, string>();
  /** Flows and places that it was told of, one after the other. */
  readonly told: string[] = [];
  source: StaticSource = NOTHING_WANTED;

  follow(source: StaticSource): void {
    this.source = source;
  }

  changed({ flows, memberships }: ChangedPlaces): void {
    for (const flow of flows) this.told.push(flowName(flow));
    for (const place of memberships) this.told.push(`${place.interface} ${place.group}`);
  }

  known(): Promise<void> {
    return Promise.resolve();
  }

  programmed(): Promise<void> {
    return Promise.resolve();
  }

  routeHindrance(flow: FlowPrefix): string {
    return this.refused.get(flowName(flow)) ?? '';
  }

  membershipHindrance(): string {
    return '';
  }
}

function flowName({ group, source }: FlowPrefix): string {
  return source === undefined ? formatPrefix(group) : `${formatPrefix(source)} ${formatPrefix(group)}`;
}

export class TestClock {
  ms = 1_000;
  readonly nowMs = (): number => this.ms;
  readonly nowWallMs = (): number => 1_700_000_000_000 + this.ms;
}

export interface World {
  readonly manager: StaticManager;
  readonly follower: FakeFollower;
  readonly disk: SimulatedDisk;
  readonly clock: TestClock;
  readonly log: RecordedLog;
  update(asked: Asked): Promise<UpdateResult>;
  /** "owner: group …" of each entry but those of the configuration, in one order. */
  held(): Promise<readonly string[]>;
}

export function storeOptions(disk: SimulatedDisk, log: RecordedLog): EntryStoreOptions {
  return { folder: FOLDER, files: disk, lock: () => ({ close: () => undefined }), log };
}

/** `disk`: what an earlier one has left. */
export async function world(disk = new SimulatedDisk(), settings = SETTINGS): Promise<World> {
  const [follower, clock, log] = [new FakeFollower(), new TestClock(), new RecordedLog()];
  const options = storeOptions(disk, log);
  const store = disk.names().some((name) => name.startsWith(`${FOLDER}/`)) ? await EntryStore.openIfThere(options) : undefined;
  const manager = new StaticManager({ settings, follower, store, makeStore: () => EntryStore.make(options), clock, log });
  await manager.load();
  const held = async (): Promise<readonly string[]> => [...(await manager.entries())].map(textOf).filter((text) => !text.startsWith('config:')).sort();
  return { manager, follower, disk, clock, log, update: (asked) => manager.update(updateOf(asked)), held };
}

export function textOf(entry: OwnedEntry): string {
  const { route: one, membership: other } = entryMessage(entry);
  if (one) {
    const ttl = one.ttlThreshold ? ` ttl ${one.ttlThreshold}` : '';
    return `${(entry as { route: { owner: string } }).route.owner}: ${one.source ? `${one.source} ` : ''}${one.group} ${one.upstream} > ${(one.downstreams ?? []).join(' ')}${ttl}`;
  }
  return `${(entry as { membership: { owner: string } }).membership.owner}: ${other?.interface} ${other?.group} ${(other?.sources ?? []).join(' ')}`.trimEnd();
}
