/** The short form of `npm run soak:life`: nothing piles up over restarts and interfaces that change in every way. */
import { soakLife } from '../lab/life-soak';

jest.setTimeout(300_000);

test('ten restarts and forty flaps: the same state, descriptors, maps, programs, links and pins; a LAN in peace has lost nothing', async () => {
  const { before, after, lost, repeated } = await soakLife({ restarts: 10, flaps: 40, seed: 1 });
  expect(after).toEqual(before);
  // Of three ports XDP, tc in and out; and two observers.
  expect({ attached: before.attached.length, links: before.pinnedLinks }).toEqual({ attached: 3, links: 11 });
  expect({ lost, repeated }).toEqual({ lost: 0, repeated: 0 });
});
