/**
 * What is listened to on the interface, group by group, and which of it differs from what was last announced.
 * Owns the answer to "what has changed since?"; never knows of messages, versions or time.
 *
 * Changes are held against the state of the last announcement, not against each other: what is changed and changed back between two
 * announcements was never heard of by a router, and is no change. Repetitions of older changes go on, with what is wanted then.
 */
import { isLocalNetworkControl, isMulticast, type Ipv4 } from '../../packet/address';
import type { HostFilter } from './api';
import { filterOf, isNothing, NOTHING, sameFilter, type Filter } from './filter';

export interface FilterChange {
  readonly group: Ipv4;
  readonly before: Filter;
  readonly after: Filter;
}

/** What reporters see of it. */
export interface FilterView {
  readonly size: number;
  /** NOTHING for a group nobody asked for. */
  of(group: Ipv4): Filter;
  [Symbol.iterator](): IterableIterator<[Ipv4, Filter]>;
}

export class WantedFilters implements FilterView {
  readonly #filters = new Map<Ipv4, Filter>();
  /** What was last announced of the groups that are different now. */
  readonly #announced = new Map<Ipv4, Filter>();

  get size(): number {
    return this.#filters.size;
  }

  get hasChanges(): boolean {
    return this.#announced.size > 0;
  }

  of(group: Ipv4): Filter {
    return this.#filters.get(group) ?? NOTHING;
  }

  [Symbol.iterator](): IterableIterator<[Ipv4, Filter]> {
    return this.#filters[Symbol.iterator]();
  }

  set(group: Ipv4, wanted: HostFilter | undefined): void {
    if (!isReportable(group)) return;
    const after = filterOf(wanted);
    const before = this.of(group);
    if (sameFilter(before, after)) return;
    if (isNothing(after)) this.#filters.delete(group);
    else this.#filters.set(group, after);
    const announced = this.#announced.get(group) ?? before;
    if (sameFilter(announced, after)) this.#announced.delete(group);
    else this.#announced.set(group, announced);
  }

  /** From now on what is there now counts as announced. */
  takeChanges(): FilterChange[] {
    const changes = Array.from(this.#announced, ([group, before]) => ({ group, before, after: this.of(group) }));
    this.#announced.clear();
    return changes;
  }

  /** As if nothing had ever been announced: everything there is has just come. */
  forgetAnnouncements(): void {
    this.#announced.clear();
    for (const group of this.#filters.keys()) this.#announced.set(group, NOTHING);
  }
}

/**
 * RFC 3376 §5: "No IGMP messages are ever sent regarding the all-systems multicast address"; of the rest of 224.0.0.0/24 nothing is
 * ever forwarded (RFC 5771 §4), so there is nothing to ask a router for.
 */
function isReportable(group: Ipv4): boolean {
  return isMulticast(group) && !isLocalNetworkControl(group);
}
