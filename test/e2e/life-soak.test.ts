/** The short form of `npm run soak:life`: nothing piles up over restarts and interfaces that go and come. */
import { soakLife } from '../lab/life-soak';

jest.setTimeout(180_000);

test('ten restarts and twenty flaps: the same state, descriptors, maps, programs, links and pins', async () => {
  const [before, after] = await soakLife({ restarts: 10, flaps: 20 });
  expect(after).toEqual(before);
});
