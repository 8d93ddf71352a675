/**
 * How many groups and hosts there may be: counts them, refuses those beyond the limits, and says when a limit comes near. Never looks
 * into a group; what is there stays, whatever the limits become.
 */
import { prefixContains, type Ipv4 } from '../../packet/address';
import type { IgmpDropReason } from '../message';
import type { IgmpLimits, MembershipBudget } from './api';
import type { LogTopic, Turn } from './turn';
import { UsageAlarm } from './usage-alarm';

export class Places {
  #groups = 0;
  #hosts = 0;
  /** Groups of each host that has any. */
  readonly #groupsOfHost = new Map<Ipv4, number>();
  #budget: MembershipBudget;
  readonly #alarms = {
    groups: new UsageAlarm('groups', 'group limit'),
    total: new UsageAlarm('total', 'limit of all memberships'),
    hosts: new UsageAlarm('hosts', 'limit of tracked hosts'),
  };

  constructor({ total }: IgmpLimits) {
    this.#budget = total;
  }

  /** Another budget takes over what this machine holds of the old one. */
  changeBudget(budget: MembershipBudget): void {
    if (budget === this.#budget) return;
    this.#budget.used -= this.#groups;
    budget.used += this.#groups;
    this.#budget = budget;
  }

  /** Says what there is to say about the limits as they are now. */
  watch(turn: Turn): void {
    this.#watchGroups(turn);
    this.#alarms.hosts.update(this.#hosts, turn.settings.limits.trackedHosts, turn);
  }

  /** Why no new group may be counted. */
  refuseGroup(turn: Turn): IgmpDropReason | undefined {
    const { groups } = turn.settings.limits;
    if (this.#groups >= groups) {
      return refuse(turn, 'group_limit', 'group-limit', () => `group limit of ${groups} reached, new groups are refused`);
    }
    const { used, limit } = this.#budget;
    if (used < limit) return undefined;
    return refuse(
      turn,
      'total_limit',
      'total-limit',
      () => `limit of all memberships (${limit}) reached, new groups are refused`,
    );
  }

  /** Why this host may not be in one more counted group. Never 0.0.0.0: it is many hosts, and none is remembered. */
  refuseHost(host: Ipv4, turn: Turn): IgmpDropReason | undefined {
    const { groupsPerHost } = turn.settings.limits;
    if ((this.#groupsOfHost.get(host) ?? 0) < groupsPerHost) return undefined;
    return refuse(
      turn,
      'host_limit',
      'host-limit',
      () => `limit of ${groupsPerHost} groups for each host reached, more are refused`,
    );
  }

  takeGroup(turn: Turn): void {
    this.#groups += 1;
    this.#budget.used += 1;
    this.#watchGroups(turn);
  }

  releaseGroup(turn: Turn): void {
    this.#groups -= 1;
    this.#budget.used -= 1;
    this.#watchGroups(turn);
  }

  /** False when as many hosts are remembered as may be. */
  takeHost(host: Ipv4, isCounted: boolean, turn: Turn): boolean {
    const { trackedHosts } = turn.settings.limits;
    if (this.#hosts >= trackedHosts) {
      turn.logSparingly(
        'tracking-limit',
        'warn',
        () => `limit of ${trackedHosts} tracked hosts reached, new hosts are not tracked`,
      );
      return false;
    }
    this.#hosts += 1;
    if (isCounted) this.countForHost(host, 1);
    this.#alarms.hosts.update(this.#hosts, trackedHosts, turn);
    return true;
  }

  releaseHost(host: Ipv4, isCounted: boolean, turn: Turn): void {
    this.#hosts -= 1;
    if (isCounted) this.countForHost(host, -1);
    this.#alarms.hosts.update(this.#hosts, turn.settings.limits.trackedHosts, turn);
  }

  /** A group of this host counts from now on, or counts no more. */
  countForHost(host: Ipv4, change: 1 | -1): void {
    const count = (this.#groupsOfHost.get(host) ?? 0) + change;
    if (count > 0) this.#groupsOfHost.set(host, count);
    else this.#groupsOfHost.delete(host);
  }

  #watchGroups(turn: Turn): void {
    this.#alarms.groups.update(this.#groups, turn.settings.limits.groups, turn);
    this.#alarms.total.update(this.#budget.used, this.#budget.limit, turn);
  }
}

export function isExempt(group: Ipv4, { exceptions }: IgmpLimits): boolean {
  return exceptions.length > 0 && exceptions.some((prefix) => prefixContains(prefix, group));
}

function refuse(turn: Turn, reason: IgmpDropReason, topic: LogTopic, text: () => string): IgmpDropReason {
  turn.count(reason);
  turn.logSparingly(topic, 'warn', text);
  return reason;
}
