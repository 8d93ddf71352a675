/**
 * The static memberships that the API wants beside those of the configuration, on their way to the machines of the interfaces; a machine
 * that is new gets all of its interface. Piece by piece; pure.
 */
import type { IgmpRouterInterface, StaticGroupChange } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import { NOTHING_WANTED, type MembershipPlace, type StaticSource } from '../static/follower';
import type { Port } from './port';

export class StaticMemberships {
  #wanted = NOTHING_WANTED;
  /** Each machine that has been told, or is being told. */
  readonly #told = new Map<string, IgmpRouterInterface | undefined>();
  /** What is still to be looked at. */
  readonly #work: Iterator<MembershipPlace>[] = [];

  get isBehind(): boolean {
    return this.#work.length > 0;
  }

  follow(wanted: StaticSource): void {
    this.#wanted = wanted;
  }

  changed(places: readonly MembershipPlace[]): void {
    if (places.length > 0) this.#work.push(places.values());
  }

  interfacesChanged(ports: readonly Port[]): void {
    for (const { name, igmp } of ports) {
      if (this.#told.get(name) === igmp) continue;
      this.#told.set(name, igmp);
      if (igmp !== undefined) this.#work.push(placesOf(name, this.#wanted.groupsOf(name)));
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
      const { interface: name, group } = next.value;
      const change = { group, sources: this.#wanted.sourcesOf(next.value) };
      const changes = taken.get(name);
      if (changes === undefined) taken.set(name, [change]);
      else changes.push(change);
    }
    return taken;
  }
}

function* placesOf(name: string, groups: Iterable<Ipv4>): Iterator<MembershipPlace> {
  for (const group of groups) yield { interface: name, group };
}
