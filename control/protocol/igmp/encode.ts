/**
 * Writes IGMP messages: the payload, the IPv4 packet around it, the Ethernet frame around that.
 * Deterministic: the same message gives the same bytes. Never cuts a message to the MTU: codes.ts does, before.
 */
import type { Ipv4 } from '../packet/address';
import { internetChecksum } from '../packet/checksum';
import { dataViewOf } from '../packet/data-view';
import { ETHERTYPE_IPV4, ethernetHeaderLength, writeEthernetHeader } from '../packet/ethernet';
import { IP_PROTOCOL_IGMP, IPV4_MIN_HEADER_LENGTH, writeIpv4Header } from '../packet/ipv4';
import { multicastMac } from '../packet/multicast-mac';
import { ROUTER_ALERT_OPTION } from '../packet/router-alert';
import { linearMaxRespFromMs, maxRespCodeFromMs, qqicFromMs } from './codes';
import type { GroupRecord, IgmpMessage, IgmpQuery, IgmpReportV3 } from './message';
import {
  CHECKSUM_OFFSET,
  IGMP_MIN_LENGTH,
  IgmpType,
  QUERY_V3_HEADER_LENGTH,
  RECORD_HEADER_LENGTH,
  REPORT_V3_HEADER_LENGTH,
  SOURCE_LENGTH,
} from './wire';

/**
 * RFC 3376 §4: precedence Internetwork Control. Sent with v1 and v2 messages too: their RFCs set no rule, and a join lost in a
 * congested queue costs an old host as much as a new one.
 */
const INTERNETWORK_CONTROL = 0xc0;
const LINK_LOCAL_TTL = 1;
const SUPPRESS_ROUTER_PROCESSING = 0x08;
const MAX_QRV = 7;
const MAX_COUNT = 0xffff;
const NO_OPTIONS = new Uint8Array(0);

export interface IgmpPacketOptions {
  readonly source: Ipv4;
  readonly destination: Ipv4;
  readonly message: IgmpMessage;
  /** Default 0, which a packet that must not be fragmented may always have (RFC 6864 §4.1). */
  readonly identification?: number | undefined;
}

export interface IgmpFrameOptions extends IgmpPacketOptions {
  /** Six bytes: the sending interface's address. */
  readonly sourceMac: Uint8Array;
  /** Default: untagged. */
  readonly vlanId?: number | undefined;
}

/** The IGMP payload with its checksum. What a version has no field for (sources of a v2 query) is not sent. */
export function encodeIgmp(message: IgmpMessage): Uint8Array {
  const payload = new Uint8Array(encodedLength(message));
  writeMessage(payload, message);
  return payload;
}

/** A whole IPv4 packet: TTL 1, Router Alert except for v1. Throws RangeError when the message does not fit one packet. */
export function buildIgmpPacket(options: IgmpPacketOptions): Uint8Array {
  const packet = new Uint8Array(packetLength(options.message));
  writePacket(packet, options);
  return packet;
}

/** A whole Ethernet frame to a multicast destination. Throws RangeError when the destination is not multicast. */
export function buildIgmpFrame(options: IgmpFrameOptions): Uint8Array {
  const headerLength = ethernetHeaderLength(options.vlanId);
  const frame = new Uint8Array(headerLength + packetLength(options.message));
  writeEthernetHeader(frame, {
    destination: multicastMac(options.destination),
    source: options.sourceMac,
    etherType: ETHERTYPE_IPV4,
    vlanId: options.vlanId,
  });
  writePacket(frame.subarray(headerLength), options);
  return frame;
}

function packetLength(message: IgmpMessage): number {
  return IPV4_MIN_HEADER_LENGTH + ipOptions(message).length + encodedLength(message);
}

function writePacket(target: Uint8Array, options: IgmpPacketOptions): void {
  const headerLength = writeIpv4Header(target, {
    payloadLength: encodedLength(options.message),
    typeOfService: INTERNETWORK_CONTROL,
    identification: options.identification ?? 0,
    // Receivers refuse fragments of IGMP, so a fragment would be worse than an error from the sending socket.
    dontFragment: true,
    ttl: LINK_LOCAL_TTL,
    protocol: IP_PROTOCOL_IGMP,
    source: options.source,
    destination: options.destination,
    options: ipOptions(options.message),
  });
  writeMessage(target.subarray(headerLength), options.message);
}

/** RFC 2236 §2 and RFC 3376 §4 demand Router Alert; RFC 1112 knows none, and its hosts may not expect options. */
function ipOptions(message: IgmpMessage): Uint8Array {
  const isV1 = message.kind === 'report-v1' || (message.kind === 'query' && message.version === 1);
  return isV1 ? NO_OPTIONS : ROUTER_ALERT_OPTION;
}

function encodedLength(message: IgmpMessage): number {
  if (message.kind === 'query' && message.version === 3) return QUERY_V3_HEADER_LENGTH + message.sources.length * SOURCE_LENGTH;
  if (message.kind !== 'report-v3') return IGMP_MIN_LENGTH;
  let length = REPORT_V3_HEADER_LENGTH;
  for (const record of message.records) length += RECORD_HEADER_LENGTH + record.sources.length * SOURCE_LENGTH;
  return length;
}

/** `target` is exactly as long as the message and all zero. */
function writeMessage(target: Uint8Array, message: IgmpMessage): void {
  const view = dataViewOf(target);
  switch (message.kind) {
    case 'query':
      writeQuery(view, message);
      break;
    case 'report-v1':
      writeGroupMessage(view, IgmpType.V1_MEMBERSHIP_REPORT, message.group);
      break;
    case 'report-v2':
      writeGroupMessage(view, IgmpType.V2_MEMBERSHIP_REPORT, message.group);
      break;
    case 'leave':
      writeGroupMessage(view, IgmpType.V2_LEAVE_GROUP, message.group);
      break;
    case 'report-v3':
      writeReportV3(view, message);
      break;
  }
  view.setUint16(CHECKSUM_OFFSET, internetChecksum(target));
}

function writeGroupMessage(view: DataView, type: number, group: Ipv4): void {
  view.setUint8(0, type);
  view.setUint32(4, group);
}

function writeQuery(view: DataView, query: IgmpQuery): void {
  view.setUint8(0, IgmpType.MEMBERSHIP_QUERY);
  // RFC 1112 Appendix I: code and group of a v1 query are zero when sent.
  if (query.version === 1) return;
  view.setUint8(
    1,
    query.version === 2 ? linearMaxRespFromMs(query.maxResponseTimeMs) : maxRespCodeFromMs(query.maxResponseTimeMs),
  );
  view.setUint32(4, query.group);
  if (query.version === 2) return;
  // RFC 3376 §4.1.6: a robustness above 7 is sent as 0.
  const qrv = query.querierRobustness > MAX_QRV ? 0 : query.querierRobustness;
  view.setUint8(8, (query.suppressRouterProcessing ? SUPPRESS_ROUTER_PROCESSING : 0) | qrv);
  view.setUint8(9, qqicFromMs(query.querierQueryIntervalMs));
  writeCount(view, 10, query.sources.length);
  writeSources(view, QUERY_V3_HEADER_LENGTH, query.sources);
}

function writeReportV3(view: DataView, report: IgmpReportV3): void {
  view.setUint8(0, IgmpType.V3_MEMBERSHIP_REPORT);
  writeCount(view, 6, report.records.length);
  let offset = REPORT_V3_HEADER_LENGTH;
  for (const record of report.records) offset = writeRecord(view, offset, record);
}

/** Returns where the next record starts. RFC 3376 §4.2.10: auxiliary data is never sent. */
function writeRecord(view: DataView, offset: number, record: GroupRecord): number {
  view.setUint8(offset, record.type);
  writeCount(view, offset + 2, record.sources.length);
  view.setUint32(offset + 4, record.group);
  return writeSources(view, offset + RECORD_HEADER_LENGTH, record.sources);
}

function writeSources(view: DataView, start: number, sources: readonly Ipv4[]): number {
  let offset = start;
  for (const source of sources) {
    view.setUint32(offset, source);
    offset += SOURCE_LENGTH;
  }
  return offset;
}

function writeCount(view: DataView, offset: number, count: number): void {
  if (count > MAX_COUNT) throw new RangeError(`${count} entries in one IGMP message`);
  view.setUint16(offset, count);
}
