/**
 * A group that routers have not been told of yet, or not often enough: what is wanted, what was last announced, and what is left to
 * repeat. One object for all of it, so that a change costs one look-up; settled groups, which most are, have none.
 * Holds fields and never decides: those of the change are written by WantedFilters only, those of the repetition by
 * StateChangeReports, and reset by WantedFilters when there is no such reporter any more.
 */
import type { Ipv4 } from '../../packet/address';
import type { Scheduled } from '../deadline-queue';
import type { Filter } from './filter';
import { groupOf, type GroupKey } from './group-key';

/** Groups that were reported together and are repeated together: thousands of joins in a few packets stay a few packets. */
export interface Repetition extends Scheduled {
  /** Those that have left it since, by a newer change, have another `repetition` or none. */
  readonly groups: readonly UnsettledGroup[];
  /** How many have not left. */
  groupsLeft: number;
}

export class UnsettledGroup {
  readonly key: GroupKey;
  wanted: Filter;
  /** The same as `wanted` unless the group is among the changes. */
  announced: Filter;
  /** Place among the changes; -1: not among them. */
  changeIndex = -1;
  /** Reports that are still to carry a Filter-Mode-Change record. */
  modeReportsLeft = 0;
  /** Of each source: reports still to be sent since it was last in a difference, whichever records they carry. */
  sourceReportsLeft: Map<Ipv4, number> | undefined = undefined;
  /** undefined: nothing is to be repeated. */
  repetition: Repetition | undefined = undefined;

  constructor(key: GroupKey, wanted: Filter, announced: Filter) {
    this.key = key;
    this.wanted = wanted;
    this.announced = announced;
  }

  get group(): Ipv4 {
    return groupOf(this.key);
  }
}
