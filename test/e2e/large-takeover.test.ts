/**
 * A restart over a full table: the API serves within two seconds, what hosts claim stays, what nobody claims goes when the hold time is
 * over, and what is equal is not written again.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { createStar, type Star } from '../lab/star';

jest.setTimeout(240_000);

const GROUPS = 100_000;
const FIRST_GROUP = '239.16.0.0';
const CLAIMED = 20_000;
const RECORDS = 183;
/** Not faster than a busy machine takes reports in. */
const RATE = 20_000;
const HOLD_S = 20;
/** On a machine that has time for it: a busy one shows itself in a start that takes over nothing. */
const SERVED_WITHIN_MS = 2000;
const policers = { igmp_report: { rate: 100_000 } };
const igmp = { max_groups: 131_072, max_groups_per_host: 131_072 };
const limits = { routes: 120_000 };

let star: Star;

beforeEach(async () => {
  star = await createStar('large', [{ name: 'host' }]);
});
afterEach(async () => star?.lab.close());

async function routes(daemon: Daemon): Promise<number> {
  return (await daemon.client.getStatus()).routesInstalled ?? 0;
}

test('100,000 routes', async () => {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const first = await star.start({ igmp, limits, dataplane: { policers } });
  const reporter = await star.lab.reporter(host, { address: '10.1.1.50', version: 3 });
  const reportAll = (): Promise<unknown> => reporter.send({ change: 'join', firstGroup: FIRST_GROUP, count: GROUPS, recordsPerReport: RECORDS, rate: RATE });
  await reportAll();
  await eventually(async () => (await routes(first)) === GROUPS, { what: 'every group has a route', timeoutMs: 60_000 });
  first.process.signal('SIGKILL');
  await first.process.exited;

  const startedMs = performance.now();
  const second = await star.start({ igmp, limits, dataplane: { policers, hold_time: `${HOLD_S}s` } });
  const readyMs = performance.now() - startedMs;
  const status = await second.client.getStatus();
  process.stdout.write(`API of a daemon that takes over ${GROUPS} routes: ${second.servedAfterMs.toFixed(0)} ms after its start (of one that begins with nothing: ${first.servedAfterMs.toFixed(0)} ms), ready after ${readyMs.toFixed(0)} ms\n`);
  expect(status).toMatchObject({ routesInstalled: GROUPS, takeover: { routes: GROUPS, staleRoutes: 0, unclaimedMemberships: GROUPS } });
  expect(second.servedAfterMs).toBeLessThan(Math.max(SERVED_WITHIN_MS, 2 * first.servedAfterMs));

  await reporter.send({ change: 'refresh', firstGroup: FIRST_GROUP, count: CLAIMED, recordsPerReport: RECORDS, rate: RATE });
  await eventually(async () => (await second.client.getStatus()).takeover?.unclaimedMemberships === GROUPS - CLAIMED, { what: 'the claims are known', timeoutMs: 15_000 });
  expect(await routes(second)).toBe(GROUPS);
  await eventually(async () => (await routes(second)) === CLAIMED, { what: 'what nobody has claimed goes', timeoutMs: 90_000 });
  expect((await second.metrics()).match(/^xmcast_repairs_total\{.*\} [1-9].*/m)).toBeNull();
});
