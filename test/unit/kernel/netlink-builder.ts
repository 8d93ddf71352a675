/**
 * Writes rtnetlink messages as the kernel would, for tests. Independent of the decoder: offsets are spelled out here again.
 */
import { endianness } from 'node:os';

const LITTLE = endianness() === 'LE';

export const NEWLINK = 16;
export const DELLINK = 17;
export const NEWADDR = 20;
export const DELADDR = 21;
export const NEWROUTE = 24;
export const DELROUTE = 25;
export const MULTI = 2;
export const DUMP_INTR = 0x10;

export function u8(...values: readonly number[]): Uint8Array {
  return Uint8Array.from(values);
}

export function u16(value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, LITTLE);
  return bytes;
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, LITTLE);
  return bytes;
}

export function ip(text: string): Uint8Array {
  return Uint8Array.from(text.split('.').map(Number));
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function pad(bytes: Uint8Array): Uint8Array {
  return join(bytes, new Uint8Array(-bytes.length & 3));
}

export function attribute(type: number, value: Uint8Array): Uint8Array {
  return pad(join(u16(4 + value.length), u16(type), value));
}

export function message(type: number, payload: Uint8Array, { flags = 0, sequence = 0 } = {}): Uint8Array {
  return pad(join(u32(16 + payload.length), u16(type), u16(flags), u32(sequence), u32(0), payload));
}

export function done(sequence: number, errno = 0): Uint8Array {
  return message(3, u32(-errno), { flags: MULTI, sequence });
}

export interface LinkOptions {
  readonly ifindex: number;
  readonly name?: string;
  readonly mac?: readonly number[];
  readonly mtu?: number;
  /** IFF_UP | IFF_RUNNING | IFF_LOWER_UP unless given. */
  readonly flags?: number;
  readonly kind?: string;
  readonly family?: number;
  /** Of kind "vlan". */
  readonly vlan?: VlanOptions;
}

export interface VlanOptions {
  readonly parent: number;
  readonly id: number;
  /** Default 0x8100. */
  readonly protocol?: number;
  /** The parent is in another namespace. */
  readonly isElsewhere?: boolean;
}

export function linkPayload(options: LinkOptions): Uint8Array {
  const {
    ifindex,
    name = `eth${ifindex}`,
    mac = [2, 0, 0, 0, 0, ifindex],
    mtu = 1500,
    flags = 0x10041,
    kind = '',
    family = 0,
    vlan,
  } = options;
  return join(
    u8(family, 0),
    u16(1),
    u32(ifindex),
    u32(flags),
    u32(0),
    attribute(3, Buffer.from(`${name}\0`)),
    attribute(4, u32(mtu)),
    attribute(1, u8(...mac)),
    vlan === undefined ? u8() : attribute(5, u32(vlan.parent)),
    vlan?.isElsewhere === true ? attribute(37, u32(3)) : u8(),
    kind === '' ? u8() : attribute(18, join(attribute(1, Buffer.from(`${kind}\0`)), vlan === undefined ? u8() : attribute(2, vlanData(vlan)))),
  );
}

function vlanData({ id, protocol = 0x8100 }: VlanOptions): Uint8Array {
  // In network order, unlike the rest.
  return join(attribute(1, u16(id)), attribute(5, u8(protocol >> 8, protocol & 0xff)));
}

export interface AddressOptions {
  readonly ifindex: number;
  readonly address: string;
  readonly length?: number;
  readonly peer?: string;
  readonly secondary?: boolean;
  readonly scope?: number;
}

export function addressPayload({
  ifindex,
  address,
  length = 24,
  peer,
  secondary = false,
  scope = 0,
}: AddressOptions): Uint8Array {
  return join(
    u8(2, length, secondary ? 1 : 0, scope),
    u32(ifindex),
    attribute(1, ip(peer ?? address)),
    attribute(2, ip(address)),
    attribute(8, u32(secondary ? 1 : 0)),
  );
}

export interface RouteOptions {
  readonly network: string;
  readonly length: number;
  readonly hops?: readonly { readonly ifindex: number; readonly gateway?: string }[];
  readonly metric?: number;
  readonly table?: number;
  readonly type?: number;
  readonly typeOfService?: number;
  readonly preferredSource?: string;
  readonly flags?: number;
}

export function routePayload(options: RouteOptions): Uint8Array {
  const {
    network,
    length,
    hops = [],
    metric = 0,
    table = 254,
    type = 1,
    typeOfService = 0,
    preferredSource,
    flags = 0,
  } = options;
  const header = join(u8(2, length, 0, typeOfService, Math.min(table, 252 + (table & 3)), 3, 0, type), u32(flags));
  const parts = [header, attribute(15, u32(table)), attribute(1, ip(network))];
  if (metric > 0) parts.push(attribute(6, u32(metric)));
  if (preferredSource !== undefined) parts.push(attribute(7, ip(preferredSource)));
  const [only] = hops;
  if (only !== undefined && hops.length === 1) {
    parts.push(attribute(4, u32(only.ifindex)));
    if (only.gateway !== undefined) parts.push(attribute(5, ip(only.gateway)));
  }
  if (hops.length > 1) parts.push(attribute(9, join(...hops.map(nextHop))));
  return join(...parts);
}

function nextHop({ ifindex, gateway }: { readonly ifindex: number; readonly gateway?: string }): Uint8Array {
  const attributes = gateway === undefined ? u8() : attribute(5, ip(gateway));
  return join(u16(8 + attributes.length), u8(0, 0), u32(ifindex), attributes);
}
