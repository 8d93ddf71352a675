/**
 * The Ethernet II header with at most one 802.1Q tag: read and write.
 * Never looks into the payload and never judges addresses; stacked tags are reported as what follows the first one.
 */
import { dataViewOf } from './data-view';

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_VLAN = 0x8100;

const MAC_LENGTH = 6;
const UNTAGGED_LENGTH = 14;
const TAG_LENGTH = 4;
/** IEEE 802.3 §3.2.6: smaller values are the length of an 802.3 frame, not a protocol. */
const MIN_ETHERTYPE = 0x0600;
const VLAN_ID_MASK = 0x0fff;

export interface EthernetHeader {
  /** Six bytes, a view into the frame. */
  readonly destination: Uint8Array;
  /** Six bytes, a view into the frame. */
  readonly source: Uint8Array;
  /** 0 when there is no tag, or only a priority tag (IEEE 802.1Q: VLAN ID 0 names no VLAN). */
  readonly vlanId: number;
  /** What the payload is, after the tag when there is one. */
  readonly etherType: number;
  /** Where the payload starts: 14 or 18. */
  readonly headerLength: number;
}

export interface EthernetFields {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly etherType: number;
  /** 1 to 4094; 0 or absent: no tag. */
  readonly vlanId?: number | undefined;
}

/** undefined when the bytes end inside the header or when it is not Ethernet II. */
export function readEthernetHeader(frame: Uint8Array): EthernetHeader | undefined {
  if (frame.length < UNTAGGED_LENGTH) return undefined;
  const view = dataViewOf(frame);
  const outerType = view.getUint16(12);
  const tagged = outerType === ETHERTYPE_VLAN;
  const headerLength = tagged ? UNTAGGED_LENGTH + TAG_LENGTH : UNTAGGED_LENGTH;
  if (frame.length < headerLength) return undefined;
  const etherType = view.getUint16(headerLength - 2);
  if (etherType < MIN_ETHERTYPE) return undefined;
  return {
    destination: frame.subarray(0, MAC_LENGTH),
    source: frame.subarray(MAC_LENGTH, 2 * MAC_LENGTH),
    vlanId: tagged ? view.getUint16(14) & VLAN_ID_MASK : 0,
    etherType,
    headerLength,
  };
}

/** The frame with this tag (TCI: priority and VLAN) in front of what it carries. */
export function withTag(frame: Uint8Array, tci: number): Uint8Array {
  const tagged = new Uint8Array(frame.length + TAG_LENGTH);
  tagged.set(frame.subarray(0, 2 * MAC_LENGTH), 0);
  tagged.set(frame.subarray(2 * MAC_LENGTH), 2 * MAC_LENGTH + TAG_LENGTH);
  const view = dataViewOf(tagged);
  view.setUint16(2 * MAC_LENGTH, ETHERTYPE_VLAN);
  view.setUint16(2 * MAC_LENGTH + 2, tci);
  return tagged;
}

export function ethernetHeaderLength(vlanId: number | undefined): number {
  return vlanId === undefined || vlanId === 0 ? UNTAGGED_LENGTH : UNTAGGED_LENGTH + TAG_LENGTH;
}

/** Writes at the start of `target` and returns the header's length. Throws RangeError on fields no frame can carry. */
export function writeEthernetHeader(target: Uint8Array, fields: EthernetFields): number {
  const vlanId = fields.vlanId ?? 0;
  if (fields.destination.length !== MAC_LENGTH || fields.source.length !== MAC_LENGTH) {
    throw new RangeError('an Ethernet address has 6 bytes');
  }
  // 4095 is reserved (IEEE 802.1Q table 9-2).
  if (!Number.isInteger(vlanId) || vlanId < 0 || vlanId >= VLAN_ID_MASK) throw new RangeError(`no such VLAN: ${vlanId}`);
  const headerLength = ethernetHeaderLength(vlanId);
  const view = dataViewOf(target);
  target.set(fields.destination, 0);
  target.set(fields.source, MAC_LENGTH);
  if (vlanId !== 0) {
    view.setUint16(12, ETHERTYPE_VLAN);
    view.setUint16(14, vlanId);
  }
  view.setUint16(headerLength - 2, fields.etherType);
  return headerLength;
}
