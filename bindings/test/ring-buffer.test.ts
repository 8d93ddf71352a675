/** Records from a BPF program to JavaScript: order, batches, loss under pressure, and the end. */
import { type BpfMap, BpfObject, type BpfProgram, RingBufferReader } from '#bindings';

import { ethernetFrame, failureOf, readU32 } from './bytes';
import { evaluate } from './child-process';
import { FixtureFolder } from './compile-fixture';

const folder = new FixtureFolder();
let path: string;
let object: BpfObject;
let events: BpfMap;
let emitter: BpfProgram;

beforeAll(() => {
  path = folder.compile('kinds');
});
beforeEach(async () => {
  object = BpfObject.open(path);
  await object.load();
  events = object.map('events');
  emitter = object.program('emit_event');
});
afterEach(() => {
  for (const open of [events, emitter, object]) open.close();
});
afterAll(() => folder.remove());

function emit(count: number): void {
  emitter.run({ data: ethernetFrame(), repeat: count });
}

async function turnsOfTheEventLoop(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

test('all records arrive, in order, at most maxBatch at a time', async () => {
  const numbers: number[] = [];
  const sizes: number[] = [];
  await new Promise<void>((resolve) => {
    const reader = new RingBufferReader(
      events,
      (records) => {
        sizes.push(records.length);
        numbers.push(...records.map((record) => readU32(record)));
        if (numbers.length === 3000) {
          reader.close();
          resolve();
        }
      },
      { maxBatch: 100 },
    );
    emit(3000);
  });
  expect(numbers).toEqual(Array.from({ length: 3000 }, (_, index) => index));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
});

test('a record is a copy of what the program wrote, nothing more', async () => {
  const record = await new Promise<Uint8Array>((resolve) => {
    const reader = new RingBufferReader(events, ([first]) => {
      reader.close();
      resolve(first ?? new Uint8Array(0));
    });
    emit(1);
  });
  expect(record).toEqual(new Uint8Array(8));
  expect(record.buffer.byteLength).toBe(8);
});

test('records that follow each other in a hurry are gathered, in order, and none waits for others that do not come', async () => {
  const batches: number[][] = [];
  const reader = new RingBufferReader(events, (records) => batches.push(records.map((record) => readU32(record))));
  const COUNT = 2000;
  for (let sent = 0; sent < COUNT; sent += 1) {
    emit(1);
    await turnsOfTheEventLoop(1);
  }
  const received = (): number => batches.reduce((sum, batch) => sum + batch.length, 0);
  const deadline = Date.now() + 5000;
  while (received() < COUNT && Date.now() < deadline) await turnsOfTheEventLoop(1);
  reader.close();
  expect(batches.flat()).toEqual(Array.from({ length: COUNT }, (_, index) => index));
  expect(batches.length).toBeLessThan(COUNT);
});

test('what JavaScript is late for waits in the ring', async () => {
  const received: number[] = [];
  const reader = new RingBufferReader(events, (records) => received.push(...records.map((record) => readU32(record))), { maxBatch: 10 });
  emit(100);
  const until = Date.now() + 50;
  while (Date.now() < until);
  expect(received).toEqual([]);
  const deadline = Date.now() + 5000;
  while (received.length < 100 && Date.now() < deadline) await turnsOfTheEventLoop(1);
  expect(received).toEqual(Array.from({ length: 100 }, (_, index) => index));
  reader.close();
});

test('other events have their turn between two batches', async () => {
  let received = 0;
  const seenByTurn: number[] = [];
  const reader = new RingBufferReader(events, (records) => (received += records.length), { maxBatch: 10 });
  emit(100);
  const deadline = Date.now() + 5000;
  while (received < 100 && Date.now() < deadline) {
    await turnsOfTheEventLoop(1);
    seenByTurn.push(received);
  }
  reader.close();
  expect(new Set(seenByTurn).size).toBeGreaterThanOrEqual(10);
});

test('no callback after close, though records are waiting', async () => {
  let called = 0;
  const reader = new RingBufferReader(events, () => (called += 1));
  emit(100);
  reader.close();
  reader.close();
  await turnsOfTheEventLoop(20);
  expect(called).toBe(0);
});

test('close returns at once', () => {
  const millisecondsToClose = (): number => {
    const reader = new RingBufferReader(events, () => undefined);
    const started = process.hrtime.bigint();
    reader.close();
    return Number(process.hrtime.bigint() - started) / 1e6;
  };
  // The best of five keeps a busy machine out of the measure.
  expect(Math.min(...Array.from({ length: 5 }, millisecondsToClose))).toBeLessThan(50);
});

test('the map may be closed while it is read', async () => {
  const record = new Promise<number>((resolve) => {
    const reader = new RingBufferReader(events, (records) => {
      reader.close();
      resolve(records.length);
    });
  });
  events.close();
  emit(1);
  await expect(record).resolves.toBe(1);
});

test('other kinds of map are refused', () => {
  const flows = object.map('flows');
  expect(failureOf(() => new RingBufferReader(flows, () => undefined))).toMatchObject({
    code: 'EINVAL',
    operation: 'open ring buffer flows',
  });
  expect(failureOf(() => new RingBufferReader(events, () => undefined, { maxBatch: 0 }))).toMatchObject({ code: 'EINVAL' });
  expect(() => new RingBufferReader({} as BpfMap, () => undefined)).toThrow('a BpfMap expected');
  flows.close();
});

test('an open reader keeps the process alive until a record came and it was closed', async () => {
  const records = await evaluate(
    async ({ BpfObject, RingBufferReader }, { path }) => {
      const object = BpfObject.open(path);
      await object.load();
      const emitter = object.program('emit_event');
      return new Promise<number>((resolve) => {
        const reader = new RingBufferReader(object.map('events'), (batch) => {
          reader.close();
          resolve(batch.length);
        });
        emitter.run({ data: new Uint8Array(64) });
      });
    },
    { path },
  );
  expect(records).toBe(1);
});

test('a callback that throws becomes an uncaughtException and the next batch comes', async () => {
  const result = await evaluate(
    async ({ BpfObject, RingBufferReader }, { path }) => {
      const object = BpfObject.open(path);
      await object.load();
      const emitter = object.program('emit_event');
      const caught: string[] = [];
      process.on('uncaughtException', (error) => {
        caught.push(error.message);
        emitter.run({ data: new Uint8Array(64) });
      });
      return new Promise<string[]>((resolve) => {
        const reader = new RingBufferReader(object.map('events'), () => {
          if (caught.length === 0) throw new Error('listener failed');
          reader.close();
          resolve(caught);
        });
        emitter.run({ data: new Uint8Array(64) });
      });
    },
    { path },
  );
  expect(result).toEqual(['listener failed']);
});
