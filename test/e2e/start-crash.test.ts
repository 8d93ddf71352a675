/**
 * A start may end at any point, by a crash or a loss of power to its process: what it leaves is taken over by the next one. A sample of
 * `npm run soak:crash`.
 */
import { spread, tellingChanges } from '../lab/crash-steps';
import { StartCrashes, type StartKind } from '../lab/start-crash';

jest.setTimeout(300_000);

/** Where there is something to lose, more. */
const SAMPLES: readonly (readonly [StartKind, number])[] = [
  ['take-over', 12],
  ['migration', 12],
  ['first', 3],
  ['flush', 3],
];

let crashes: StartCrashes;

beforeAll(async () => {
  crashes = await StartCrashes.open('start-crash');
});
afterAll(async () => crashes?.close());

test.each(SAMPLES)('%s, ended by SIGKILL before %i of its changes: a plain start has everything, and a stream in between lost nothing', async (kind, count) => {
  const changes = await crashes.changesOf(kind);
  const points = spread(tellingChanges(changes), count);
  expect(points).toHaveLength(count);
  for (const at of points) process.stdout.write(`${kind}: ${at} of ${changes.length}, before ${await crashes.crash(kind, at)}\n`);
});
