/**
 * One timer, the earliest deadline, never early.
 */
import { DeadlineDriver } from '../../../control/kernel/deadline-driver';
import { systemClock } from '../../../control/kernel/clock';
import { VirtualClock } from './virtual-clock';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

class Machine {
  deadlines: number[] = [];
  readonly fired: number[] = [];

  nextDeadline(): number | undefined {
    return this.deadlines.length === 0 ? undefined : Math.min(...this.deadlines);
  }

  onDeadline(nowMs: number): void {
    this.fired.push(nowMs);
    this.deadlines = this.deadlines.filter((deadline) => deadline > nowMs);
  }
}

function setUp(...deadlines: readonly number[]): {
  clock: VirtualClock;
  machine: Machine;
  driver: DeadlineDriver;
  pass: (ms: number) => void;
} {
  const clock = new VirtualClock();
  const machine = new Machine();
  machine.deadlines = [...deadlines];
  const driver = new DeadlineDriver(clock, machine);
  driver.rearm();
  return {
    clock,
    machine,
    driver,
    pass: (ms) => {
      clock.advance(ms);
      jest.advanceTimersByTime(ms);
    },
  };
}

test('wakes at each deadline in turn, with one timer', () => {
  const { machine, pass } = setUp(500, 200, 900);
  expect(jest.getTimerCount()).toBe(1);
  pass(199);
  expect(machine.fired).toEqual([]);
  pass(1);
  pass(300);
  pass(400);
  expect([machine.fired, jest.getTimerCount()]).toEqual([[200, 500, 900], 0]);
});

test('a deadline that moves closer, away, or vanishes moves the timer', () => {
  const { machine, driver, pass } = setUp(500);
  machine.deadlines = [100];
  driver.rearm();
  pass(100);
  expect(machine.fired).toEqual([100]);
  machine.deadlines = [300];
  driver.rearm();
  machine.deadlines = [];
  driver.rearm();
  expect(jest.getTimerCount()).toBe(0);
});

test('a timer that fires before the clock has come so far waits on', () => {
  const { clock, machine } = setUp(100);
  clock.advance(99);
  jest.advanceTimersByTime(100);
  expect([machine.fired, jest.getTimerCount()]).toEqual([[], 1]);
  clock.advance(1);
  jest.advanceTimersByTime(1);
  expect(machine.fired).toEqual([100]);
});

test('a deadline beyond what setTimeout takes is reached in pieces', () => {
  const far = 2 ** 31 * 2 + 5;
  const { machine, pass } = setUp(far);
  pass(2 ** 31 - 1);
  pass(2 ** 31 - 1);
  expect([machine.fired, jest.getTimerCount()]).toEqual([[], 1]);
  pass(7);
  expect(machine.fired).toEqual([far]);
});

test('a deadline in the past fires soon, but never inside rearm()', () => {
  const { clock, machine, driver } = setUp();
  clock.advance(1000);
  machine.deadlines = [400];
  driver.rearm();
  expect(machine.fired).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(machine.fired).toEqual([1000]);
});

test('a machine that throws is woken again for its next deadline', () => {
  const { machine, driver, pass } = setUp(100, 200);
  const original = machine.onDeadline.bind(machine);
  machine.onDeadline = (nowMs) => {
    original(nowMs);
    if (nowMs === 100) throw new Error('bug in the machine');
  };
  driver.rearm();
  expect(() => pass(100)).toThrow('bug in the machine');
  pass(100);
  expect(machine.fired).toEqual([100, 200]);
});

test('close stops it for good, also from inside onDeadline, and twice is harmless', () => {
  const { machine, driver, pass } = setUp(100, 200);
  const original = machine.onDeadline.bind(machine);
  machine.onDeadline = (nowMs) => {
    original(nowMs);
    driver.close();
    driver.close();
  };
  pass(100);
  driver.rearm();
  pass(1000);
  expect([machine.fired, jest.getTimerCount()]).toEqual([[100], 0]);
});

test('the system clock counts whole ms and never goes back', () => {
  jest.useRealTimers();
  const readings = Array.from({ length: 1000 }, () => systemClock.nowMs());
  expect(readings.every((reading, index) => Number.isSafeInteger(reading) && reading >= (readings[index - 1] ?? 0))).toBe(true);
  expect(Math.abs(systemClock.nowWallMs() - Date.now())).toBeLessThan(1000);
});
