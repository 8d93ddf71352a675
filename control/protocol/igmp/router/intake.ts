/**
 * From the records of a report to those that may take effect: class of the group, source-specific range and mapping, versions that are
 * ignored, access. Owns the joins that wait for their sources; never sees the state of a group.
 */
import { prefixContains, type Ipv4 } from '../../packet/address';
import type { IgmpDropReason } from '../message';
import { permitted } from './access';
import { refuseGroup } from './admission';
import type { IgmpInterfaceSettings, SsmMapping } from './api';
import type { GroupTable } from './group-table';
import { isAnySource, type AdmittedRecord } from './record';
import { isForMapping, mappedRecord, PendingJoins } from './ssm-mapping';
import type { Turn } from './turn';

export class Intake {
  readonly #groups: GroupTable;
  readonly #pending = new PendingJoins();

  constructor(groups: GroupTable) {
    this.#groups = groups;
  }

  receive(record: AdmittedRecord, turn: Turn): void {
    const { settings } = turn;
    const reason = refuseGroup(record.group);
    if (reason !== undefined) return turn.count(reason);
    // Asked first: older reports never switch a group of this range to their version, so ignoring their version is not about them.
    if (prefixContains(settings.ssmRange, record.group)) return this.#receiveSourceSpecific(record, turn);
    if (isIgnoredVersion(record, settings)) return this.#refuse(record, 'version_ignored', turn);
    this.#apply(record, turn);
  }

  /** The mapping has another answer for the group: who waited for it joins, who joined by the last one gets the new one. */
  sourcesMapped(group: Ipv4, turn: Turn): void {
    const sources = this.#sourcesOf(turn.settings.ssmMapping, group, turn);
    if (sources === 'pending') return;
    for (const record of this.#pending.take(group, turn.nowMs)) {
      if (sources === undefined) turn.count('ssm_ignored');
      else this.#apply(mappedRecord(record, sources), turn);
    }
    const mapping = this.#groups.mappingOf(group);
    if (mapping === undefined) return;
    const known = new Set(mapping.sources);
    const added = (sources ?? []).filter((source) => !known.has(source));
    // What it names no more is refreshed no more, and runs out.
    this.#groups.setMapping(group, sources === undefined ? undefined : { ...mapping, sources });
    if (sources !== undefined && added.length > 0) this.#apply({ ...mapping.join, sources: added, mapped: sources }, turn);
  }

  /** Another mapping: as if it had told anew of every group that it may concern. */
  mappingChanged(turn: Turn): void {
    for (const group of new Set([...this.#pending.groups(), ...this.#groups.mappedGroups()])) this.sourcesMapped(group, turn);
  }

  clear(): void {
    this.#pending.clear();
  }

  #receiveSourceSpecific(record: AdmittedRecord, turn: Turn): void {
    if (!isAnySource(record)) return this.#apply(record, turn);
    const { ssmMapping } = turn.settings;
    if (!isForMapping(ssmMapping, record)) return this.#refuse(record, 'ssm_ignored', turn);
    if (record.isLeave) this.#pending.forget(record.group, record.reporter);
    const answer = this.#sourcesOf(ssmMapping, record.group, turn);
    // Asked for again while it is there: until there is a new answer the last one holds.
    const sources = answer === 'pending' ? (this.#groups.mappingOf(record.group)?.sources ?? answer) : answer;
    if (sources === undefined) return this.#refuse(record, 'ssm_ignored', turn);
    if (sources !== 'pending') return this.#apply(mappedRecord(record, sources), turn);
    if (!record.isLeave) this.#wait(record, turn);
  }

  #wait(record: AdmittedRecord, turn: Turn): void {
    const untilMs = turn.nowMs + turn.intervals.groupMembershipIntervalMs;
    if (!this.#pending.add(record, { nowMs: turn.nowMs, untilMs }, turn.settings.limits.groups)) turn.count('group_limit');
  }

  #apply(record: AdmittedRecord, turn: Turn): void {
    const allowed = permitted(record, turn.settings.access);
    if (allowed === undefined) return this.#refuse(record, 'access_denied', turn);
    if (allowed !== record) turn.count('access_denied');
    this.#groups.apply(allowed, turn);
  }

  #refuse(record: AdmittedRecord, reason: IgmpDropReason, turn: Turn): void {
    turn.count(reason);
    if (record.version < 3 && !record.isLeave) this.#groups.suppressorHeard(record.group, turn);
  }

  /** undefined also for no sources at all, which would make a join of nothing. */
  #sourcesOf(mapping: SsmMapping | undefined, group: Ipv4, { settings }: Turn): readonly Ipv4[] | 'pending' | undefined {
    if (mapping === undefined || !prefixContains(settings.ssmRange, group)) return undefined;
    const sources = mapping.sourcesOf(group);
    return sources === undefined || sources.length === 0 ? undefined : sources;
  }
}

function isIgnoredVersion({ version }: AdmittedRecord, { ignoreV1, ignoreV2 }: IgmpInterfaceSettings): boolean {
  return (version === 1 && ignoreV1) || (version === 2 && ignoreV2);
}
