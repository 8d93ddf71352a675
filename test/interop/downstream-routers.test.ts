/**
 * Other people's routers below ours: what they ask for on our port, we forward to them, and they to their hosts.
 *
 *     source ── up0 [xmcastd] lan1 ── up [igmpproxy] down ── viewer
 *                             lan2 ── up [smcroute]  down ── viewer
 *                             lan3 ── up [FRR]       down ── viewer
 */
import { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Host } from '../lab/host';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { Frr } from '../lab/peers/frr';
import { Igmpproxy } from '../lab/peers/igmpproxy';
import { Smcroute } from '../lab/peers/smcroute';
import type { FlowStats, Receiver } from '../lab/receiver';
import { SOURCE } from '../lab/star';
import { shownMemberships } from '../e2e/shown';

jest.setTimeout(60_000);

const PROXIED = '239.2.1.1';
const STATIC = '232.2.2.2';
const PIM_JOINED = '232.2.3.3';
const COUNT = 1000;

let lab: Lab;
let daemon: Daemon;
let source: Host;
let router: Namespace;
let proxied: Device;
let joining: Device;
let pim: Device;

beforeAll(async () => {
  lab = await Lab.create('iop-below');
  router = await lab.namespace('router');
  source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  proxied = await deviceBelow(1, 'igmpproxy');
  joining = await deviceBelow(2, 'smcroute');
  pim = await deviceBelow(3, 'frr');
  daemon = await Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }, { name: 'lan2' }, { name: 'lan3' }] });
});
afterAll(async () => lab?.close());

/** Somebody's router with one interface to our port and one to a viewer. */
interface Device {
  readonly device: Namespace;
  readonly viewer: Host;
}

async function deviceBelow(port: number, label: string): Promise<Device> {
  const device = await lab.namespace(label);
  await lab.link({ between: [router, `lan${port}`, `10.1.${port}.1/24`], and: [device, 'up', `10.1.${port}.2/24`] });
  const viewer = await lab.host(`${label}-viewer`, { address: `10.2.${port}.10/24`, to: [device, 'down', `10.2.${port}.1/24`] });
  return { device, viewer };
}

async function membersOn(port: number): Promise<readonly string[]> {
  return (await shownMemberships(daemon, `lan${port}`)).map(({ group }) => group).sort();
}

/** Datagrams from the source, all of them at the viewer, two hops away. */
async function arrives(group: string, receiver: Receiver): Promise<void> {
  const sender = await lab.sender(source, { group, source: SOURCE, count: COUNT, rate: 2000, size: 200 });
  await sender.finished();
  const seen = (): Promise<FlowStats> => receiver.flow({ group, streamId: sender.streamId });
  await eventually(async () => (await seen()).received === COUNT, { what: `${group} arrives` });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, ttlMin: 62, ttlMax: 62 });
}

test('igmpproxy: its upstream reports make us forward, its leave makes us stop', async () => {
  const proxy = await Igmpproxy.start(lab, proxied.device, { upstream: 'up', downstream: ['down'], quickLeave: true });
  const receiver = await lab.receiver(proxied.viewer, { joins: [PROXIED] });
  await eventually(async () => (await proxy.upstreamGroups()).includes(PROXIED), { what: 'igmpproxy has joined upstream' });
  await eventually(async () => (await membersOn(1)).includes(PROXIED), { what: 'its report has reached us' });
  // It also joins 224.0.0.2 and 224.0.0.22, as routers do: link-local groups are nobody's membership.
  expect(await membersOn(1)).toEqual([PROXIED]);
  // The kernel keeps three packets for a route that its daemon has not made yet: the stream to be counted comes after that.
  const first = await lab.sender(source, { group: PROXIED, source: SOURCE, rate: 20, size: 200 });
  await eventually(async () => (await receiver.flow({ group: PROXIED, streamId: first.streamId })).received > 0, { what: 'igmpproxy forwards' });
  await first.stop();
  await arrives(PROXIED, receiver);
  await receiver.leave(PROXIED);
  await eventually(async () => (await membersOn(1)).length === 0, { what: 'the leave has come through', timeoutMs: 10_000 });
  await proxy.stop();
});

test('smcroute: a join of one source makes us forward that source, its end is a leave', async () => {
  const routes = [{ incoming: 'up', group: STATIC, source: SOURCE, outgoing: ['down'] }];
  const smcroute = await Smcroute.start(lab, joining.device, { interfaces: ['up', 'down'], routes });
  await smcroute.join('up', STATIC, SOURCE);
  await eventually(async () => (await membersOn(2)).length === 1, { what: 'its report has reached us' });
  expect(await shownMemberships(daemon, 'lan2')).toMatchObject([
    { group: STATIC, filterMode: 'FILTER_MODE_INCLUDE', sources: [{ source: SOURCE, forwarded: true }] },
  ]);
  await arrives(STATIC, await lab.receiver(joining.viewer, { joins: [STATIC] }));
  await smcroute.stop();
  await eventually(async () => (await membersOn(2)).length === 0, { what: 'the leave has come through', timeoutMs: 10_000 });
});

test('FRR: what it asks for as a host, of one source, we forward, and it sends it on; its end is a leave', async () => {
  const frr = await Frr.start(lab, pim.device, { interfaces: [{ name: 'up', pim: true, igmp: {} }, { name: 'down', pim: true, igmp: {} }] });
  await frr.joinAndForward({ incoming: 'up', outgoing: 'down', source: SOURCE, group: PIM_JOINED });
  await eventually(async () => (await membersOn(3)).includes(PIM_JOINED), { what: 'its report has reached us' });
  expect(await shownMemberships(daemon, 'lan3')).toMatchObject([
    { group: PIM_JOINED, filterMode: 'FILTER_MODE_INCLUDE', sources: [{ source: SOURCE, forwarded: true }] },
  ]);
  await arrives(PIM_JOINED, await lab.receiver(pim.viewer, { joins: [PIM_JOINED] }));
  await frr.stop();
  await eventually(async () => (await membersOn(3)).length === 0, { what: 'its kernel leaves when it is gone', timeoutMs: 10_000 });
});
