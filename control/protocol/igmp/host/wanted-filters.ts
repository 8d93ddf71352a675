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
import { groupOf, keyOf, type GroupKey } from './group-key';
import { UnsettledGroup } from './unsettled-group';

/** What reporters see of it. */
export interface FilterView {
  readonly size: number;
  /** NOTHING for a group nobody asked for. */
  of(group: Ipv4): Filter;
  /** All that are wanted. */
  [Symbol.iterator](): IterableIterator<[Ipv4, Filter]>;
  /** Nothing is left to repeat of the group. */
  settle(group: UnsettledGroup): void;
}

export class WantedFilters implements FilterView {
  /** Of a settled group just its filter. Groups that are not wanted are here while they are unsettled. */
  readonly #groups = new Map<GroupKey, Filter | UnsettledGroup>();
  /** Each at its changeIndex. */
  #changes: UnsettledGroup[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Groups of which something else is wanted than was announced. */
  get changes(): readonly UnsettledGroup[] {
    return this.#changes;
  }

  of(group: Ipv4): Filter {
    return wantedIn(this.#groups.get(keyOf(group)));
  }

  *[Symbol.iterator](): IterableIterator<[Ipv4, Filter]> {
    for (const [key, entry] of this.#groups) {
      const filter = wantedIn(entry);
      if (!isNothing(filter)) yield [groupOf(key), filter];
    }
  }

  /** Whether that is something else than before. */
  set(group: Ipv4, wanted: HostFilter | undefined): boolean {
    if (!isReportable(group)) return false;
    const key = keyOf(group);
    const entry = this.#groups.get(key);
    const before = wantedIn(entry);
    const after = filterOf(wanted);
    if (sameFilter(before, after)) return false;
    this.#size += Number(isNothing(before)) - Number(isNothing(after));
    const unsettled = entry instanceof UnsettledGroup ? entry : this.#unsettle(key, before);
    unsettled.wanted = after;
    this.#compare(unsettled);
    return true;
  }

  /** From now on what is there now counts as announced. */
  markAnnounced(): void {
    const changes = this.#changes;
    this.#changes = [];
    for (const group of changes) {
      group.announced = group.wanted;
      group.changeIndex = -1;
      this.settle(group);
    }
  }

  /** As if nothing had ever been announced: everything there is has just come. */
  forgetAnnouncements(): void {
    this.markAnnounced();
    for (const [key, entry] of this.#groups) {
      const unsettled = entry instanceof UnsettledGroup ? entry : this.#unsettle(key, entry);
      unsettled.announced = NOTHING;
      this.#compare(unsettled);
    }
  }

  /** Whoever was repeating changes does so no more. */
  forgetRepetitions(): void {
    for (const entry of this.#groups.values()) {
      if (!(entry instanceof UnsettledGroup)) continue;
      entry.modeReportsLeft = 0;
      entry.sourceReportsLeft = undefined;
      entry.repetition = undefined;
      this.settle(entry);
    }
  }

  settle(group: UnsettledGroup): void {
    if (group.changeIndex >= 0 || group.repetition !== undefined) return;
    if (isNothing(group.wanted)) this.#groups.delete(group.key);
    else this.#groups.set(group.key, group.wanted);
  }

  #unsettle(key: GroupKey, filter: Filter): UnsettledGroup {
    const unsettled = new UnsettledGroup(key, filter, filter);
    this.#groups.set(key, unsettled);
    return unsettled;
  }

  /** Among the changes, or not. */
  #compare(group: UnsettledGroup): void {
    const isChanged = !sameFilter(group.announced, group.wanted);
    if (!isChanged) {
      this.#leaveChanges(group);
      this.settle(group);
    } else if (group.changeIndex < 0) {
      group.changeIndex = this.#changes.push(group) - 1;
    }
  }

  /** The last one takes its place. */
  #leaveChanges(group: UnsettledGroup): void {
    const index = group.changeIndex;
    if (index < 0) return;
    group.changeIndex = -1;
    const last = this.#changes.pop();
    if (last === undefined || last === group) return;
    last.changeIndex = index;
    this.#changes[index] = last;
  }
}

function wantedIn(entry: Filter | UnsettledGroup | undefined): Filter {
  if (entry === undefined) return NOTHING;
  return entry instanceof UnsettledGroup ? entry.wanted : entry;
}

/**
 * RFC 3376 §5: "No IGMP messages are ever sent regarding the all-systems multicast address"; of the rest of 224.0.0.0/24 nothing is
 * ever forwarded (RFC 5771 §4), so there is nothing to ask a router for.
 */
function isReportable(group: Ipv4): boolean {
  return isMulticast(group) && !isLocalNetworkControl(group);
}
