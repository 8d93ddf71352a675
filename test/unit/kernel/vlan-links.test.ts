/**
 * VLANs as interfaces: by their name alone, or by what the kernel has.
 */
import { configuredAddress } from '../../../control/kernel/address-list';
import { InterfaceTable, type LinkState } from '../../../control/kernel/interface-table';
import { decodeDatagram } from '../../../control/kernel/netlink/decode';
import { isInKernel, isSamePlace, placeOf, VlanLinks } from '../../../control/kernel/vlan-links';
import { parseVlanName } from '../../../control/protocol/packet/vlan-name';
import * as build from './netlink-builder';

const ADDRESSES = [{ address: 0x0a016401, length: 24 }];
/** IFF_UP without IFF_LOWER_UP. */
const NO_CARRIER = 0x1;

function tableOf(...links: readonly build.LinkOptions[]): InterfaceTable {
  const table = new InterfaceTable();
  for (const link of links) feed(table, link);
  return table;
}

function feed(table: InterfaceTable, link: build.LinkOptions): void {
  for (const { content } of decodeDatagram(build.message(build.NEWLINK, build.linkPayload(link))).messages) {
    if (content.kind === 'link') table.apply(content, 'event');
  }
}

test.each([
  ['eth0.100', { parent: 'eth0', id: 100 }],
  ['eth0.1', { parent: 'eth0', id: 1 }],
  ['eth0.4094', { parent: 'eth0', id: 4094 }],
  ['eth0.0005', { parent: 'eth0', id: 5 }],
  ['br.lan.7', { parent: 'br.lan', id: 7 }],
  ['eth0.0', undefined],
  ['eth0.4095', undefined],
  ['eth0.00100', undefined],
  ['eth0.', undefined],
  ['.100', undefined],
  ['eth0.1x', undefined],
  ['eth0', undefined],
])('%s', (name, vlan) => expect(parseVlanName(name)).toEqual(vlan));

describe('a VLAN that the kernel has no interface for', () => {
  test('has state, MTU and MAC of the interface below, and the addresses it is given', () => {
    const links = new VlanLinks(tableOf({ ifindex: 5, name: 'eth0', mtu: 9000, kind: 'bond' }));
    const link = links.link('eth0.100', ADDRESSES);
    expect(link).toMatchObject({ name: 'eth0.100', mtu: 9000, up: true, addresses: ADDRESSES.map(configuredAddress), trunk: { ifindex: 5, name: 'eth0', kind: 'bond', vlan: 100 } });
    expect(placeOf(link!)).toEqual({ ifindex: 5, name: 'eth0', kind: 'bond', partOf: '', vlan: 100 });
    expect(isInKernel(link!)).toBe(false);
  });

  test('is the same object until something of it changes', () => {
    const table = tableOf({ ifindex: 5, name: 'eth0' });
    const links = new VlanLinks(table);
    const first = links.link('eth0.100', ADDRESSES);
    expect(links.link('eth0.100', [...ADDRESSES])).toBe(first);
    expect(links.link('eth0.100', [])).not.toBe(first);
    feed(table, { ifindex: 5, name: 'eth0', flags: NO_CARRIER });
    expect(links.link('eth0.100', ADDRESSES)).toMatchObject({ up: false, adminUp: true });
  });

  test('is not there without the interface below, nor on top of another VLAN', () => {
    const links = new VlanLinks(tableOf({ ifindex: 5, name: 'eth0' }, { ifindex: 6, name: 'eth0.7', kind: 'vlan', vlan: { parent: 5, id: 7 } }));
    expect(links.link('eth1.100', [])).toBeUndefined();
    expect(links.link('eth0.7.100', [])).toBeUndefined();
    expect(links.link('eth0.5000', [])).toBeUndefined();
  });
});

describe('a VLAN of the kernel', () => {
  const eth0 = { ifindex: 5, name: 'eth0' };

  test('has a state of its own, whatever its name, and works while the interface below does', () => {
    const table = tableOf(eth0, { ifindex: 9, name: 'video', mtu: 1400, mac: [2, 0, 0, 0, 0, 9], kind: 'vlan', vlan: { parent: 5, id: 300 } });
    const links = new VlanLinks(table);
    const link = links.link('video', ADDRESSES);
    expect(link).toMatchObject({ ifindex: 9, mtu: 1400, macAddress: Uint8Array.of(2, 0, 0, 0, 0, 9), addresses: [], up: true });
    expect(placeOf(link!)).toEqual({ ifindex: 5, name: 'eth0', kind: '', partOf: '', vlan: 300 });
    expect(isInKernel(link!)).toBe(true);
    feed(table, { ...eth0, flags: NO_CARRIER });
    expect(links.link('video', [])).toMatchObject({ up: false });
  });

  test('is the one that is meant by its name, also when the name says otherwise', () => {
    const links = new VlanLinks(tableOf(eth0, { ifindex: 9, name: 'eth0.100', kind: 'vlan', vlan: { parent: 5, id: 200 } }));
    expect(placeOf(links.link('eth0.100', [])!)).toMatchObject({ ifindex: 5, vlan: 200 });
  });

  test.each([
    { name: 'an interface that is named like a VLAN and is none', link: { kind: 'dummy' } },
    { name: 'a VLAN of a provider', link: { kind: 'vlan', vlan: { parent: 5, id: 100, protocol: 0x88a8 } } },
    { name: 'one whose interface is in another namespace', link: { kind: 'vlan', vlan: { parent: 5, id: 100, isElsewhere: true } } },
    { name: 'one whose interface is not known', link: { kind: 'vlan', vlan: { parent: 77, id: 100 } } },
    { name: 'one on top of another VLAN', link: { kind: 'vlan', vlan: { parent: 6, id: 100 } } },
  ])('$name stays what it is', ({ link: options }) => {
    const links = new VlanLinks(tableOf(eth0, { ifindex: 6, name: 'inner', kind: 'vlan', vlan: { parent: 5, id: 7 } }, { ifindex: 9, name: 'eth0.100', ...options }));
    const link = links.link('eth0.100', ADDRESSES);
    expect(placeOf(link!)).toMatchObject({ ifindex: 9, name: 'eth0.100', vlan: 0 });
    expect(link?.addresses).toEqual([]);
  });
});

test('another device below, another VLAN or an interface of its own is another place', () => {
  const at = (...links: readonly build.LinkOptions[]): LinkState | undefined => new VlanLinks(tableOf(...links)).link('eth0.100', []);
  const plain = at({ ifindex: 5, name: 'eth0' });
  expect(isSamePlace(plain, at({ ifindex: 5, name: 'eth0', mtu: 900 }))).toBe(true);
  expect(isSamePlace(plain, at({ ifindex: 6, name: 'eth0' }))).toBe(false);
  expect(isSamePlace(plain, at({ ifindex: 5, name: 'eth0' }, { ifindex: 9, name: 'eth0.100', kind: 'vlan', vlan: { parent: 5, id: 100 } }))).toBe(false);
  expect(isSamePlace(plain, undefined)).toBe(false);
  expect(isSamePlace(undefined, undefined)).toBe(true);
});
