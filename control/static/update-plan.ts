/**
 * What one update is to change, found out piece by piece before anything changes: entries that come, differ or go, and what is wrong with
 * them among each other, with the entries of other owners and with the configuration.
 */
import { problem } from '../config/field-rules';
import type { Problem } from '../config/settings';
import { indexPath } from '../config/source-map';
import type { FlowPrefix } from '../protocol/packet/flow-table';
import { FlowTable } from '../protocol/packet/flow-table';
import { Directions, loopText, loopWith } from './directions';
import { CONFIG_OWNER, sameMembershipEntry, sameRouteEntry, type EntryKey, type OwnedEntry, type OwnedRoute } from './entry';
import { extentOf, keyOfEntry, ownerOf, type EntryTable } from './entry-table';
import type { Surroundings } from './surroundings';

/** Nobody reads on. */
const MAX_PROBLEMS = 1000;
/** Interfaces and sources that the entries may name, for each entry that there may be: as for static routes of the configuration. */
const EXTENT_PER_ENTRY = 16;

export class UpdatePlan {
  readonly problems: Problem[] = [];
  /** Of entries that somebody else has. */
  readonly conflicts: Problem[] = [];
  /** Who has the first of them. */
  conflictsWith = '';
  readonly puts: OwnedEntry[] = [];
  readonly drops: EntryKey[] = [];
  added = 0;
  changed = 0;
  unchanged = 0;
  readonly #owner: string;
  readonly #table: EntryTable;
  readonly #surroundings: Surroundings;
  readonly #routes = new FlowTable<OwnedRoute>();
  /** Where they are among the upserts; asked only when something is wrong. */
  readonly #planned: { readonly routes: OwnedRoute[]; readonly indexes: number[] } = { routes: [], indexes: [] };
  readonly #directions = new Directions();
  /** Index among the upserts, by interface and group. */
  readonly #memberships = new Map<string, number>();
  readonly #droppedFlows = new FlowTable<FlowPrefix>();
  #extent = 0;

  constructor(owner: string, table: EntryTable, surroundings: Surroundings) {
    this.#owner = owner;
    this.#table = table;
    this.#surroundings = surroundings;
  }

  /** Enough is wrong. */
  get isHopeless(): boolean {
    return this.problems.length + this.conflicts.length >= MAX_PROBLEMS;
  }

  /** One by one, in their order. */
  upsert(entry: OwnedEntry, index: number): void {
    const key = keyOfEntry(entry);
    const earlier = this.#note(entry, index);
    if (earlier !== undefined) {
      const what = entry.kind === 'route' ? 'the group and source' : 'the interface and group';
      this.problems.push(problem(indexPath('upserts', index), `has ${what} of ${indexPath('upserts', earlier)}`));
      return;
    }
    const existing = this.#table.get(key);
    const holder = this.#inConfiguration(key) ? CONFIG_OWNER : existing === undefined ? this.#owner : ownerOf(existing);
    if (holder !== this.#owner) return this.#conflict(index, holder);
    this.#sort(entry, existing);
  }

  /** After all upserts. */
  delete(key: EntryKey, index: number): void {
    if (this.#isPlanned(key)) this.problems.push(problem(indexPath('deletes', index), 'is among the upserts too'));
    else this.#drop(key);
  }

  /** For the owner's entries that are not among the upserts. After all of these. */
  replace(entry: OwnedEntry): void {
    const key = keyOfEntry(entry);
    if (ownerOf(entry) === this.#owner && !this.#isPlanned(key)) this.#drop(key);
  }

  /** Of the upsert, once everything that comes and goes is known. */
  checkLoop(entry: OwnedEntry): void {
    if (entry.kind !== 'route' || this.isHopeless) return;
    const { route } = entry;
    const configured = loopWith(route, this.#surroundings, () => true);
    const kept = configured ?? loopWith(route, this.#table.routeSet, (other) => !this.#isReplaced(other));
    if (kept !== undefined) return this.#blame(route, kept, `a route of "${kept.owner}"`);
    // The later of two upserts is blamed, once.
    const isEarlier = (other: OwnedRoute): boolean => this.#indexOf(other) < this.#indexOf(route);
    const other = loopWith(route, { routes: this.#routes, directions: this.#directions }, isEarlier);
    if (other !== undefined) this.#blame(route, other, indexPath('upserts', this.#indexOf(other)));
  }

  /** Beyond what the limit allows; undefined: within it. */
  excess(): string | undefined {
    const { limit } = this.#surroundings;
    const entries = this.#table.size + this.added - this.drops.length;
    if (entries > limit && this.added > this.drops.length) return `${entries} entries of all owners; limits.static_entries allows ${limit}`;
    const extent = this.#table.extent + this.#extent;
    const allowed = limit * EXTENT_PER_ENTRY;
    return extent > allowed && this.#extent > 0 ? `${extent} downstreams and sources in all entries; ${allowed} are allowed` : undefined;
  }

  /** The earlier upsert of the same key. */
  #note(entry: OwnedEntry, index: number): number | undefined {
    if (entry.kind === 'route') {
      const earlier = this.#routes.get(entry.route);
      if (earlier !== undefined) return this.#indexOf(earlier);
      this.#routes.set(entry.route);
      this.#planned.routes.push(entry.route);
      this.#planned.indexes.push(index);
      this.#directions.add(entry.route);
      return undefined;
    }
    const name = membershipName(keyOfEntry(entry));
    const earlier = this.#memberships.get(name);
    if (earlier === undefined) this.#memberships.set(name, index);
    return earlier;
  }

  #indexOf(route: OwnedRoute): number {
    return this.#planned.indexes[this.#planned.routes.indexOf(route)] ?? 0;
  }

  #blame(route: OwnedRoute, other: OwnedRoute, whose: string): void {
    if (!this.isHopeless) this.problems.push(problem(indexPath('upserts', this.#indexOf(route)), loopText(route, other, whose)));
  }

  #sort(entry: OwnedEntry, existing: OwnedEntry | undefined): void {
    if (existing !== undefined && sameEntry(entry, existing)) {
      this.unchanged++;
      return;
    }
    this.puts.push(entry);
    this.#extent += extentOf(entry) - (existing === undefined ? 0 : extentOf(existing));
    if (existing === undefined) this.added++;
    else this.changed++;
  }

  #conflict(index: number, holder: string): void {
    if (this.conflictsWith === '') this.conflictsWith = holder;
    const whose = holder === CONFIG_OWNER ? 'is in the configuration' : `is an entry of "${holder}"`;
    this.conflicts.push(problem(indexPath('upserts', index), whose));
  }

  #drop(key: EntryKey): void {
    const existing = this.#table.get(key);
    if (existing === undefined || ownerOf(existing) !== this.#owner || this.#isDropped(key)) {
      this.unchanged++;
      return;
    }
    this.drops.push(key);
    this.#extent -= extentOf(existing);
    if (key.kind === 'route') this.#droppedFlows.set(key.flow);
    else this.#memberships.set(membershipName(key), -1);
  }

  #isPlanned(key: EntryKey): boolean {
    if (key.kind === 'route') return this.#routes.get(key.flow) !== undefined;
    return (this.#memberships.get(membershipName(key)) ?? -1) >= 0;
  }

  #isDropped(key: EntryKey): boolean {
    return key.kind === 'route' ? this.#droppedFlows.get(key.flow) !== undefined : this.#memberships.get(membershipName(key)) === -1;
  }

  #isReplaced(route: OwnedRoute): boolean {
    return this.#routes.get(route) !== undefined || this.#droppedFlows.get(route) !== undefined;
  }

  #inConfiguration(key: EntryKey): boolean {
    if (key.kind === 'route') return this.#surroundings.routes.get(key.flow) !== undefined;
    return this.#surroundings.membership(key.interface, key.group) !== undefined;
  }
}

function membershipName(key: EntryKey): string {
  return key.kind === 'route' ? '' : `${key.interface}/${key.group}`;
}

function sameEntry(a: OwnedEntry, b: OwnedEntry): boolean {
  if (a.kind === 'route') return b.kind === 'route' && sameRouteEntry(a.route, b.route);
  return b.kind === 'membership' && sameMembershipEntry(a.membership, b.membership);
}
