/** Whose the slots of a group are, as the programs look it up: by slot, and by device and copy. */
import type { VportId } from '../../../control/mrib/route';
import type { SlotKey } from '../../../control/dataplane/abi';
import { SlotPorts } from '../../../control/dataplane/slot-ports';
import { abi, FakeMap, nameOf } from './fakes';

const GROUP = 4;

function slotPorts(...vlans: readonly VportId[]) {
  const kernel = new FakeMap();
  const ports = new SlotPorts(abi, kernel.map, new Set(vlans));
  const portAt = (key: Omit<SlotKey, 'group'>): number | undefined => {
    const value = kernel.entries.get(nameOf(abi.slotKeys([{ group: GROUP, ...key }])));
    return value === undefined ? undefined : value[0];
  };
  return { kernel, ports, portAt };
}

test('the n-th slot of a device is its n-th copy', () => {
  const { kernel, ports, portAt } = slotPorts(2, 5, 6);
  ports.fill(GROUP, [{ slot: 0, vport: 2, ifindex: 30 }, { slot: 1, vport: 3, ifindex: 40 }, { slot: 3, vport: 5, ifindex: 30 }, { slot: 4, vport: 6, ifindex: 30 }]);
  expect([0, 1, 2, 3, 4].map((place) => portAt({ ifindex: 0, place }))).toEqual([2, 3, undefined, 5, 6]);
  expect([0, 1, 2, 3].map((place) => portAt({ ifindex: 30, place }))).toEqual([2, 5, 6, undefined]);
  expect(portAt({ ifindex: 40, place: 0 })).toBe(3);
  ports.clear(GROUP);
  expect(kernel.entries.size).toBe(0);
});

test('a group without VLANs needs no word', () => {
  const { kernel, ports } = slotPorts(9);
  ports.fill(GROUP, [{ slot: 0, vport: 2, ifindex: 30 }]);
  ports.clear(GROUP);
  expect(kernel.calls).toEqual([]);
});

test('a device that returns under other numbers again and again leaves nothing behind', () => {
  const { kernel, ports, portAt } = slotPorts(2);
  for (let ifindex = 30; ifindex < 60; ifindex++) {
    ports.fill(GROUP, [{ slot: 0, vport: 2, ifindex }]);
    expect(portAt({ ifindex, place: 0 })).toBe(2);
    // Copies may be on their way to the device before.
    expect(kernel.entries.size).toBeLessThanOrEqual(3);
  }
  ports.clear(GROUP);
  expect(kernel.entries.size).toBe(0);
});

test('what the kernel refuses leaves nothing behind once the group is cleared', () => {
  const { kernel, ports } = slotPorts(2, 3);
  kernel.refused.add(nameOf(abi.slotKeys([{ group: GROUP, ifindex: 30, place: 1 }])));
  expect(() => ports.fill(GROUP, [{ slot: 0, vport: 2, ifindex: 30 }, { slot: 1, vport: 3, ifindex: 30 }])).toThrow('ENOMEM');
  kernel.refused.clear();
  ports.clear(GROUP);
  expect(kernel.entries.size).toBe(0);
});

test('what somebody has changed is noticed, and told again', () => {
  const { kernel, ports } = slotPorts(2, 3);
  const slots = [{ slot: 0, vport: 2, ifindex: 30 }, { slot: 1, vport: 3, ifindex: 30 }];
  ports.fill(GROUP, slots);
  expect(ports.isTold(GROUP, slots)).toBe(true);
  for (const key of [...kernel.entries.keys()]) {
    kernel.entries.delete(key);
    expect(ports.isTold(GROUP, slots)).toBe(false);
    ports.fill(GROUP, slots);
    expect(ports.isTold(GROUP, slots)).toBe(true);
  }
});

test('what a controller before has told goes with the group', () => {
  const { kernel, ports } = slotPorts(2, 3);
  const slots = [{ slot: 0, vport: 2, ifindex: 30 }, { slot: 1, vport: 3, ifindex: 30 }];
  ports.fill(GROUP, slots);
  const next = new SlotPorts(abi, kernel.map, new Set([2, 3]));
  next.adopt([0, 1].flatMap((place) => [{ key: { group: GROUP, ifindex: 0, place }, vport: place + 2 }, { key: { group: GROUP, ifindex: 30, place }, vport: place + 2 }]));
  next.fill(GROUP, slots);
  expect(next.isTold(GROUP, slots)).toBe(true);
  next.clear(GROUP);
  expect(kernel.entries.size).toBe(0);
});
