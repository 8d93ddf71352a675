import { u32Key } from '../../../control/dataplane/keys';
import { MemberTable } from '../../../control/dataplane/member-table';
import { abi, FakeMap, nameOf } from './fakes';

const key = (counter: number, vport: number): string => nameOf(u32Key(abi.memberKey(counter, vport)));

function table(): { readonly kernel: FakeMap; readonly members: MemberTable } {
  const kernel = new FakeMap();
  return { kernel, members: new MemberTable(abi, kernel.map) };
}

test('what is there stays when the same is asked for again, what goes is removed', () => {
  const { kernel, members } = table();
  members.add(7, [1, 2]);
  members.add(7, [2, 3]);
  members.remove(7, [1, 2], [2, 3]);
  expect([...kernel.entries.keys()].sort()).toEqual([key(7, 2), key(7, 3)].sort());
  members.remove(7, [2, 3]);
  expect(kernel.entries.size).toBe(0);
});

test('what somebody else has changed is put right, and what a controller before this one left without a route goes', async () => {
  const { kernel, members } = table();
  members.add(1, [4]);
  members.adopt(2, [5]);
  kernel.entries.set(key(2, 5), u32Key(1));
  kernel.entries.set(key(9, 9), u32Key(1));
  kernel.entries.delete(key(1, 4));
  expect(await members.repair()).toBe(2);
  expect([...kernel.entries.keys()].sort()).toEqual([key(1, 4), key(2, 5)].sort());
  expect(await members.repair()).toBe(0);
});

test('what changes while the kernel is read is no fault', async () => {
  const { kernel, members } = table();
  members.add(1, [4]);
  const repair = members.repair();
  members.remove(1, [4]);
  members.add(1, [6]);
  expect(await repair).toBe(0);
  expect([...kernel.entries.keys()]).toEqual([key(1, 6)]);
});
