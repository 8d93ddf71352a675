/**
 * Joins that name no source, in the source-specific range, by hosts that cannot name one: what SSM mapping makes of them. Remembers
 * those whose sources are not known yet, within a bound.
 * DEVIATION(RFC4604 3.5): such joins (§3.1, §3.7 too) should be ignored, because nobody knows what they mean; with a mapping it is known.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType } from '../message';
import type { SsmMapping } from './api';
import type { AdmittedRecord } from './record';

/** What a group's hosts got by mapping when it was last asked, and who was the last to join so. */
export interface Mapping {
  readonly sources: readonly Ipv4[];
  readonly join: AdmittedRecord;
}

/** Whether the mapping is for such a record at all. */
export function isForMapping(mapping: SsmMapping | undefined, { version }: AdmittedRecord): mapping is SsmMapping {
  return mapping !== undefined && (version < 3 || mapping.anySourceV3);
}

/** A join as IS_IN of what was named (without what an EXCLUDE record excludes), a leave as BLOCK of the same. */
export function mappedRecord(record: AdmittedRecord, mapped: readonly Ipv4[]): AdmittedRecord {
  if (record.isLeave) return { ...record, type: RecordType.BLOCK_OLD_SOURCES, sources: mapped, mapped };
  const excluded = new Set(record.sources);
  const sources = excluded.size === 0 ? mapped : mapped.filter((source) => !excluded.has(source));
  return { ...record, type: RecordType.MODE_IS_INCLUDE, sources, mapped };
}

interface PendingJoin {
  readonly record: AdmittedRecord;
  readonly untilMs: number;
}

/** Joins that wait for their sources: one for each host of a group. */
export class PendingJoins {
  readonly #groups = new Map<Ipv4, Map<Ipv4, PendingJoin>>();
  #count = 0;

  /** False when there is no room. */
  add(record: AdmittedRecord, time: { readonly nowMs: number; readonly untilMs: number }, limit: number): boolean {
    const known = this.#groups.get(record.group)?.has(record.reporter) === true;
    if (!known && this.#count >= limit) this.#forgetSilent(time.nowMs);
    if (!known && this.#count >= limit) return false;
    const joins = this.#groups.get(record.group) ?? new Map<Ipv4, PendingJoin>();
    this.#groups.set(record.group, joins);
    joins.set(record.reporter, { record, untilMs: time.untilMs });
    if (!known) this.#count += 1;
    return true;
  }

  /** The host has left. */
  forget(group: Ipv4, reporter: Ipv4): void {
    const joins = this.#groups.get(group);
    if (joins?.delete(reporter) !== true) return;
    this.#count -= 1;
    if (joins.size === 0) this.#groups.delete(group);
  }

  /** Those of the group that hosts still stand by; they wait no more. */
  take(group: Ipv4, nowMs: number): readonly AdmittedRecord[] {
    const joins = [...(this.#groups.get(group)?.values() ?? [])];
    this.#groups.delete(group);
    this.#count -= joins.length;
    return joins.filter(({ untilMs }) => untilMs > nowMs).map(({ record }) => record);
  }

  groups(): readonly Ipv4[] {
    return [...this.#groups.keys()];
  }

  clear(): void {
    this.#groups.clear();
    this.#count = 0;
  }

  #forgetSilent(nowMs: number): void {
    for (const [group, joins] of this.#groups) {
      for (const [reporter, { untilMs }] of joins) if (untilMs <= nowMs) this.forget(group, reporter);
    }
  }
}
