/** What the slots of a group stand for that a controller before has filled, also when what it told the programs has been spoilt. */
import type { SlotOwner } from '../../../control/dataplane/installed-abi';
import { ownersReader } from '../../../control/dataplane/slot-owners';

const [LAN, TRUNK] = [30, 40];
const port = (vport: number, ifindex: number, vlan = 0) => ({ vport, name: 'eth', ifindex, vlan, macAddress: new Uint8Array(6), mtu: 1500, ttlThreshold: 1 });
const PORTS = [port(1, LAN), port(2, TRUNK, 100), port(3, TRUNK), port(4, TRUNK, 200)];
const owner = (ifindex: number, place: number, vport: number): SlotOwner => ({ key: { group: 7, ifindex, place }, vport });
/** LAN, then three of the trunk. */
const slots = [LAN, TRUNK, TRUNK, TRUNK];
const OWNERS = [
  ...[1, 2, 3, 4].map((vport, slot) => owner(0, slot, vport)),
  owner(LAN, 0, 1),
  ...[2, 3, 4].map((vport, copy) => owner(TRUNK, copy, vport)),
];

test('a device that several ports share does not tell which one a slot is for', () => {
  const read = ownersReader(PORTS, OWNERS);
  expect(read({ index: 7, slots, toVlans: true })).toEqual([1, 2, 3, 4]);
  expect(read({ index: 8, slots: [LAN, undefined, TRUNK], toVlans: false })).toEqual([1, undefined, 3]);
});

test('of the two places where it is said one is enough', () => {
  const lacking = (key: SlotOwner['key']) => OWNERS.filter((one) => one.key.ifindex !== key.ifindex || one.key.place !== key.place);
  for (const { key } of OWNERS) expect(ownersReader(PORTS, lacking(key))({ index: 7, slots, toVlans: true })).toEqual([1, 2, 3, 4]);
});

test('nobody is guessed, and no port of another device is believed', () => {
  expect(ownersReader(PORTS, [])({ index: 7, slots, toVlans: true })).toEqual([undefined, undefined, undefined, undefined]);
  expect(ownersReader(PORTS, [owner(0, 0, 4), owner(0, 1, 99)])({ index: 7, slots, toVlans: true })).toEqual([undefined, undefined, undefined, undefined]);
});
