/**
 * What of a message depends on the width of its fields and of the link: the 8-bit floating point codes for times, and how long
 * lists of sources and records are cut to the MTU. Pure arithmetic; never reads or writes a message's bytes.
 */
import type { Ipv4 } from '../packet/address';
import { IPV4_MAX_TOTAL_LENGTH, IPV4_MIN_HEADER_LENGTH } from '../packet/ipv4';
import { ROUTER_ALERT_OPTION } from '../packet/router-alert';
import { RecordType, type GroupRecord, type IgmpReportV3 } from './message';
import { QUERY_V3_HEADER_LENGTH, RECORD_HEADER_LENGTH, REPORT_V3_HEADER_LENGTH, SOURCE_LENGTH } from './wire';

/** RFC 3376 §4.1.1: the code is the value itself below this. */
const LINEAR_LIMIT = 128;
/** The value of code 255: (0xf | 0x10) << (7 + 3). */
const MAX_CODE_VALUE = 31_744;
/** Max Resp Time counts tenths of a second, QQI whole seconds (RFC 3376 §4.1.1, §4.1.7). */
const MAX_RESP_UNIT_MS = 100;
const QQI_UNIT_MS = 1_000;
/** RFC 791 §3.2: every link carries 68 bytes. Keeps room for a source when an interface tells nonsense. */
const MIN_MTU = 68;
const IP_HEADER_LENGTH = IPV4_MIN_HEADER_LENGTH + ROUTER_ALERT_OPTION.length;

/** RFC 3376 §4.1.1 and §4.1.7: the number an 8-bit code stands for, in the field's own unit. */
export function decodeFloatCode(code: number): number {
  return code < LINEAR_LIMIT ? code : ((code & 0x0f) | 0x10) << (((code >>> 4) & 0x07) + 3);
}

/** The code of the largest number that is representable and not above `value`; 255 when `value` is beyond the range. */
export function encodeFloatCode(value: number): number {
  if (!(value >= 1)) return 0;
  if (value >= MAX_CODE_VALUE) return 255;
  const whole = Math.floor(value);
  if (whole < LINEAR_LIMIT) return whole;
  // The leading bit is implied (0x10): 128 has it at bit 7, which is exponent 0.
  const exponent = 31 - Math.clz32(whole) - 7;
  return 0x80 | (exponent << 4) | ((whole >>> (exponent + 3)) & 0x0f);
}

export function maxRespCodeToMs(code: number): number {
  return decodeFloatCode(code) * MAX_RESP_UNIT_MS;
}

/** Rounds down, so that no answer comes later than the querier waits. */
export function maxRespCodeFromMs(milliseconds: number): number {
  return encodeFloatCode(milliseconds / MAX_RESP_UNIT_MS);
}

/** RFC 2236 §2.2, RFC 3376 §7.2.1: before v3 the field is linear. */
export function linearMaxRespToMs(tenths: number): number {
  return tenths * MAX_RESP_UNIT_MS;
}

/** At least 1: a code of 0 would make it a v1 query. At most 255, 25.5 s. */
export function linearMaxRespFromMs(milliseconds: number): number {
  return Math.min(255, Math.max(1, Math.floor(milliseconds / MAX_RESP_UNIT_MS)));
}

export function qqicToMs(code: number): number {
  return decodeFloatCode(code) * QQI_UNIT_MS;
}

export function qqicFromMs(milliseconds: number): number {
  return encodeFloatCode(milliseconds / QQI_UNIT_MS);
}

/** RFC 3376 §4.1.8: 366 on Ethernet. */
export function maxSourcesPerQuery(mtu: number): number {
  return Math.floor((payloadLimit(mtu) - QUERY_V3_HEADER_LENGTH) / SOURCE_LENGTH);
}

/** The sources of one group-and-source query each. No sources, no parts: an empty part would ask for the whole group. */
export function splitQuerySources(sources: readonly Ipv4[], mtu: number): readonly (readonly Ipv4[])[] {
  return inParts(sources, maxSourcesPerQuery(mtu));
}

/** RFC 3376 §4.2.16: the records in their order, in as few reports as fit the link without reordering. No records, no reports. */
export function packReports(records: readonly GroupRecord[], mtu: number): IgmpReportV3[] {
  const limit = payloadLimit(mtu) - REPORT_V3_HEADER_LENGTH;
  const maxSources = Math.floor((limit - RECORD_HEADER_LENGTH) / SOURCE_LENGTH);
  const reports: IgmpReportV3[] = [];
  let current: GroupRecord[] = [];
  let used = 0;
  for (const record of records) {
    for (const part of fitRecord(record, maxSources)) {
      const length = RECORD_HEADER_LENGTH + part.sources.length * SOURCE_LENGTH;
      if (used + length > limit) {
        reports.push({ kind: 'report-v3', records: current });
        current = [];
        used = 0;
      }
      current.push(part);
      used += length;
    }
  }
  if (current.length > 0) reports.push({ kind: 'report-v3', records: current });
  return reports;
}

/**
 * RFC 3376 §4.2.16: a record too long for any report is split, unless it is of an EXCLUDE type. Two of those would contradict
 * each other (the second replaces the first), so one is sent, cut. The lowest addresses stay, which makes every repetition name the same.
 */
function fitRecord(record: GroupRecord, maxSources: number): readonly GroupRecord[] {
  if (record.sources.length <= maxSources) return [record];
  if (record.type === RecordType.MODE_IS_EXCLUDE || record.type === RecordType.CHANGE_TO_EXCLUDE_MODE) {
    return [{ ...record, sources: record.sources.toSorted((left, right) => left - right).slice(0, maxSources) }];
  }
  return inParts(record.sources, maxSources).map((sources) => ({ ...record, sources }));
}

function inParts(sources: readonly Ipv4[], size: number): readonly (readonly Ipv4[])[] {
  const parts: (readonly Ipv4[])[] = [];
  for (let start = 0; start < sources.length; start += size) parts.push(sources.slice(start, start + size));
  return parts;
}

/** Bytes of IGMP in one packet. The loopback device's MTU of 65,536 is one more than an IP packet can have. */
function payloadLimit(mtu: number): number {
  return Math.min(Math.max(mtu, MIN_MTU), IPV4_MAX_TOTAL_LENGTH) - IP_HEADER_LENGTH;
}
