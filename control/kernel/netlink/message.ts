/**
 * The framing of netlink: cuts a datagram into messages, writes requests, reads the kernel's status answers.
 * Never looks into links, addresses or routes; never throws on bytes.
 */
import { align4, viewOf } from './attributes';
import { HOST_LITTLE_ENDIAN, NLM_F_DUMP, NLM_F_REQUEST } from './constants';

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface SplitDatagram {
  readonly messages: readonly NetlinkMessage[];
  /** The datagram ended inside a message, or a length made no sense: what followed is lost. */
  readonly truncated: boolean;
}

const HEADER_BYTES = 16;

export function splitDatagram(datagram: Uint8Array): SplitDatagram {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(datagram);
  let offset = 0;
  while (datagram.length - offset >= HEADER_BYTES) {
    const length = view.getUint32(offset, HOST_LITTLE_ENDIAN);
    if (length < HEADER_BYTES || length > datagram.length - offset) return { messages, truncated: true };
    messages.push({
      type: view.getUint16(offset + 4, HOST_LITTLE_ENDIAN),
      flags: view.getUint16(offset + 6, HOST_LITTLE_ENDIAN),
      sequence: view.getUint32(offset + 8, HOST_LITTLE_ENDIAN),
      payload: datagram.subarray(offset + HEADER_BYTES, offset + length),
    });
    offset += align4(length);
  }
  return { messages, truncated: offset < datagram.length };
}

/** A dump request: `body` is the family header (and attributes) of the table asked for. */
export function encodeDumpRequest(type: number, sequence: number, body: Uint8Array): Uint8Array {
  const request = new Uint8Array(HEADER_BYTES + body.length);
  const view = viewOf(request);
  view.setUint32(0, request.length, HOST_LITTLE_ENDIAN);
  view.setUint16(4, type, HOST_LITTLE_ENDIAN);
  view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, HOST_LITTLE_ENDIAN);
  view.setUint32(8, sequence, HOST_LITTLE_ENDIAN);
  request.set(body, HEADER_BYTES);
  return request;
}

/**
 * The errno inside NLMSG_ERROR or NLMSG_DONE as a positive number, 0 for success. An NLMSG_DONE without payload is a success.
 */
export function decodeErrno(payload: Uint8Array): number {
  return payload.length < 4 ? 0 : Math.abs(viewOf(payload).getInt32(0, HOST_LITTLE_ENDIAN));
}
