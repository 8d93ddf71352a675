/**
 * Random packets for a multicast router, good ones and every way a packet can be unusual, from a seed. A packet is known by its IP
 * identification, which no router changes and no two of them share. Knows nothing of what a router should do with them.
 */
import { internetChecksum } from '../../control/protocol/packet/checksum';
import { multicastMac } from '../../control/protocol/packet/multicast-mac';
import { ip } from '../bpf/packet';

/** Where the Ethernet destination points: at the group, or wrongly. */
export type MacKind = 'group' | 'other_group' | 'router' | 'broadcast' | 'stranger';

export interface PacketSpec {
  readonly identification: number;
  /** By the interface its route names, or by another one. */
  readonly isWrongInterface: boolean;
  readonly mac: MacKind;
  /** 802.1p: a tag with VLAN 0. */
  readonly isPriorityTagged: boolean;
  readonly version: number;
  /** 32-bit words, as claimed. */
  readonly headerWords: number;
  readonly options: Uint8Array;
  readonly typeOfService: number;
  /** What the header claims less what is there. */
  readonly lengthError: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** Units of 8 bytes. */
  readonly fragmentOffset: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: string;
  readonly group: string;
  /** A number: good, and this one. 0xffff is not what a sender computes, but zero in one's complement: it must be taken, too. */
  readonly checksum: 'good' | 'bad' | number;
  readonly payloadBytes: number;
  /** Behind the IP packet. */
  readonly trailingBytes: number;
  /** The frame ends after so many bytes. */
  readonly cutTo: number | undefined;
}

export interface RandomPacket {
  readonly spec: PacketSpec;
  readonly frame: Uint8Array;
}

export interface PacketWorld {
  readonly sources: readonly string[];
  /** Sources no host may have, and those of the router itself. All have routes. */
  readonly oddSources: readonly string[];
  readonly groups: readonly string[];
  readonly unroutedSources: readonly string[];
  readonly unroutedGroups: readonly string[];
  /** The router's own address on the incoming interface. */
  readonly routerMac: Uint8Array;
}

export type Random = (limit: number) => number;

/** Of `limit` values from 0 up. Marsaglia's xorshift, 32 bits. */
export function seededRandom(seed: number): Random {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const ETHERNET_BYTES = 14;
const TAG_BYTES = 4;
const MIN_IP_HEADER_BYTES = 20;
const MAX_IP_BYTES = 1500;
const MIN_FRAME_BYTES = 60;
const EDGE_TTLS = [0, 1, 2, 3, 16, 17, 64, 65, 254, 255];
/** Around those where one more in the TTL's byte carries. */
const EDGE_CHECKSUMS = [0, 0x00ff, 0xfefe, 0xfeff, 0xff00, 0xfffe, 0xffff];
const EDGE_PROTOCOLS = [0, 1, 2, 4, 6, 17, 41, 47, 50, 51, 89, 103, 132, 255];
const SENDER_MAC = Uint8Array.of(0x02, 0, 0, 0, 0, 0x99);

export class RandomPackets {
  readonly #random: Random;
  readonly #world: PacketWorld;
  readonly #used = new Set<number>();

  constructor(random: Random, world: PacketWorld) {
    this.#random = random;
    this.#world = world;
  }

  /** A few are sent twice. */
  take(count: number): readonly RandomPacket[] {
    const packets: RandomPacket[] = [];
    while (packets.length < count) {
      const packet = this.#packet();
      packets.push(packet);
      if (this.#chance(40)) packets.push(packet);
    }
    return packets.slice(0, count);
  }

  /** A good UDP packet with a large TTL; the rest is as asked for. */
  plain(overrides: Partial<PacketSpec>): RandomPacket {
    return this.#build({ ...this.#good(), ttl: 255, protocol: 17, ...overrides });
  }

  #packet(): RandomPacket {
    let spec = this.#good();
    for (let oddities = [0, 0, 0, 1, 1, 2][this.#random(6)] ?? 0; oddities > 0; oddities--)
      spec = { ...spec, ...this.#oddity(spec) };
    return this.#build(spec);
  }

  #good(): PacketSpec {
    return {
      identification: this.#unusedIdentification(),
      isWrongInterface: false,
      mac: 'group',
      isPriorityTagged: false,
      version: 4,
      headerWords: 5,
      options: new Uint8Array(),
      typeOfService: this.#random(256),
      lengthError: 0,
      dontFragment: this.#chance(3),
      moreFragments: false,
      fragmentOffset: 0,
      ttl: this.#chance(3) ? this.#pick(EDGE_TTLS) : this.#random(256),
      protocol: this.#chance(2) ? 17 : this.#random(256),
      source: this.#pick(this.#world.sources),
      group: this.#pick(this.#world.groups),
      checksum: 'good',
      payloadBytes: this.#payloadBytes(),
      trailingBytes: 0,
      cutTo: undefined,
    };
  }

  #payloadBytes(): number {
    const most = MAX_IP_BYTES - MIN_IP_HEADER_BYTES;
    return this.#chance(4) ? this.#pick([0, 1, 8, 25, 26, 27, 879, 880, 881, 884, 885, most - 1, most]) : this.#random(most + 1);
  }

  #oddity(spec: PacketSpec): Partial<PacketSpec> {
    const random = this.#random;
    const room = MAX_IP_BYTES - MIN_IP_HEADER_BYTES - spec.payloadBytes;
    const small = spec.payloadBytes % 200;
    const kinds: readonly (() => Partial<PacketSpec>)[] = [
      () => ({ isWrongInterface: true }),
      () => ({ mac: this.#pick(['other_group', 'router', 'broadcast', 'stranger'] as const) }),
      () => ({ isPriorityTagged: true, payloadBytes: small }),
      () => ({ version: this.#pick([0, 3, 5, 6, 15]) }),
      () => ({ headerWords: random(5) }),
      () => this.#someOptions(small),
      () => ({ lengthError: this.#pick([1, 1 + random(200), -(1 + random(spec.payloadBytes + 1))]) }),
      () => ({ lengthError: -(spec.payloadBytes + 1 + random(MIN_IP_HEADER_BYTES)) }),
      () => ({ checksum: 'bad' }),
      () => ({ checksum: this.#pick(EDGE_CHECKSUMS) }),
      () => ({ source: this.#pick(this.#world.oddSources) }),
      () => ({ source: this.#pick(this.#world.unroutedSources) }),
      () => ({ group: this.#pick(this.#world.unroutedGroups) }),
      () => ({ protocol: this.#pick(EDGE_PROTOCOLS) }),
      () => ({
        moreFragments: true,
        dontFragment: false,
        payloadBytes: spec.payloadBytes & ~7,
        fragmentOffset: this.#pick([0, random(0x2000)]),
      }),
      () => ({ fragmentOffset: 1 + random(0x1fff) }),
      () => ({ trailingBytes: random(Math.min(room, 40) + 1) }),
      () => ({ payloadBytes: small, trailingBytes: random(MAX_IP_BYTES - MIN_IP_HEADER_BYTES - small) }),
      () => ({
        payloadBytes: spec.payloadBytes % 26,
        trailingBytes: MIN_FRAME_BYTES - ETHERNET_BYTES - MIN_IP_HEADER_BYTES - (spec.payloadBytes % 26),
      }),
      () => ({ cutTo: ETHERNET_BYTES + random(ETHERNET_BYTES + spec.payloadBytes) }),
    ];
    return this.#pick(kinds)();
  }

  /** No operation, a record of the route, router alert, timestamps, security labels, an unknown one, an end with something behind, or any bytes. */
  #someOptions(payloadBytes: number): Partial<PacketSpec> {
    const options = this.#pick([
      [1, 1, 1, 1],
      [7, 7, 4, 0, 0, 0, 0, 0],
      [0x94, 4, 0, 0],
      [0x44, 12, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      [0x86, 6, 0, 0, 0, 1, 1, 0],
      [1, 0x9f, 5, 1, 2, 3, 0, 0],
      [1, 0, 0, 1 + this.#random(255)],
      [this.#random(256), this.#random(256), this.#random(256), this.#random(256)],
    ]);
    return { options: Uint8Array.from(options), headerWords: 5 + options.length / 4, payloadBytes };
  }

  #build(wanted: PacketSpec): RandomPacket {
    const header = headerOf(wanted);
    // Oddities add up; the link takes no more.
    const trailingBytes = Math.min(wanted.trailingBytes, MAX_IP_BYTES - header.length - wanted.payloadBytes);
    const sized = { ...wanted, trailingBytes };
    const spec = typeof wanted.checksum === 'number' ? this.#withChecksum(sized, header, wanted.checksum) : sized;
    setChecksum(header, spec.checksum);
    const body = Uint8Array.from({ length: spec.payloadBytes + spec.trailingBytes }, () => this.#random(256));
    const frame = Buffer.concat([ethernetOf(spec, this.#world.routerMac), header, body]);
    return { spec, frame: frame.subarray(0, spec.cutTo) };
  }

  /** With the identification that makes the checksum this one; left as it was when another packet has that identification. */
  #withChecksum(spec: PacketSpec, header: Uint8Array, checksum: number): PacketSpec {
    const sum = spec.identification + internetChecksum(header) + (~checksum & 0xffff);
    const folded = (sum & 0xffff) + (sum >>> 16);
    const identification = (folded & 0xffff) + (folded >>> 16);
    if (this.#used.has(identification)) return { ...spec, checksum: 'good' };
    this.#used.add(identification);
    new DataView(header.buffer).setUint16(4, identification);
    return { ...spec, identification };
  }

  #unusedIdentification(): number {
    let identification = this.#random(0x10000);
    while (this.#used.has(identification)) identification = this.#random(0x10000);
    this.#used.add(identification);
    return identification;
  }

  #chance(outOf: number): boolean {
    return this.#random(outOf) === 0;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random(values.length)] as T;
  }
}

/** With a checksum field of zero. */
function headerOf(spec: PacketSpec): Uint8Array {
  const header = new Uint8Array(MIN_IP_HEADER_BYTES + spec.options.length);
  const view = new DataView(header.buffer);
  view.setUint8(0, (spec.version << 4) | spec.headerWords);
  view.setUint8(1, spec.typeOfService);
  view.setUint16(2, Math.max(0, header.length + spec.payloadBytes + spec.lengthError));
  view.setUint16(4, spec.identification);
  view.setUint16(6, (spec.dontFragment ? 0x4000 : 0) | (spec.moreFragments ? 0x2000 : 0) | spec.fragmentOffset);
  view.setUint8(8, spec.ttl);
  view.setUint8(9, spec.protocol);
  view.setUint32(12, ip(spec.source));
  view.setUint32(16, ip(spec.group));
  header.set(spec.options, MIN_IP_HEADER_BYTES);
  return header;
}

function setChecksum(header: Uint8Array, checksum: PacketSpec['checksum']): void {
  const good = internetChecksum(header);
  const value = checksum === 'good' ? good : checksum === 'bad' ? good ^ 0x0101 : checksum;
  new DataView(header.buffer).setUint16(10, value);
}

function ethernetOf(spec: PacketSpec, routerMac: Uint8Array): Uint8Array {
  const tag = spec.isPriorityTagged ? [0x81, 0x00, 0xa0, 0x00] : [];
  const bytes = new Uint8Array(ETHERNET_BYTES + (spec.isPriorityTagged ? TAG_BYTES : 0));
  bytes.set(destinationMac(spec, routerMac), 0);
  bytes.set(SENDER_MAC, 6);
  bytes.set([...tag, 0x08, 0x00], 12);
  return bytes;
}

function destinationMac({ mac, group }: PacketSpec, routerMac: Uint8Array): Uint8Array {
  const right = multicastMac(ip(group));
  switch (mac) {
    case 'group':
      return right;
    case 'other_group':
      return right.map((octet, i) => (i === 5 ? octet ^ 0x40 : octet));
    case 'router':
      return routerMac;
    case 'broadcast':
      return new Uint8Array(6).fill(0xff);
    case 'stranger':
      return Uint8Array.of(0x02, 0, 0, 0, 0, 0x77);
  }
}
