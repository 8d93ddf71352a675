/**
 * What of the configuration static entries are held against: the names of its interfaces, its own static routes and memberships.
 */
import { NameBook } from '../config/name-book';
import type { Settings } from '../config/settings';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import { FlowTable } from '../protocol/packet/flow-table';
import { Directions } from './directions';
import { CONFIG_OWNER, type OwnedMembership, type OwnedRoute } from './entry';

interface Downstream {
  readonly ssmRange: Ipv4Prefix;
  readonly groups: ReadonlyMap<Ipv4, OwnedMembership>;
}

export class Surroundings {
  readonly names: NameBook;
  readonly limit: number;
  readonly routes = new FlowTable<OwnedRoute>();
  readonly directions = new Directions();
  readonly #downstreams: ReadonlyMap<string, Downstream>;

  constructor({ interfaces, staticRoutes, limits }: Settings) {
    this.names = new NameBook(interfaces.map(({ name }) => name));
    this.limit = limits.staticEntries;
    for (const route of staticRoutes) {
      this.routes.set({ ...route, owner: CONFIG_OWNER });
      this.directions.add(route);
    }
    const downstreams = interfaces.filter(({ upstream }) => upstream === undefined);
    this.#downstreams = new Map(
      downstreams.map(({ name, igmp: { ssmRange, staticGroups } }) => {
        const groups = new Map(staticGroups.map(({ group, sources }) => [group, { interface: name, group, sources, owner: CONFIG_OWNER }]));
        return [name, { ssmRange, groups }];
      }),
    );
  }

  /** undefined: no downstream interface. */
  ssmRangeOf(interfaceName: string): Ipv4Prefix | undefined {
    return this.#downstreams.get(interfaceName)?.ssmRange;
  }

  membership(interfaceName: string, group: Ipv4): OwnedMembership | undefined {
    return this.#downstreams.get(interfaceName)?.groups.get(group);
  }

  *memberships(): Iterable<OwnedMembership> {
    for (const { groups } of this.#downstreams.values()) yield* groups.values();
  }
}
