/**
 * Groups with hosts of older versions (RFC 3376 §7.3.2): which version a group is in, and what that makes of a v3 record.
 * Never knows of queries or of group state.
 */
import type { Ipv4 } from '../../packet/address';
import { RecordType } from '../message';

export type IgmpVersion = 1 | 2 | 3;

/** The Older Version Host Present timers of one group, as the times they run out. */
export interface OlderHosts {
  v1PresentUntilMs: number;
  v2PresentUntilMs: number;
}

export function noOlderHosts(): OlderHosts {
  return { v1PresentUntilMs: -Infinity, v2PresentUntilMs: -Infinity };
}

export function noteOlderHost(hosts: OlderHosts, version: 1 | 2, presentUntilMs: number): void {
  if (version === 1) hosts.v1PresentUntilMs = presentUntilMs;
  else hosts.v2PresentUntilMs = presentUntilMs;
}

/**
 * Group Compatibility Mode. The version of the interface is an upper bound: where queries are v1 or v2 (§7.3.1), hosts cannot be asked
 * about sources, and with v1 not about groups either, so records that need such a question to be safe must not take effect.
 */
export function compatibilityVersion(hosts: OlderHosts, interfaceVersion: IgmpVersion, nowMs: number): IgmpVersion {
  if (interfaceVersion === 1 || hosts.v1PresentUntilMs > nowMs) return 1;
  return interfaceVersion === 2 || hosts.v2PresentUntilMs > nowMs ? 2 : 3;
}

/** What of a record takes effect in a group of this version. */
export interface EffectiveRecord {
  /** undefined: the record is ignored. */
  readonly sources: readonly Ipv4[] | undefined;
  /** The record, or its source list, was ignored. */
  readonly reduced: boolean;
}

export function inCompatibilityMode(type: RecordType, sources: readonly Ipv4[], version: IgmpVersion): EffectiveRecord {
  if (version === 3) return { sources, reduced: false };
  // "IGMPv3 BLOCK messages are ignored, as are source-lists in TO_EX() messages"; in version 1 TO_IN() too: an older host that still
  // wants the traffic could not object.
  if (type === RecordType.BLOCK_OLD_SOURCES) return { sources: undefined, reduced: true };
  if (type === RecordType.CHANGE_TO_EXCLUDE_MODE) return { sources: [], reduced: sources.length > 0 };
  if (type === RecordType.CHANGE_TO_INCLUDE_MODE && version === 1) return { sources: undefined, reduced: true };
  return { sources, reduced: false };
}
