/**
 * Reads an IPv4 packet that may be IGMP: all three versions, from anybody on the link.
 *
 * Returns a value for any bytes, never throws: every read is behind a length check. Work and memory are linear in the packet.
 * Judges only what the packet itself tells; what depends on the interface (own addresses, subnets, limits) is the router's side.
 * The checks run from the outside inwards, and the first that fails is the packet's one drop reason.
 */
import { isLocalNetworkControl, isMulticast, isUnicastSource, type Ipv4 } from '../packet/address';
import { internetChecksum } from '../packet/checksum';
import { dataViewOf } from '../packet/data-view';
import { IP_PROTOCOL_IGMP, readIpv4Header, type Ipv4Header } from '../packet/ipv4';
import { hasRouterAlert } from '../packet/router-alert';
import { linearMaxRespToMs, maxRespCodeToMs, qqicToMs } from './codes';
import {
  RecordType,
  type GroupRecord,
  type IgmpDropReason,
  type IgmpMessage,
  type IgmpQuery,
  type ReceivedIgmp,
} from './message';
import { err, ok, type Result } from './result';
import {
  ALL_IGMPV3_ROUTERS,
  ALL_ROUTERS,
  ALL_SYSTEMS,
  IGMP_MIN_LENGTH,
  IgmpType,
  QUERY_V3_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  REPORT_V3_HEADER_LENGTH,
  SOURCE_LENGTH,
} from './wire';

type MessageKind = IgmpMessage['kind'];

const KIND_BY_TYPE: ReadonlyMap<number, MessageKind> = new Map<number, MessageKind>([
  [IgmpType.MEMBERSHIP_QUERY, 'query'],
  [IgmpType.V1_MEMBERSHIP_REPORT, 'report-v1'],
  [IgmpType.V2_MEMBERSHIP_REPORT, 'report-v2'],
  [IgmpType.V2_LEAVE_GROUP, 'leave'],
  [IgmpType.V3_MEMBERSHIP_REPORT, 'report-v3'],
]);

const REFUSAL_BY_TYPE: ReadonlyMap<number, IgmpDropReason> = new Map<number, IgmpDropReason>([
  [IgmpType.DVMRP, 'dvmrp'],
  [IgmpType.PIM_V1, 'pim_v1'],
  [IgmpType.MTRACE_RESPONSE, 'mtrace'],
  [IgmpType.MTRACE, 'mtrace'],
]);

/** RFC 3376 §7.2.1: the time a v1 query allows, since its code says nothing. */
const V1_MAX_RESPONSE_TIME_MS = 10_000;
const NO_SOURCES: readonly Ipv4[] = [];

/** `ipPacket` starts at the IP header; padding of the link behind it is cut by the total length. */
export function decodeIgmpPacket(ipPacket: Uint8Array): Result<ReceivedIgmp, IgmpDropReason> {
  const header = readIpv4Header(ipPacket);
  if (typeof header === 'string') return err(header);
  const payload = ipPacket.subarray(header.headerLength, header.totalLength);
  const refusal = refuseHeader(header, payload[0]) ?? refusePayload(payload);
  if (refusal !== undefined) return err(refusal);

  const kind = KIND_BY_TYPE.get(payload[0] as number);
  if (kind === undefined) return err(REFUSAL_BY_TYPE.get(payload[0] as number) ?? 'unknown_type');
  if (kind === 'query' && isBetweenQueryLengths(payload.length)) return err('bad_length');

  const view = dataViewOf(payload);
  const group = readGroup(view, kind);
  if (!isDestinationOf(kind, group, header.destination)) return err('bad_destination');
  if (!isSenderAddress(header.source)) return err('bad_source');

  const skipped: IgmpDropReason[] = [];
  const body = readBody(kind, group, view, skipped);
  if (!body.ok) return body;
  const routerAlert = hasRouterAlert(header.options);
  return ok({ source: header.source, destination: header.destination, routerAlert, message: body.value, skipped });
}

function refuseHeader(header: Ipv4Header, type: number | undefined): IgmpDropReason | undefined {
  // Messages are limited to the MTU (RFC 3376 §4.1.8, §4.2.16), so a fragment is a trick or a mistake. Reassembly holds memory.
  if (header.moreFragments || header.fragmentOffset !== 0) return 'fragment';
  if (header.protocol !== IP_PROTOCOL_IGMP) return 'not_igmp';
  // Traceroute requests travel over several hops, so their TTL is no reason to refuse them; they get their own name below.
  const crossesHops = type === IgmpType.MTRACE || type === IgmpType.MTRACE_RESPONSE;
  return header.ttl === 1 || crossesHops ? undefined : 'bad_ttl';
}

/** RFC 3376 §4.1.2, §4.2.2, RFC 2236 §2.3, §2.5: the checksum covers the whole payload, whatever the type, tail included. */
function refusePayload(payload: Uint8Array): IgmpDropReason | undefined {
  if (payload.length < IGMP_MIN_LENGTH) return 'too_short';
  return internetChecksum(payload) === 0 ? undefined : 'bad_checksum';
}

/** RFC 3376 §7.1: a query of 9, 10 or 11 bytes is of no version and must be ignored. */
function isBetweenQueryLengths(length: number): boolean {
  return length > IGMP_MIN_LENGTH && length < QUERY_V3_HEADER_LENGTH;
}

/** RFC 3376 §7.1: 8 bytes and a code of zero. */
function isV1Query(view: DataView): boolean {
  return view.byteLength === IGMP_MIN_LENGTH && view.getUint8(1) === 0;
}

/** The group field; 0 where there is none. RFC 1112 Appendix I: in a v1 query it is "ignored when received". */
function readGroup(view: DataView, kind: MessageKind): Ipv4 {
  if (kind === 'report-v3' || (kind === 'query' && isV1Query(view))) return 0;
  return view.getUint32(4);
}

/**
 * Which destinations a message may have. A unicast one passes where the RFC speaks of "any address of the interface": whether it
 * is one of ours only the router's side knows.
 */
function isDestinationOf(kind: MessageKind, group: Ipv4, destination: Ipv4): boolean {
  switch (kind) {
    case 'query':
      // RFC 3376 §4.1.12.
      return destination === ALL_SYSTEMS || isUnicastSource(destination) || (isMulticast(destination) && destination === group);
    case 'report-v1':
    case 'report-v2':
      // RFC 3376 §4.2.14: to any address of the interface. Which unicast addresses are its own the router side knows.
      return destination === group || isUnicastSource(destination);
    case 'leave':
      // RFC 2236 §3: to all routers; §9: older implementations send to the group.
      return destination === ALL_ROUTERS || destination === group;
    case 'report-v3':
      // Wider than RFC 3376 §4.2.14 demands for v3: a report by unicast is heard too.
      return destination === ALL_IGMPV3_ROUTERS || isUnicastSource(destination);
  }
}

/** RFC 3376 §4.2.13: 0.0.0.0 is a host without an address yet. Whether such a one may send queries is the router side's decision. */
function isSenderAddress(source: Ipv4): boolean {
  return source === 0 || isUnicastSource(source);
}

function readBody(
  kind: MessageKind,
  group: Ipv4,
  view: DataView,
  skipped: IgmpDropReason[],
): Result<IgmpMessage, IgmpDropReason> {
  switch (kind) {
    case 'query':
      return readQuery(group, view, skipped);
    case 'report-v3':
      return readReportV3(view, skipped);
    default:
      // RFC 2236 §2.5: what follows the eight bytes is ignored.
      return isMulticast(group) ? ok({ kind, group }) : err('bad_group');
  }
}

function readQuery(group: Ipv4, view: DataView, skipped: IgmpDropReason[]): Result<IgmpQuery, IgmpDropReason> {
  if (group !== 0 && !isMulticast(group)) return err('bad_group');
  if (view.byteLength >= QUERY_V3_HEADER_LENGTH) return readQueryV3(group, view, skipped);
  const isV1 = isV1Query(view);
  return ok({
    kind: 'query',
    version: isV1 ? 1 : 2,
    group,
    maxResponseTimeMs: isV1 ? V1_MAX_RESPONSE_TIME_MS : linearMaxRespToMs(view.getUint8(1)),
    suppressRouterProcessing: false,
    querierRobustness: 0,
    querierQueryIntervalMs: 0,
    sources: NO_SOURCES,
  });
}

function readQueryV3(group: Ipv4, view: DataView, skipped: IgmpDropReason[]): Result<IgmpQuery, IgmpDropReason> {
  const count = view.getUint16(10);
  if (QUERY_V3_HEADER_LENGTH + count * SOURCE_LENGTH > view.byteLength) return err('record_overruns');
  // RFC 3376 §4.1.11 has no such variant.
  if (group === 0 && count > 0) return err('query_sources_without_group');
  const sources = readSources(view, QUERY_V3_HEADER_LENGTH, count, skipped);
  // With all its sources removed the query would turn into one for the whole group, which the sender did not ask.
  if (count > 0 && sources.length === 0) return err('record_bad_source');
  const flags = view.getUint8(8);
  return ok({
    kind: 'query',
    version: 3,
    group,
    maxResponseTimeMs: maxRespCodeToMs(view.getUint8(1)),
    suppressRouterProcessing: (flags & 0x08) !== 0,
    querierRobustness: flags & 0x07,
    querierQueryIntervalMs: qqicToMs(view.getUint8(9)),
    sources,
  });
}

/**
 * A record that runs over the end refuses the whole report, the good records before it too. With a right checksum the bytes are as
 * the sender wrote them, so its counts lie, and then nothing tells where any record began. Half of such a report is nobody's
 * membership: a TO_IN cut out of its context is a leave.
 */
function readReportV3(view: DataView, skipped: IgmpDropReason[]): Result<IgmpMessage, IgmpDropReason> {
  const count = view.getUint16(6);
  const end = view.byteLength;
  // Refuses an impossible count before any record is looked at.
  if (count * RECORD_HEADER_LENGTH > end - REPORT_V3_HEADER_LENGTH) return err('record_overruns');
  const records: GroupRecord[] = [];
  let offset = REPORT_V3_HEADER_LENGTH;
  for (let index = 0; index < count; index += 1) {
    if (offset + RECORD_HEADER_LENGTH > end) return err('record_overruns');
    const next = offset + recordLength(view, offset);
    if (next > end) return err('record_overruns');
    const record = readRecord(view, offset, skipped);
    if (record !== undefined) records.push(record);
    offset = next;
  }
  return ok({ kind: 'report-v3', records });
}

/** RFC 3376 §4.2.6: auxiliary data is counted in 32-bit words. It is skipped (§4.2.10). */
function recordLength(view: DataView, offset: number): number {
  return RECORD_HEADER_LENGTH + view.getUint16(offset + 2) * SOURCE_LENGTH + view.getUint8(offset + 1) * 4;
}

/** undefined, with a reason in `skipped`, for a record that must not become state; the records after it still count. */
function readRecord(view: DataView, offset: number, skipped: IgmpDropReason[]): GroupRecord | undefined {
  const type = view.getUint8(offset);
  const group = view.getUint32(offset + 4);
  if (!isRecordType(type)) {
    // RFC 3376 §4.2.12: "Unrecognized Record Type values MUST be silently ignored."
    skipped.push('unknown_record_type');
  } else if (!isMulticast(group)) {
    skipped.push('record_bad_group');
  } else if (isLocalNetworkControl(group)) {
    // RFC 5771 §4: never forwarded off the link, so there is nothing to remember.
    skipped.push('record_link_local');
  } else {
    const count = view.getUint16(offset + 2);
    return { type, group, sources: readSources(view, offset + RECORD_HEADER_LENGTH, count, skipped) };
  }
  return undefined;
}

function isRecordType(type: number): type is RecordType {
  return type >= RecordType.MODE_IS_INCLUDE && type <= RecordType.BLOCK_OLD_SOURCES;
}

/**
 * Each source once, in the order of the message, without those that no packet can come from (RFC 3376 §4.2.9: "a vector of n IP
 * unicast addresses"). Removing them changes no set's meaning: including or excluding what cannot occur is the same as not naming it.
 * The caller has checked that `count` sources lie within the view.
 */
function readSources(view: DataView, start: number, count: number, skipped: IgmpDropReason[]): readonly Ipv4[] {
  if (count === 0) return NO_SOURCES;
  const sources: Ipv4[] = [];
  let highest = 0;
  // Most senders list sources in ascending order, where a duplicate shows without a lookup.
  let seen: Set<Ipv4> | undefined;
  for (let index = 0; index < count; index += 1) {
    const source = view.getUint32(start + index * SOURCE_LENGTH);
    if (!isUnicastSource(source)) {
      skipped.push('record_bad_source');
      continue;
    }
    if (source <= highest) {
      seen ??= new Set(sources);
      if (seen.has(source)) continue;
    }
    highest = Math.max(highest, source);
    sources.push(source);
    seen?.add(source);
  }
  return sources;
}
