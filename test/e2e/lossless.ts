/** What happens to the router while a flood passes through it costs no packet and repeats none. */
import { eventually } from '../lab/eventually';
import { faultsBetween, type Flood } from '../lab/flood';

/** So many more packets arrive at each receiver. */
export async function arrive(flood: Flood, packets: number): Promise<void> {
  const { sent } = await flood.report();
  await eventually(async () => (await flood.report()).receivers.every(({ next }) => next > sent + packets), {
    what: `the stream goes on by ${packets} packets`,
    timeoutMs: 30_000,
  });
}

/** Stops the flood in the end: every packet of it must have arrived everywhere, once. */
export async function withoutALoss<Result>(flood: Flood, what: () => Promise<Result>): Promise<Result> {
  const before = await flood.report();
  const startedMs = performance.now();
  const result = await what();
  await arrive(flood, 20_000);
  const elapsedS = (performance.now() - startedMs) / 1000;
  await flood.stop();
  const { sent } = await flood.report();
  await eventually(async () => (await flood.report()).receivers.every(({ next }) => next === sent), { what: 'the last packet has arrived' });
  const faults = faultsBetween(before, await flood.report());
  process.stdout.write(`${sent - before.sent} packets to ${faults.length} receivers, ${((sent - before.sent) / elapsedS).toFixed(0)} a second: ${JSON.stringify(faults)}\n`);
  expect(faults).toEqual(faults.map(() => ({ lost: 0, repeated: 0 })));
  return result;
}
