/**
 * Two proxies in series (RFC 4605): what hosts behind the second want makes the first forward, down to the sources.
 *
 *     source ── up0 [a] lan1 ── up0 [b] lan1 ── host1
 *                                       lan2 ── host2
 */
import type { Daemon } from '../lab/daemon';
import { Daemon as DaemonProcess } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Host } from '../lab/host';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const SOURCES = ['10.100.0.10', '10.100.0.11', '10.100.0.12', '10.100.0.13', '10.100.0.14', '10.100.0.15'];
const [S1 = '', S2 = ''] = SOURCES;

interface MembershipJson { interface: string; group: string; filterMode: string; sources: { source: string; forwarded: boolean }[] }
interface ReportJson { interface: string; group: string; filterMode: string; sources: string[] }

let lab: Lab;
let routerA: Namespace;
let routerB: Namespace;
let source: Host;
let a: Daemon;
let b: Daemon;
let receivers: Receiver[];

beforeAll(async () => {
  lab = await Lab.create('proxy');
  routerA = await lab.namespace('a');
  routerB = await lab.namespace('b');
  source = await lab.host('source', { address: `${S1}/24`, to: [routerA, 'up0', '10.100.0.1/24'] });
  for (const address of SOURCES.slice(1)) await source.namespace.run(['ip', 'address', 'add', `${address}/24`, 'dev', source.interfaceName]);
  await lab.link({ between: [routerA, 'lan1', '10.2.0.1/24'], and: [routerB, 'up0', '10.2.0.2/24'] });
  const hosts = await Promise.all([1, 2].map((i) => lab.host(`host${i}`, { address: `10.1.${i}.10/24`, to: [routerB, `lan${i}`, `10.1.${i}.1/24`] })));
  a = await DaemonProcess.start(lab, routerA, { interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }] });
  // Its end is to be an end.
  b = await DaemonProcess.start(lab, routerB, { interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }, { name: 'lan2' }], dataplane: { keep_on_stop: false } });
  receivers = await Promise.all(hosts.map((host) => lab.receiver(host)));
});
afterAll(async () => lab?.close());

function receiver(index: number): Receiver {
  const found = receivers[index];
  if (found === undefined) throw new Error(`no receiver ${index}`);
  return found;
}

const seen = (at: Receiver, sender: Sender): Promise<FlowStats> => at.flow({ group: G, streamId: sender.streamId });

/** What the first router has heard from the second. */
async function heardByA(): Promise<string[]> {
  const { memberships } = await a.ctl<{ memberships: MembershipJson[] }>('memberships').catch(() => ({ memberships: [] }));
  return memberships.map(
    ({ group, filterMode, sources }) =>
      `${group} ${filterMode.split('_').at(-1)} ${sources.map((one) => (one.forwarded ? one.source : `-${one.source}`)).sort().join(' ')}`.trim(),
  );
}

/** Data packets that have come in at the second router, counted now. */
async function receivedByB(): Promise<number> {
  await b.client.listFlows({ fresh: true });
  const [up0] = await b.client.listInterfaces({ name: 'up0' });
  return Number(up0?.rxPackets ?? 0);
}

async function becomesAtA(...expected: string[]): Promise<void> {
  await eventually(async () => JSON.stringify(await heardByA()) === JSON.stringify(expected), { what: `the first router hears ${expected.join(', ') || 'nothing'}`, timeoutMs: 10_000 });
}

test('a join behind the second proxy brings the stream through both, every packet once, TTL two less', async () => {
  await receiver(0).join(G);
  await becomesAtA(`${G} EXCLUDE`);
  const sender = await lab.sender(source, { group: G, source: S1, count: 2000, rate: 4000 });
  await sender.finished();
  await eventually(async () => (await seen(receiver(0), sender)).received === 2000, { what: 'every packet has arrived' });
  expect(await seen(receiver(0), sender)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, ttlMin: 62, ttlMax: 62 });
  expect((await seen(receiver(1), sender)).onWire).toBe(0);
  const { reports } = await b.ctl<{ reports: ReportJson[] }>('reports');
  expect(reports).toMatchObject([{ interface: 'up0', group: G, filterMode: 'FILTER_MODE_EXCLUDE', sources: [] }]);
  await receiver(0).leave(G);
  await becomesAtA();
});

test('named sources hold across the chain: what nobody asked for does not even reach the second router', async () => {
  await receiver(0).join(G, S1);
  await becomesAtA(`${G} INCLUDE ${S1}`);
  const asked = await lab.sender(source, { group: G, source: S1, count: 300, rate: 1000 });
  const uninvited = await lab.sender(source, { group: G, source: S2, count: 300, rate: 1000 });
  await Promise.all([asked.finished(), uninvited.finished()]);
  await eventually(async () => (await seen(receiver(0), asked)).received === 300, { what: 'the source asked for has arrived' });
  expect((await seen(receiver(0), uninvited)).onWire).toBe(0);
  const before = await receivedByB();
  await receiver(1).join(G, S2);
  await becomesAtA(`${G} INCLUDE ${S1} ${S2}`);
  const now = await lab.sender(source, { group: G, source: S2, count: 300, rate: 1000 });
  await now.finished();
  await eventually(async () => (await seen(receiver(1), now)).received === 300, { what: 'the second source arrives where it is asked for' });
  expect((await seen(receiver(0), now)).onWire).toBe(0);
  expect(await receivedByB()).toBe(before + 300);
  await receiver(0).leave(G, S1);
  await receiver(1).leave(G, S2);
  await becomesAtA();
});

test('a source that everybody blocks is blocked at the first router; one that somebody wants is not', async () => {
  await receiver(0).join(G);
  await receiver(1).join(G);
  await becomesAtA(`${G} EXCLUDE`);
  await receiver(0).block(G, S2);
  await eventually(async () => (await b.ctl<{ memberships: MembershipJson[] }>('memberships')).memberships.some(({ sources }) => sources.some((one) => !one.forwarded)), {
    what: 'the source is blocked on lan1', timeoutMs: 10_000,
  });
  expect(await heardByA()).toEqual([`${G} EXCLUDE`]);
  await receiver(1).block(G, S2);
  await becomesAtA(`${G} EXCLUDE -${S2}`);
  await receiver(1).unblock(G, S2);
  await becomesAtA(`${G} EXCLUDE ${S2}`);
  await receiver(0).leave(G);
  await receiver(1).leave(G);
  await becomesAtA();
});

test('six senders to one group all flow; after the last leave none does, within the time of two proxies', async () => {
  const senders = await Promise.all(SOURCES.map((address) => lab.sender(source, { group: G, source: address, rate: 200 })));
  await receiver(0).join(G);
  await eventually(
    async () => {
      for (const sender of senders) if ((await seen(receiver(0), sender)).received < 50) return false;
      return true;
    },
    { what: 'all six arrive' },
  );
  await receiver(0).leave(G);
  await becomesAtA();
  const counts = async (): Promise<number[]> => Promise.all(senders.map(async (sender) => (await seen(receiver(0), sender)).onWire));
  const atEnd = await counts();
  for (const sender of senders) {
    const stats = await seen(receiver(0), sender);
    // Last member query time of the nearer router, 2 s; the leave is repeated within a second (RFC 3376 8.8, 8.11).
    expect(stats.afterLeaveLastMs ?? 0).toBeLessThan(4000);
  }
  const sentThen = (await senders[0]?.stats())?.sent ?? 0;
  await eventually(async () => ((await senders[0]?.stats())?.sent ?? 0) > sentThen + 200, { what: 'the senders go on' });
  expect(await counts()).toEqual(atEnd);
  await Promise.all(senders.map((sender) => sender.stop()));
});

test('when the second proxy stops it takes its groups back', async () => {
  await receiver(0).join(G);
  await becomesAtA(`${G} EXCLUDE`);
  await b.stop();
  await becomesAtA();
});
