import { ChangeJournal } from '../../../control/api/change-journal';

function watched(options?: ConstructorParameters<typeof ChangeJournal>[0]) {
  const journal = new ChangeJournal<string>(options);
  return { journal, leave: journal.watch(() => undefined) };
}

const record = (journal: ChangeJournal<string>, ...names: string[]): void => names.forEach((name) => journal.record(name, name));

test('nothing is written down while nobody watches', () => {
  const journal = new ChangeJournal<string>();
  record(journal, 'a');
  expect([journal.isActive, journal.sequence, journal.epoch]).toEqual([false, 0, '']);
});

test('each entry once, in the order of its last change; what that replaced is counted', () => {
  const { journal } = watched();
  record(journal, 'a', 'b', 'a', 'c', 'a');
  expect(journal.after(0, 10)).toEqual({ keys: ['b', 'c', 'a'], sequence: 5, coalesced: 2 });
});

test('read in pieces, each from where the one before ended', () => {
  const { journal } = watched();
  record(journal, 'a', 'b', 'c');
  const first = journal.after(0, 2);
  expect(first).toEqual({ keys: ['a', 'b'], sequence: 2, coalesced: 0 });
  record(journal, 'a');
  expect(journal.after(first?.sequence ?? 0, 2)).toEqual({ keys: ['c', 'a'], sequence: 4, coalesced: 0 });
});

test('one entry that changes all the time fills nothing', () => {
  const { journal } = watched({ limit: 4 });
  record(journal, 'still');
  for (let i = 0; i < 100_000; i++) record(journal, 'busy');
  const changes = journal.after(0, 10);
  expect(changes?.keys).toEqual(['still', 'busy']);
  expect(changes?.coalesced).toBe(99_999);
});

test('beyond the limit the older half is forgotten: who was not that far is told so', () => {
  const { journal } = watched({ limit: 4 });
  record(journal, 'a', 'b', 'c', 'd', 'e');
  expect(journal.after(1, 10)).toBeUndefined();
  expect(journal.after(2, 10)).toMatchObject({ keys: ['c', 'd', 'e'] });
});

test('it is written on for a while after the last watcher has gone; then positions are of another epoch', () => {
  jest.useFakeTimers();
  const { journal, leave } = watched({ lingerMs: 1000 });
  const { epoch } = journal;
  leave();
  record(journal, 'a');
  expect(journal.after(0, 10)?.keys).toEqual(['a']);
  journal.watch(() => undefined)();
  jest.advanceTimersByTime(999);
  expect(journal.epoch).toBe(epoch);
  jest.advanceTimersByTime(1);
  expect(journal.isActive).toBe(false);
  record(journal, 'b');
  journal.watch(() => undefined);
  expect(journal.epoch).not.toBe(epoch);
  expect(journal.after(0, 10)).toBeUndefined();
  jest.useRealTimers();
});

test('watchers are woken once for many changes', () => {
  jest.useFakeTimers();
  const journal = new ChangeJournal<string>();
  const wake = jest.fn();
  journal.watch(wake);
  record(journal, 'a', 'b', 'c');
  expect(wake).not.toHaveBeenCalled();
  jest.advanceTimersByTime(100);
  expect(wake).toHaveBeenCalledTimes(1);
  jest.useRealTimers();
});

test('when everything may be different, whoever was there before is too late', () => {
  const { journal } = watched();
  record(journal, 'a');
  const before = journal.sequence;
  journal.recordAll();
  expect(journal.after(before, 10)).toBeUndefined();
  record(journal, 'b');
  expect(journal.after(journal.sequence - 1, 10)?.keys).toEqual(['b']);
  const unwatched = new ChangeJournal<string>();
  unwatched.recordAll();
  expect(unwatched.sequence).toBe(0);
});
