/**
 * The static memberships that the API wants beside those of the configuration, on their way to the machines of the interfaces; a machine
 * that is new gets all of its interface. Piece by piece; pure.
 */
import type { IgmpRouterInterface, StaticGroupChange } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { StaticMembershipChange } from '../static/follower';
import type { Port } from './port';

interface Place {
  readonly name: string;
  readonly group: Ipv4;
}

export class StaticMemberships {
  readonly #wanted = new Map<string, Map<Ipv4, readonly Ipv4[]>>();
  /** Each machine that has been told, or is being told. */
  readonly #told = new Map<string, IgmpRouterInterface | undefined>();
  /** What is still to be looked at. */
  readonly #work: Iterator<Place>[] = [];

  get isBehind(): boolean {
    return this.#work.length > 0;
  }

  change(changes: readonly StaticMembershipChange[]): void {
    for (const { interface: name, group, sources } of changes) {
      const groups = this.#wanted.get(name) ?? new Map<Ipv4, readonly Ipv4[]>();
      this.#wanted.set(name, groups);
      if (sources === undefined) groups.delete(group);
      else groups.set(group, sources);
    }
    if (changes.length > 0) this.#work.push(changes.map(({ interface: name, group }) => ({ name, group })).values());
  }

  interfacesChanged(ports: readonly Port[]): void {
    for (const { name, igmp } of ports) {
      if (this.#told.get(name) === igmp) continue;
      this.#told.set(name, igmp);
      const groups = this.#wanted.get(name);
      if (igmp !== undefined && groups !== undefined && groups.size > 0) this.#work.push(placesOf(name, groups));
    }
  }

  /** The next so many, by the name of their interface. */
  take(count: number): ReadonlyMap<string, readonly StaticGroupChange[]> {
    const taken = new Map<string, StaticGroupChange[]>();
    for (let left = count; left > 0; left--) {
      const next = this.#work[0]?.next();
      if (next === undefined) break;
      if (next.done === true) {
        this.#work.shift();
        continue;
      }
      const { name, group } = next.value;
      const change = { group, sources: this.#wanted.get(name)?.get(group) };
      const changes = taken.get(name);
      if (changes === undefined) taken.set(name, [change]);
      else changes.push(change);
    }
    return taken;
  }
}

function* placesOf(name: string, groups: ReadonlyMap<Ipv4, unknown>): Iterator<Place> {
  for (const group of groups.keys()) yield { name, group };
}
