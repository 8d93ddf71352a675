/**
 * Groups with hosts of older versions (RFC 3376 §7.3.2): which version a group is in, and what that makes of a v3 record.
 * Never knows of queries or of group state.
 */
import { prefixContains, type Ipv4 } from '../../packet/address';
import { RecordType } from '../message';
import type { IgmpInterfaceSettings } from './api';
import type { AdmittedRecord } from './record';

export type IgmpVersion = 1 | 2 | 3;

/** The Older Version Host Present timers of one group, as the times they run out; 0 when no such host was ever heard. */
export interface OlderHosts {
  readonly group: Ipv4;
  v1PresentUntilMs: number;
  v2PresentUntilMs: number;
}

export function noteOlderHost(hosts: OlderHosts, version: 1 | 2, presentUntilMs: number): void {
  if (version === 1) hosts.v1PresentUntilMs = presentUntilMs;
  else hosts.v2PresentUntilMs = presentUntilMs;
}

/**
 * Group Compatibility Mode. The version of the interface is an upper bound: where queries are v1 or v2 (§7.3.1), hosts cannot be asked
 * about sources, and with v1 not about groups either, so records that need such a question to be safe must not take effect.
 * RFC 4604 §3.1, §3.5: hosts never take a source-specific group there; those of older versions are in it by mapping at most.
 */
export function compatibilityVersion(hosts: OlderHosts, settings: IgmpInterfaceSettings, nowMs: number): IgmpVersion {
  if (settings.version === 1) return 1;
  const bySettings = settings.version;
  if (prefixContains(settings.ssmRange, hosts.group)) return bySettings;
  if (hosts.v1PresentUntilMs > nowMs) return 1;
  return bySettings === 2 || hosts.v2PresentUntilMs > nowMs ? 2 : 3;
}

/** What of a record takes effect in its group. */
export interface EffectiveRecord {
  readonly type: RecordType;
  /** undefined: the record is ignored. */
  readonly sources: readonly Ipv4[] | undefined;
  /** The record, or a part of it, was ignored. */
  readonly reduced: boolean;
}

export function effectiveRecord(
  record: AdmittedRecord,
  hosts: OlderHosts,
  settings: IgmpInterfaceSettings,
  nowMs: number,
): EffectiveRecord {
  const { type, sources } = record;
  const hasMappedV1Host = hosts.v1PresentUntilMs > nowMs && prefixContains(settings.ssmRange, hosts.group);
  if (hasMappedV1Host) return besideMappedV1Host(type, sources);
  const version = compatibilityVersion(hosts, settings, nowMs);
  // A mapped leave asks every host of the group, in whatever version above 1 (see last-member-queries.ts).
  if (record.mapped !== undefined && version > 1) return { type, sources, reduced: false };
  return inCompatibilityMode(type, sources, version);
}

function inCompatibilityMode(type: RecordType, sources: readonly Ipv4[], version: IgmpVersion): EffectiveRecord {
  if (version === 3) return { type, sources, reduced: false };
  // "IGMPv3 BLOCK messages are ignored, as are source-lists in TO_EX() messages"; in version 1 TO_IN() too: an older host that still
  // wants the traffic could not object.
  if (type === RecordType.BLOCK_OLD_SOURCES) return { type, sources: undefined, reduced: true };
  if (type === RecordType.CHANGE_TO_EXCLUDE_MODE) return { type, sources: [], reduced: sources.length > 0 };
  if (type === RecordType.CHANGE_TO_INCLUDE_MODE && version === 1) return { type, sources: undefined, reduced: true };
  return { type, sources, reduced: false };
}

/**
 * §7.3.2 in spirit: RFC 1112 hosts answer no specific query, so nothing may be taken away on the word of another host while one of them
 * is in a source-specific group by mapping. What a record adds still counts.
 */
function besideMappedV1Host(type: RecordType, sources: readonly Ipv4[]): EffectiveRecord {
  if (type === RecordType.BLOCK_OLD_SOURCES) return { type, sources: undefined, reduced: true };
  if (type === RecordType.CHANGE_TO_INCLUDE_MODE) return { type: RecordType.MODE_IS_INCLUDE, sources, reduced: true };
  return { type, sources, reduced: false };
}
