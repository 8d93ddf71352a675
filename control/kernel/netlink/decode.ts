/**
 * A datagram of the rtnetlink socket as a list of what it says. Pure; never throws on bytes: what cannot be read is counted.
 */
import { decodeAddress, type AddressRecord } from './address';
import {
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_OVERRUN,
  NLM_F_DUMP_INTR,
  NLM_F_MULTI,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
} from './constants';
import { decodeLink, type LinkRecord } from './link';
import { decodeErrno, splitDatagram, type NetlinkMessage } from './message';
import { decodeRoute, type RouteRecord } from './route';

/** What one message says about the state of the kernel. `flags` are the NLM_F_ flags of its header. */
export type KernelFact =
  | { readonly kind: 'link'; readonly removed: boolean; readonly flags: number; readonly record: LinkRecord }
  | { readonly kind: 'address'; readonly removed: boolean; readonly flags: number; readonly record: AddressRecord }
  | { readonly kind: 'route'; readonly removed: boolean; readonly flags: number; readonly record: RouteRecord };

export type Content =
  | KernelFact
  /** The end of a dump; errno 0 when it was complete. */
  | { readonly kind: 'done'; readonly errno: number }
  /** The answer to a request that failed; errno 0 is an acknowledgement. */
  | { readonly kind: 'error'; readonly errno: number }
  /** The kernel says that messages were lost. */
  | { readonly kind: 'overrun' }
  /** A type or family this room has no use for. */
  | { readonly kind: 'ignored' };

export interface DecodedMessage {
  readonly sequence: number;
  /** Part of the answer to a dump request, not a notification. */
  readonly multipart: boolean;
  readonly dumpInterrupted: boolean;
  readonly content: Content;
}

export interface DecodedDatagram {
  readonly messages: readonly DecodedMessage[];
  /** Messages that could not be read, a truncated end counting as one. */
  readonly malformed: number;
}

export function decodeDatagram(datagram: Uint8Array): DecodedDatagram {
  const { messages, truncated } = splitDatagram(datagram);
  const decoded: DecodedMessage[] = [];
  let malformed = truncated ? 1 : 0;
  for (const message of messages) {
    const content = decodeContent(message);
    if (content === undefined) {
      malformed += 1;
      continue;
    }
    decoded.push({
      sequence: message.sequence,
      multipart: (message.flags & NLM_F_MULTI) !== 0,
      dumpInterrupted: (message.flags & NLM_F_DUMP_INTR) !== 0,
      content,
    });
  }
  return { messages: decoded, malformed };
}

function decodeContent({ type, flags, payload }: NetlinkMessage): Content | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const record = decodeLink(payload);
      return record && { kind: 'link', removed: type === RTM_DELLINK, flags, record };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const record = decodeAddress(payload);
      if (record === 'other') return { kind: 'ignored' };
      return record && { kind: 'address', removed: type === RTM_DELADDR, flags, record };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const record = decodeRoute(payload);
      if (record === 'other') return { kind: 'ignored' };
      return record && { kind: 'route', removed: type === RTM_DELROUTE, flags, record };
    }
    case NLMSG_DONE:
      return { kind: 'done', errno: decodeErrno(payload) };
    case NLMSG_ERROR:
      return payload.length < 4 ? undefined : { kind: 'error', errno: decodeErrno(payload) };
    case NLMSG_OVERRUN:
      return { kind: 'overrun' };
    default:
      return { kind: 'ignored' };
  }
}
