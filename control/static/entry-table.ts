/**
 * All entries of all owners, and the owners. Bookkeeping only: what may be in it is decided before. Every call costs the same however many
 * there are, but those that say that they walk.
 */
import type { Ipv4 } from '../protocol/packet/address';
import { FlowTable, type FlowPrefix } from '../protocol/packet/flow-table';
import { Directions, type RouteSet } from './directions';
import type { EntryKey, OwnedEntry, OwnedMembership, OwnedRoute } from './entry';
import type { MembershipPlace, StaticSource } from './follower';

export interface Owner {
  readonly name: string;
  /** Of its last change; the store's own numbers, so that no two changes have the same. */
  readonly revision: number;
  readonly programmedRevision: number;
  /** undefined: its entries stay. */
  readonly leaseMs: number | undefined;
  /** When they go, on the monotonic clock. */
  readonly deadlineMs: number | undefined;
  readonly routes: number;
  readonly memberships: number;
}

type Counted = { -readonly [Field in keyof Owner]: Owner[Field] };

export class EntryTable implements StaticSource {
  readonly byFlow = new FlowTable<OwnedRoute>();
  /** Ways of packets that the routes make. */
  readonly directions = new Directions();
  readonly #memberships = new Map<string, Map<Ipv4, OwnedMembership>>();
  readonly #owners = new Map<string, Counted>();
  #membershipCount = 0;
  #extent = 0;

  get size(): number {
    return this.byFlow.size + this.#membershipCount;
  }

  get membershipCount(): number {
    return this.#membershipCount;
  }

  /** Interfaces and sources that the entries name. */
  get extent(): number {
    return this.#extent;
  }

  get owners(): Iterable<Owner> {
    return this.#owners.values();
  }

  /** To compare routes with. */
  get routeSet(): RouteSet<OwnedRoute> {
    return { routes: this.byFlow, directions: this.directions };
  }

  route(flow: FlowPrefix): OwnedRoute | undefined {
    return this.byFlow.get(flow);
  }

  routes(): Iterable<OwnedRoute> {
    return this.byFlow.values();
  }

  sourcesOf({ interface: name, group }: MembershipPlace): readonly Ipv4[] | undefined {
    return this.membership(name, group)?.sources;
  }

  groupsOf(interfaceName: string): Iterable<Ipv4> {
    return this.#memberships.get(interfaceName)?.keys() ?? [];
  }

  owner(name: string): Owner | undefined {
    return this.#owners.get(name);
  }

  get(key: EntryKey): OwnedEntry | undefined {
    if (key.kind === 'route') {
      const route = this.byFlow.get(key.flow);
      return route === undefined ? undefined : { kind: 'route', route };
    }
    const membership = this.membership(key.interface, key.group);
    return membership === undefined ? undefined : { kind: 'membership', membership };
  }

  membership(interfaceName: string, group: Ipv4): OwnedMembership | undefined {
    return this.#memberships.get(interfaceName)?.get(group);
  }

  put(entry: OwnedEntry): void {
    this.drop(keyOfEntry(entry));
    const name = ownerOf(entry);
    if (entry.kind === 'route') {
      this.byFlow.set(entry.route);
      this.directions.add(entry.route);
    } else {
      const { interface: interfaceName, group } = entry.membership;
      const groups = this.#memberships.get(interfaceName) ?? new Map<Ipv4, OwnedMembership>();
      groups.set(group, entry.membership);
      this.#memberships.set(interfaceName, groups);
      this.#membershipCount++;
    }
    this.#extent += extentOf(entry);
    this.#count(name, entry.kind, 1);
  }

  drop(key: EntryKey): void {
    const entry = this.get(key);
    if (entry === undefined) return;
    if (entry.kind === 'route') {
      this.byFlow.delete(entry.route);
      this.directions.remove(entry.route);
    } else {
      this.#memberships.get(entry.membership.interface)?.delete(entry.membership.group);
      this.#membershipCount--;
    }
    this.#extent -= extentOf(entry);
    this.#count(ownerOf(entry), entry.kind, -1);
  }

  /** Of an owner that has entries, or will have some in the same turn. */
  setOwner(name: string, changes: Partial<Pick<Owner, 'revision' | 'programmedRevision' | 'leaseMs' | 'deadlineMs'>>): void {
    this.#owners.set(name, { ...(this.#owners.get(name) ?? newOwner(name)), ...changes });
  }

  /** An owner without entries is none. */
  forgetIfEmpty(name: string): void {
    const owner = this.#owners.get(name);
    if (owner !== undefined && owner.routes + owner.memberships === 0) this.#owners.delete(name);
  }

  /** Walks over all. */
  *entries(): Iterable<OwnedEntry> {
    for (const route of this.byFlow.values()) yield { kind: 'route', route };
    for (const groups of this.#memberships.values()) for (const membership of groups.values()) yield { kind: 'membership', membership };
  }

  #count(name: string, kind: OwnedEntry['kind'], by: 1 | -1): void {
    const owner = this.#owners.get(name) ?? newOwner(name);
    if (kind === 'route') owner.routes += by;
    else owner.memberships += by;
    this.#owners.set(name, owner);
  }
}

export function keyOfEntry(entry: OwnedEntry): EntryKey {
  if (entry.kind === 'route') return { kind: 'route', flow: flowOf(entry.route) };
  return { kind: 'membership', interface: entry.membership.interface, group: entry.membership.group };
}

export function ownerOf(entry: OwnedEntry): string {
  return entry.kind === 'route' ? entry.route.owner : entry.membership.owner;
}

export function extentOf(entry: OwnedEntry): number {
  return entry.kind === 'route' ? entry.route.downstreams.length : entry.membership.sources.length;
}

export function flowOf({ group, source }: FlowPrefix): FlowPrefix {
  return { group, source };
}

function newOwner(name: string): Counted {
  return { name, revision: 0, programmedRevision: 0, leaseMs: undefined, deadlineMs: undefined, routes: 0, memberships: 0 };
}
