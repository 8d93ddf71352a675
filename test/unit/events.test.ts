import { EventLog, EVENT_TYPES } from '../../control/events';
import { TYPE } from '../../control/api/event-message';
import { xmcast } from '#proto';
import { RecordedLog } from './api/recorded-log';

function world(capacity?: number) {
  const clock = { ms: 0, nowMs: () => clock.ms, nowWallMs: () => 1_700_000_000_000 + clock.ms };
  const log = new RecordedLog();
  const events = new EventLog({ log, clock, ...(capacity === undefined ? {} : { capacity }) });
  const loop = (text: string): void => events.report({ type: 'loop', severity: 'warn', subject: 'eth0', text, fields: { interface: 'eth0' } });
  return { clock, log, events, loop };
}

test('one call is a line in the log and an event', () => {
  const { log, events, loop } = world();
  loop('something returns');
  expect(log.lines).toEqual([{ level: 'warn', text: 'something returns', fields: { event: 'loop', interface: 'eth0' } }]);
  expect([...events.after(0)]).toEqual([
    { sequence: 1, atWallMs: 1_700_000_000_000, type: 'loop', severity: 'warn', subject: 'eth0', text: 'something returns', suppressed: 0 },
  ]);
});

test('the newest are kept, in order', () => {
  const { clock, events, loop } = world(3);
  for (let i = 1; i <= 5; i++) loop(`${i}`);
  clock.ms += 1;
  expect([...events.after(0)].map(({ sequence, text }) => [sequence, text])).toEqual([[3, '3'], [4, '4'], [5, '5']]);
  expect([...events.after(4)].map(({ text }) => text)).toEqual(['5']);
  expect(events.forgotten).toBe(2);
});

test('a flood of one type is counted, told with the next one, and drowns no other type', () => {
  const { clock, log, events, loop } = world();
  for (let i = 0; i < 1000; i++) loop('again');
  expect(log.lines).toHaveLength(50);
  events.report({ type: 'started', text: 'ready' });
  expect(log.lines.at(-1)?.text).toBe('ready');
  clock.ms += 100;
  loop('later');
  expect([...events.after(51)]).toMatchObject([{ text: 'later', suppressed: 950 }]);
});

test('who subscribes hears of each; who has left does not', () => {
  const { events, loop } = world();
  const heard = jest.fn();
  const leave = events.subscribe(heard);
  loop('one');
  leave();
  loop('two');
  expect(heard).toHaveBeenCalledTimes(1);
});

test('each type has a number of its own in the API, and the API no others', () => {
  const numbers = EVENT_TYPES.map((type) => TYPE[type]);
  expect(new Set(numbers).size).toBe(EVENT_TYPES.length);
  expect(numbers).not.toContain(undefined);
  const known = Object.values(xmcast.v1.Event.Type).filter((value) => typeof value === 'number' && value !== 0);
  expect([...numbers].sort()).toEqual(known.sort());
});
