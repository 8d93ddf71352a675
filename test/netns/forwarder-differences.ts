/**
 * Where xmcast forwards otherwise than the kernel's multicast forwarder, each with its reason: the list in docs/architecture.md. All
 * other packets must come out of both alike.
 */
import { ip } from '../bpf/packet';
import type { PacketSpec } from './random-packets';

export interface EgressPort {
  readonly name: string;
  readonly mtu: number;
  readonly ttlThreshold: number;
}

export interface Difference {
  readonly name: string;
  /** The only one of the two that may let such a packet out. */
  readonly onlyForwarder: 'kernel' | 'xmcast';
  readonly because: string;
  readonly applies: (spec: PacketSpec, port: EgressPort) => boolean;
}

const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
const IP_PROTOCOL_PIM = 103;

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'IP options that ask routers for a way or a record of it',
    onlyForwarder: 'kernel',
    because: "RFC 7126 4.3 to 4.5, 4.7 advises against source routes, records of the route and timestamps; the host's stack gets the packet",
    applies: (spec) => optionsOf(spec).some(({ type }) => ASKING_OPTIONS.has(type)),
  },
  {
    name: 'IP options with something behind the end of their list',
    onlyForwarder: 'kernel',
    because: "the kernel writes zeros over it; here no packet is mended, the host's stack gets it",
    applies: (spec) => optionsOf(spec).some(({ type, behind }) => type === OPTION_END && behind.some((byte) => byte !== 0)),
  },
  {
    name: 'malformed security labels (CIPSO)',
    onlyForwarder: 'xmcast',
    because: 'RFC 1812 5.3.13: an option that is not known passes unchanged; the kernel reads labels even where it uses none',
    applies: (spec) => optionsOf(spec).some(({ type }) => type === OPTION_CIPSO),
  },
  {
    name: 'Ethernet destination of another group, of the router, or broadcast',
    onlyForwarder: 'kernel',
    because: 'RFC 1112 6.4 gives a group one address; what comes to another was forged or misdelivered',
    applies: ({ mac }) => mac === 'other_group' || mac === 'router' || mac === 'broadcast',
  },
  {
    name: 'martian sources',
    onlyForwarder: 'kernel',
    because: 'RFC 1812 5.3.7: the whole of 0/8, 127/8, class D and class E; the kernel lets 0.0.0.1 and 240/4 pass',
    applies: ({ source }) => isMartian(source),
  },
  {
    name: 'larger than the outgoing MTU',
    onlyForwarder: 'kernel',
    because: 'XDP cannot make two frames of one: counted as too_big. The kernel fragments what may be fragmented',
    applies: (spec, { mtu }) => totalLength(spec) > mtu,
  },
  {
    name: 'trailing bytes that make the frame larger than the outgoing MTU',
    onlyForwarder: 'kernel',
    because: 'padding travels along with its packet; the kernel cuts it off. No sender pads beyond 60 bytes',
    applies: (spec, { mtu }) => frameBytes(spec) > mtu + ETHERNET_BYTES + TAG_BYTES,
  },
  {
    name: 'PIM to a group that has a route',
    onlyForwarder: 'kernel',
    because: 'RFC 7761 4.9: PIM messages are for the routers of one link',
    applies: ({ protocol }) => protocol === IP_PROTOCOL_PIM,
  },
  {
    name: "from outside, with one of the router's own addresses as source",
    onlyForwarder: 'xmcast',
    because: "the forwarder knows routes, not addresses: where that source is expected it is taken for the machine's own",
    applies: ({ source }) => OWN_ADDRESSES.has(source),
  },
];

/** As differential.test.ts gives them to both routers. */
export const OWN_ADDRESSES: ReadonlySet<string> = new Set(['10.100.0.1', '10.1.2.1']);

const OPTION_END = 0;
const OPTION_NO_OPERATION = 1;
const OPTION_CIPSO = 134;
/** Record route, timestamp, loose and strict source route. */
const ASKING_OPTIONS: ReadonlySet<number> = new Set([7, 68, 131, 137]);

interface IpOption {
  readonly type: number;
  /** What follows its type in the header. */
  readonly behind: Uint8Array;
}

/** As far as they can be told apart. */
function optionsOf({ headerWords, options }: PacketSpec): readonly IpOption[] {
  const found: IpOption[] = [];
  const list = options.subarray(0, Math.max(0, headerWords - 5) * 4);
  for (let at = 0; at < list.length; ) {
    const type = list[at] ?? OPTION_END;
    found.push({ type, behind: list.subarray(at + 1) });
    if (type === OPTION_END) break;
    at += type === OPTION_NO_OPERATION ? 1 : Math.max(2, list[at + 1] ?? 2);
  }
  return found;
}

export function differencesOf(spec: PacketSpec, port: EgressPort): readonly Difference[] {
  return DIFFERENCES.filter(({ applies }) => applies(spec, port));
}

function isMartian(source: string): boolean {
  const first = ip(source) >>> 24;
  return first === 0 || first === 127 || first >= 224;
}

/** As the header claims. */
function totalLength({ options, payloadBytes, lengthError }: PacketSpec): number {
  return 20 + options.length + payloadBytes + lengthError;
}

function frameBytes({ options, payloadBytes, trailingBytes, cutTo = Infinity }: PacketSpec): number {
  return Math.min(cutTo, ETHERNET_BYTES + 20 + options.length + payloadBytes + trailingBytes);
}
