/**
 * Which joins the access rules permit: the first rule that matches decides, what none matches is denied, unless there is no rule.
 * Never refuses what only takes away: a host must always be able to leave.
 */
import { prefixContains, type Ipv4 } from '../../packet/address';
import { RecordType } from '../message';
import type { AccessRule } from './api';
import type { AdmittedRecord } from './record';

/** What of the record may take effect: the record itself, fewer of its sources, or undefined for nothing at all. */
export function permitted(record: AdmittedRecord, rules: readonly AccessRule[]): AdmittedRecord | undefined {
  if (rules.length === 0) return record;
  switch (record.type) {
    case RecordType.BLOCK_OLD_SOURCES:
      return record;
    case RecordType.MODE_IS_EXCLUDE:
    case RecordType.CHANGE_TO_EXCLUDE_MODE:
      return permits(rules, record, undefined) ? record : undefined;
    default: {
      const sources = record.sources.filter((source) => permits(rules, record, source));
      if (sources.length === record.sources.length) return record;
      // TO_IN of nothing that is permitted still says that the host wants nothing else any more.
      const takesAway = record.type === RecordType.CHANGE_TO_INCLUDE_MODE;
      return sources.length > 0 || takesAway ? { ...record, sources } : undefined;
    }
  }
}

function permits(rules: readonly AccessRule[], { group, reporter }: AdmittedRecord, source: Ipv4 | undefined): boolean {
  for (const rule of rules) {
    if (!prefixContains(rule.group, group) || !prefixContains(rule.reporter, reporter)) continue;
    if (rule.source === undefined || (source !== undefined && prefixContains(rule.source, source))) return rule.permit;
  }
  return false;
}
