import { u32Key } from '../../../control/dataplane/keys';
import { ThresholdTable } from '../../../control/dataplane/threshold-table';
import { FakeMap, nameOf } from './fakes';

const PLACES = 4;

/** An array of the kernel: every place has a value. */
function table(): { readonly kernel: FakeMap; readonly thresholds: ThresholdTable; readonly at: (counter: number) => Uint8Array | undefined } {
  const kernel = new FakeMap();
  for (let counter = 0; counter < PLACES; counter++) kernel.update(u32Key(counter), u32Key(0));
  return { kernel, thresholds: new ThresholdTable(kernel.map), at: (counter) => kernel.lookup(u32Key(counter)) };
}

test('what somebody else has changed is written again; what a route has left behind is nobody’s', async () => {
  const { kernel, thresholds, at } = table();
  thresholds.set(1, 31);
  thresholds.adopt(2, 63);
  thresholds.set(3, 15);
  thresholds.forget(3);
  kernel.update(u32Key(2), u32Key(63));
  expect(await thresholds.repair()).toBe(0);
  for (const counter of [1, 2, 3]) kernel.update(u32Key(counter), u32Key(1));
  expect(await thresholds.repair()).toBe(2);
  expect([1, 2, 3].map(at)).toEqual([31, 63, 1].map(u32Key));
  expect(kernel.entries.has(nameOf(u32Key(PLACES)))).toBe(false);
});

test('what changes while the kernel is read is no fault', async () => {
  const { thresholds, at } = table();
  thresholds.set(1, 31);
  thresholds.set(2, 31);
  const repair = thresholds.repair();
  thresholds.set(1, 63);
  thresholds.forget(2);
  expect(await repair).toBe(0);
  expect(at(1)).toEqual(u32Key(63));
});
