/**
 * Other people's routers above ours: what our hosts want, our reports ask them for.
 *
 *     source ── up [igmpproxy] down ── up0 [xmcastd] lan1 ── viewer
 *     source ── up [FRR]       down ── up0 [xmcastd] lan1 ── viewer
 */
import { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Host } from '../lab/host';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { Frr } from '../lab/peers/frr';
import { Igmpproxy } from '../lab/peers/igmpproxy';
import type { FlowStats, Receiver } from '../lab/receiver';
import { SOURCE } from '../lab/star';

jest.setTimeout(60_000);

const ANY = '239.3.1.1';
const SSM = '232.3.1.1';
const COUNT = 1000;

interface Bed {
  readonly lab: Lab;
  readonly above: Namespace;
  readonly source: Host;
  readonly daemon: Daemon;
  readonly viewer: Receiver;
}

let bed: Bed;
afterEach(async () => bed?.lab.close());

/** `startPeer` runs between the links and our daemon, as a provider's router is there first. */
async function build(name: string, startPeer: (lab: Lab, above: Namespace) => Promise<unknown>): Promise<void> {
  const lab = await Lab.create(name);
  const [above, router] = [await lab.namespace('above'), await lab.namespace('router')];
  const source = await lab.host('source', { address: `${SOURCE}/24`, to: [above, 'up', '10.100.0.1/24'] });
  await lab.link({ between: [above, 'down', '10.2.0.1/24'], and: [router, 'up0', '10.2.0.2/24'] });
  const host = await lab.host('viewer', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] });
  await startPeer(lab, above);
  const daemon = await Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1' }] });
  bed = { lab, above, source, daemon, viewer: await lab.receiver(host) };
}

/** A stream that runs until it arrives, and from then on must arrive whole. */
async function arrives(group: string): Promise<void> {
  const sender = await bed.lab.sender(bed.source, { group, source: SOURCE, rate: 1000, size: 200 });
  const seen = (): Promise<FlowStats> => bed.viewer.flow({ group, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > COUNT, { what: `${group} arrives`, timeoutMs: 20_000 });
  const { sent } = await sender.stop();
  await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await seen()).toMatchObject({ duplicated: 0, corrupted: 0, lost: 0, ttlMin: 62, ttlMax: 62 });
}

test('igmpproxy: our reports make it forward, our leave makes it stop', async () => {
  let proxy: Igmpproxy | undefined;
  await build('iop-above-p', async (lab, above) => {
    proxy = await Igmpproxy.start(lab, above, { upstream: 'up', downstream: ['down'], quickLeave: true });
  });
  await bed.viewer.join(ANY);
  await eventually(async () => (await proxy?.upstreamGroups())?.includes(ANY) === true, { what: 'igmpproxy has heard of our group' });
  await arrives(ANY);
  const [up0] = await bed.daemon.client.listInterfaces({ name: 'up0' });
  expect(up0?.igmpHost).toMatchObject({ groups: 1 });
  await bed.viewer.leave(ANY);
  // Two last member queries of ours, then those of igmpproxy.
  await eventually(async () => (await proxy?.upstreamGroups())?.includes(ANY) === false, { what: 'igmpproxy has heard our leave', timeoutMs: 30_000 });
});

test('FRR: any source and one source; its state says what we want', async () => {
  let frr: Frr | undefined;
  await build('iop-above-f', async (lab, above) => {
    const interfaces = [{ name: 'up', pim: true }, { name: 'down', pim: true, igmp: { queryIntervalS: 5, maxResponseS: 2 } }];
    frr = await Frr.start(lab, above, { interfaces, rendezvousPoint: '10.100.0.1' });
  });
  await bed.viewer.join(ANY);
  await bed.viewer.join(SSM, SOURCE);
  await eventually(async () => JSON.stringify(await frr?.show('ip igmp sources')).includes(SOURCE), { what: 'FRR knows the source we want', timeoutMs: 10_000 });
  await eventually(async () => JSON.stringify(await frr?.show('ip igmp groups')).includes(ANY), { what: 'FRR knows the group we want', timeoutMs: 10_000 });
  await arrives(SSM);
  await arrives(ANY);
  await eventually(async () => (await bed.daemon.client.listInterfaces({ name: 'up0' }))[0]?.igmpHost?.querier === '10.2.0.1', {
    what: 'we know who asks', timeoutMs: 10_000,
  });
  const [up0] = await bed.daemon.client.listInterfaces({ name: 'up0' });
  expect(up0?.igmpHost).toMatchObject({ version: 3, groups: 2 });
  await bed.viewer.leave(SSM, SOURCE);
  await eventually(async () => !JSON.stringify(await frr?.show('ip igmp groups')).includes(SSM), { what: 'FRR has heard our leave', timeoutMs: 20_000 });
});
