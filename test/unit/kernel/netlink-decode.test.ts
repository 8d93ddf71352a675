/**
 * What the decoder makes of the bytes of a real kernel, and of bytes no kernel would send.
 */
import fc from 'fast-check';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import { encodeAddressDump } from '../../../control/kernel/netlink/address';
import { decodeDatagram, type Content } from '../../../control/kernel/netlink/decode';
import { encodeLinkDump } from '../../../control/kernel/netlink/link';
import { encodeRouteDump } from '../../../control/kernel/netlink/route';
import * as build from './netlink-builder';
import { datagramsOf, readVectors } from './rtnetlink-vectors';

const dumps = readVectors('dumps');
const events = readVectors('events');

function contentsOf(datagrams: readonly Uint8Array[]): readonly Content[] {
  return datagrams.flatMap((datagram) => {
    const { messages, malformed } = decodeDatagram(datagram);
    expect(malformed).toBe(0);
    return messages.map((message) => message.content);
  });
}

const records = <K extends Content['kind']>(
  datagrams: readonly Uint8Array[],
  kind: K,
): readonly Extract<Content, { kind: K }>[] =>
  contentsOf(datagrams).filter((content): content is Extract<Content, { kind: K }> => content.kind === kind);

describe('dumps of a real kernel', () => {
  test('links carry name, MAC address, MTU, state and kind', () => {
    const links = records(datagramsOf(dumps, 'links'), 'link').map(({ record }) => ({
      name: record.name,
      mac: Buffer.from(record.macAddress).toString('hex'),
      mtu: record.mtu,
      adminUp: record.adminUp,
      up: record.up,
      kind: record.kind,
    }));
    expect(links).toEqual([
      { name: 'lo', mac: '000000000000', mtu: 65536, adminUp: true, up: true, kind: '' },
      { name: 'east-peer', mac: '020000000002', mtu: 9000, adminUp: true, up: true, kind: 'veth' },
      { name: 'east', mac: '020000000001', mtu: 1500, adminUp: true, up: true, kind: 'veth' },
      { name: 'east.mv', mac: expect.any(String), mtu: 1500, adminUp: false, up: false, kind: 'macvlan' },
      { name: 'idle', mac: '', mtu: 1500, adminUp: false, up: false, kind: 'tun' },
    ]);
  });

  test('addresses carry prefix length, secondary flag and the peer of a point-to-point address', () => {
    const addresses = records(datagramsOf(dumps, 'addresses'), 'address').map(({ record }) => {
      const peer = record.peer === undefined ? '' : ` peer ${formatIpv4(record.peer)}`;
      return `${formatIpv4(record.address)}${peer}/${record.length}${record.secondary ? ' secondary' : ''}`;
    });
    expect(addresses).toEqual([
      '127.0.0.1/8',
      '10.9.0.1 peer 10.9.0.2/32',
      '10.1.0.1/24',
      '192.0.2.1/25',
      '10.1.0.2/24 secondary',
    ]);
  });

  test('routes carry prefix, metric, table, type, preferred source and every hop', () => {
    const routes = records(datagramsOf(dumps, 'routes'), 'route').map(({ record }) => record);
    const told = routes
      .filter((route) => route.table !== 255)
      .map((route) => {
        const hops = route.hops.map((hop) => `${hop.gateway === undefined ? 'link' : formatIpv4(hop.gateway)}`).join(' ');
        const source = route.preferredSource === undefined ? '' : ` src ${formatIpv4(route.preferredSource)}`;
        return `${formatIpv4(route.network)}/${route.length} type ${route.type} table ${route.table} metric ${route.metric} via ${hops}${source}`;
      });
    expect(told.sort()).toEqual([
      '0.0.0.0/0 type 1 table 254 metric 100 via 10.1.0.254',
      '0.0.0.0/0 type 1 table 254 metric 50 via 10.1.0.253',
      '10.1.0.0/24 type 1 table 254 metric 0 via link src 10.1.0.1',
      '10.50.0.0/16 type 1 table 254 metric 0 via 10.1.0.3 src 192.0.2.1',
      '10.9.0.2/32 type 1 table 254 metric 0 via link src 10.9.0.1',
      '172.16.0.0/12 type 1 table 254 metric 0 via 10.9.0.2',
      '172.16.5.0/24 type 1 table 254 metric 0 via 10.1.0.9 10.9.0.2',
      '172.16.6.0/24 type 6 table 254 metric 0 via ',
      '192.0.2.0/25 type 1 table 254 metric 0 via link src 192.0.2.1',
      '198.18.0.0/15 type 1 table 300 metric 0 via 10.1.0.7',
    ]);
  });

  test.each([
    ['links', 101],
    ['addresses', 102],
    ['routes', 103],
  ])('the dump of %s is multi-part, carries the sequence asked with, and ends', (label, sequence) => {
    const messages = datagramsOf(dumps, label).flatMap((datagram) => decodeDatagram(datagram).messages);
    expect(messages.every((message) => message.multipart && message.sequence === sequence && !message.dumpInterrupted)).toBe(
      true,
    );
    expect(messages.at(-1)?.content).toEqual({ kind: 'done', errno: 0 });
  });
});

describe('notifications of a real kernel', () => {
  test('none of them is malformed, and none is taken for a part of a dump', () => {
    for (const [, datagrams] of events) {
      for (const datagram of datagrams) {
        const { messages, malformed } = decodeDatagram(datagram);
        expect({ malformed, parts: messages.filter((message) => message.multipart).length }).toEqual({ malformed: 0, parts: 0 });
      }
    }
  });

  test('a port that leaves its bridge is told as removal of an AF_BRIDGE record', () => {
    const removals = records(datagramsOf(events, 'bridge-leave'), 'link').filter(({ removed }) => removed);
    expect(removals.map(({ record }) => record.family)).toEqual([7]);
  });

  test('an error answer gives its errno', () => {
    expect(contentsOf(datagramsOf(readVectors('error'), 'answer'))).toEqual([{ kind: 'error', errno: 95 }]);
  });
});

describe('requests', () => {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const header = (length: number, type: number, sequence: number): string =>
    hex(build.join(build.u32(length), build.u16(type), build.u16(0x301), build.u32(sequence), build.u32(0)));

  test('a dump of links asks for no statistics', () => {
    const body = hex(build.join(new Uint8Array(16), build.attribute(29, build.u32(8))));
    expect(hex(encodeLinkDump(7))).toBe(header(40, 18, 7) + body);
  });

  test('dumps of addresses and routes ask for IPv4', () => {
    expect(hex(encodeAddressDump(8))).toBe(`${header(24, 22, 8)}0200000000000000`);
    expect(hex(encodeRouteDump(9))).toBe(`${header(28, 26, 9)}02${'00'.repeat(11)}`);
  });
});

describe('bytes no kernel sends', () => {
  const link = build.message(build.NEWLINK, build.linkPayload({ ifindex: 3 }));

  test('a datagram cut inside its second message yields the first and one malformed', () => {
    const both = build.join(link, link);
    for (let length = link.length + 1; length < both.length; length += 1) {
      const decoded = decodeDatagram(both.subarray(0, length));
      expect({ messages: decoded.messages.length, malformed: decoded.malformed }).toEqual({ messages: 1, malformed: 1 });
    }
  });

  test.each<[string, Uint8Array]>([
    ['message length below its header', build.join(build.u32(15), new Uint8Array(12))],
    ['message length beyond the datagram', build.join(build.u32(0xffffffff), new Uint8Array(12))],
    ['link without its header', build.message(build.NEWLINK, new Uint8Array(15))],
    ['link with ifindex 0', build.message(build.NEWLINK, build.linkPayload({ ifindex: 0 }))],
    [
      'attribute shorter than its header',
      build.message(build.NEWLINK, build.join(build.linkPayload({ ifindex: 3 }), build.u16(3), build.u16(4))),
    ],
    [
      'attribute beyond its message',
      build.message(
        build.NEWADDR,
        build.join(build.addressPayload({ ifindex: 3, address: '10.0.0.1' }), build.u16(9), build.u16(4)),
      ),
    ],
    [
      'address with prefix length 33',
      build.message(build.NEWADDR, build.addressPayload({ ifindex: 3, address: '10.0.0.1', length: 33 })),
    ],
    ['address message without address', build.message(build.NEWADDR, build.join(build.u8(2, 24, 0, 0), build.u32(3)))],
    ['route with prefix length 33', build.message(build.NEWROUTE, build.routePayload({ network: '10.0.0.0', length: 33 }))],
    [
      'next hop beyond its list',
      build.message(
        build.NEWROUTE,
        build.join(
          build.routePayload({ network: '10.0.0.0', length: 8 }),
          build.attribute(9, build.join(build.u16(20), new Uint8Array(6))),
        ),
      ),
    ],
    [
      'next hop of no length',
      build.message(
        build.NEWROUTE,
        build.join(build.routePayload({ network: '10.0.0.0', length: 8 }), build.attribute(9, new Uint8Array(8))),
      ),
    ],
    ['error answer without errno', build.message(2, new Uint8Array(3))],
  ])('%s is malformed', (_, datagram) => {
    expect(decodeDatagram(datagram)).toEqual({ messages: [], malformed: 1 });
  });

  test('the flag bits of an attribute type are no part of the type', () => {
    const nested = build.attribute(0x8000 | 18, build.attribute(1, Buffer.from('vlan\0')));
    const link = build.message(build.NEWLINK, build.join(build.linkPayload({ ifindex: 3 }), nested));
    expect(contentsOf([link])).toMatchObject([{ record: { kind: 'vlan' } }]);
  });

  test('unknown attributes, types and families are passed over', () => {
    const unknown = build.join(build.linkPayload({ ifindex: 3 }), build.attribute(0x3abc, build.u32(1)));
    expect(contentsOf([build.message(build.NEWLINK, unknown)])).toMatchObject([
      { kind: 'link', record: { ifindex: 3, name: 'eth3' } },
    ]);
    const ipv6Route = build.message(build.NEWROUTE, build.join(build.u8(10, 128), new Uint8Array(10)));
    expect(contentsOf([build.join(build.message(777, build.u32(0)), ipv6Route)])).toEqual([
      { kind: 'ignored' },
      { kind: 'ignored' },
    ]);
  });

  test('random bytes never make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void decodeDatagram(bytes)),
      { numRuns: 500 },
    );
  });

  test('real datagrams with bytes overwritten or cut off never make it throw', () => {
    const originals = [...dumps.values(), ...events.values()].flat();
    const damage = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.constantFrom(...originals), damage, fc.nat(4000), (original, overwrites, cut) => {
        const bytes = original.slice(0, Math.max(1, original.length - (cut % original.length)));
        for (const [position, value] of overwrites) bytes[position % bytes.length] = value;
        decodeDatagram(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('random attributes behind good headers never make it throw', () => {
    const header = fc.constantFrom(build.NEWLINK, build.NEWADDR, build.NEWROUTE);
    const attributes = fc.array(fc.tuple(fc.nat(32), fc.uint8Array({ maxLength: 24 })), { maxLength: 6 });
    fc.assert(
      fc.property(header, attributes, (type, list) => {
        const body = { [build.NEWLINK]: 16, [build.NEWADDR]: 8, [build.NEWROUTE]: 12 }[type] ?? 0;
        const fixed = new Uint8Array(body).fill(1);
        fixed[0] = type === build.NEWLINK ? 0 : 2;
        const payload = build.join(fixed, ...list.map(([kind, value]) => build.attribute(kind, value)));
        const { messages, malformed } = decodeDatagram(build.message(type, payload));
        expect(messages.length + malformed).toBe(1);
      }),
      { numRuns: 500 },
    );
  });
});
