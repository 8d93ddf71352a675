/** Who may drive a data plane. */
import { Primary, type Claim } from '../../../control/remote/primary';

const claim = (controllerId: string, electionId: bigint): Claim => ({ name: controllerId, controllerId, electionId });

test('the first is primary; an equal or lower id is refused and told by whom; a higher one takes over', () => {
  const primary = new Primary<{ readonly id: number }>();
  const [one, two, three] = [{ id: 1 }, { id: 2 }, { id: 3 }];
  expect(primary.ask(claim('a', 5n), one)).toEqual({ granted: true, ousted: undefined });
  expect(primary.ask(claim('b', 5n), two)).toEqual({ granted: false, holder: claim('a', 5n) });
  expect(primary.ask(claim('b', 4n), two)).toMatchObject({ granted: false });
  expect(primary.holder).toBe(one);
  expect(primary.ask(claim('c', 2n ** 64n - 1n), three)).toEqual({ granted: true, ousted: one });
  expect(primary.claim?.name).toBe('c');
});

test('who has reconnected takes its own place, whatever its id; the end of its old stream changes nothing then', () => {
  const primary = new Primary<object>();
  const [old, fresh] = [{}, {}];
  primary.ask(claim('a', 5n), old);
  expect(primary.ask(claim('a', 1n), fresh)).toEqual({ granted: true, ousted: old });
  primary.leave(old);
  expect(primary.holder).toBe(fresh);
  primary.leave(fresh);
  expect([primary.holder, primary.claim]).toEqual([undefined, undefined]);
});
