/**
 * A group record as the tables of RFC 3376 §6.4 take it, whatever message it came in (§7.3.2: a v1 or v2 report means IS_EX({}), a leave
 * TO_IN({})). Types and the translation; judges nothing.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType, type GroupRecord, type IgmpLeave, type IgmpReportV1, type IgmpReportV2 } from '../message';

export interface AdmittedRecord {
  readonly group: Ipv4;
  readonly type: RecordType;
  readonly sources: readonly Ipv4[];
  readonly reporter: Ipv4;
  /** Of the message it came in. */
  readonly version: 1 | 2 | 3;
  readonly isLeave: boolean;
  /** What SSM mapping named for the group: the record asked for every source, or left them all. */
  readonly mapped: readonly Ipv4[] | undefined;
}

const NO_SOURCES: readonly Ipv4[] = [];

export function recordOfV3({ group, type, sources }: GroupRecord, reporter: Ipv4): AdmittedRecord {
  return { group, type, sources, reporter, version: 3, isLeave: false, mapped: undefined };
}

export function recordOfOlder({ kind, group }: IgmpReportV1 | IgmpReportV2 | IgmpLeave, reporter: Ipv4): AdmittedRecord {
  const isLeave = kind === 'leave';
  const type = isLeave ? RecordType.CHANGE_TO_INCLUDE_MODE : RecordType.MODE_IS_EXCLUDE;
  const version = kind === 'report-v1' ? 1 : 2;
  return { group, type, sources: NO_SOURCES, reporter, version, isLeave, mapped: undefined };
}

/** It speaks of the group without naming wanted sources: what RFC 4604 §3.1, §3.5, §3.7 keeps out of the source-specific range. */
export function isAnySource({ type, isLeave }: AdmittedRecord): boolean {
  return isLeave || type === RecordType.MODE_IS_EXCLUDE || type === RecordType.CHANGE_TO_EXCLUDE_MODE;
}

/** Whether an unknown group, INCLUDE({}) in the tables, becomes more than that by this record. */
export function asksForTraffic({ type, sources }: AdmittedRecord): boolean {
  switch (type) {
    case RecordType.MODE_IS_EXCLUDE:
    case RecordType.CHANGE_TO_EXCLUDE_MODE:
      return true;
    case RecordType.BLOCK_OLD_SOURCES:
      return false;
    default:
      return sources.length > 0;
  }
}
