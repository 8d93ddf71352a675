/**
 * Two upstreams, one of which goes and comes back as another device with another address. Its source sends all the time.
 *
 *     source1 ── bridge ── up1 [xmcastd] lan1 ── host
 *     source2 ──────────── up2
 */
import { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { frameFields } from '../lab/frame';
import type { Host } from '../lab/host';
import { Lab, type Bridge } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const STATIC_GROUP = '239.9.9.9';
const RANGE_GROUP = '239.8.7.6';
const S1 = '10.101.0.10';
const S2 = '10.102.0.10';

let lab: Lab;
let router: Namespace;
let segment: Bridge;
let source1: Host;
let source2: Host;
let daemon: Daemon;
let receiver: Receiver;

beforeAll(async () => {
  lab = await Lab.create('upstreams');
  router = await lab.namespace('router');
  segment = await lab.bridge('segment');
  await lab.link({ between: [router, 'up1', '10.101.0.1/24'], and: segment });
  source1 = await lab.host('source1', { address: `${S1}/24`, to: segment });
  source2 = await lab.host('source2', { address: `${S2}/24`, to: [router, 'up2', '10.102.0.1/24'] });
  const host = await lab.host('host', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] });
  daemon = await Daemon.start(lab, router, {
    interfaces: [
      { name: 'up1', upstream: true, alternative_subnets: [`${S1}/32`] },
      { name: 'up2', upstream: true },
      { name: 'lan1' },
    ],
    static_routes: [
      { group: STATIC_GROUP, upstream: 'up2', downstreams: ['lan1'] },
      { group: '239.8.0.0/16', source: '10.102.0.0/16', upstream: 'up2', downstreams: ['lan1'] },
    ],
  });
  receiver = await lab.receiver(host);
});
afterAll(async () => lab?.close());

const seen = (sender: Sender, group = G): Promise<FlowStats> => receiver.flow({ group, streamId: sender.streamId });

async function flows(sender: Sender, what: string): Promise<void> {
  const { received } = await seen(sender);
  await eventually(async () => (await seen(sender)).received > received + 50, { what });
}

test('an upstream that vanishes and returns as another device: its streams are back at once, those of the other upstream miss nothing', async () => {
  await receiver.join(G);
  const moved = await lab.sender(source1, { group: G, source: S1, rate: 1000 });
  const steady = await lab.sender(source2, { group: G, source: S2, rate: 1000 });
  await flows(moved, 'the stream of the first upstream arrives');
  await flows(steady, 'the stream of the second upstream arrives');

  await router.script(['ip link delete up1']);
  await eventually(async () => (await daemon.client.listInterfaces({ name: 'up1' }))[0]?.ifindex === 0, { what: 'the upstream is gone' });
  const away = await seen(moved);
  await flows(steady, 'the stream of the second upstream goes on');
  expect((await seen(moved)).received).toBe(away.received);

  const capture = await lab.capture(source1.namespace, source1.interfaceName, { filter: 'igmp' });
  await lab.link({ between: [router, 'up1', '10.99.0.7/24'], and: segment });
  const returnedAtMs = performance.now();
  await eventually(async () => (await seen(moved)).received > away.received, { what: 'the stream is back', intervalMs: 5 });
  expect(performance.now() - returnedAtMs).toBeLessThan(100);
  await eventually(async () => (await capture.frames()).some(({ bytes }) => frameFields(bytes).ipv4?.source === '10.99.0.7'), { what: 'the reports come from the new address' });
  await flows(moved, 'the stream of the first upstream goes on');
  const { sent } = await steady.stop();
  await eventually(async () => (await seen(steady)).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await seen(steady)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, reordered: 0 });
  await moved.stop();
  expect(await seen(moved)).toMatchObject({ duplicated: 0, corrupted: 0, reordered: 0 });
  await receiver.leave(G);
});

test('a static route forwards without any member, a static range too; each is counted', async () => {
  const one = await lab.sender(source2, { group: STATIC_GROUP, source: S2, count: 500, rate: 2000 });
  const inRange = await lab.sender(source2, { group: RANGE_GROUP, source: S2, count: 500, rate: 2000 });
  const wrongUpstream = await lab.sender(source1, { group: STATIC_GROUP, source: S1, count: 500, rate: 2000 });
  await Promise.all([one.finished(), inRange.finished(), wrongUpstream.finished()]);
  await eventually(async () => (await seen(one, STATIC_GROUP)).onWire === 500 && (await seen(inRange, RANGE_GROUP)).onWire === 500, { what: 'both streams are on the LAN' });
  expect((await seen(wrongUpstream, STATIC_GROUP)).onWire).toBe(0);
  const { flows: listed } = await daemon.ctl<{ flows: { source: string; group: string; packets: string; replicatedPackets: string }[] }>('flows');
  const shown = listed.filter(({ group }) => group.startsWith('239.8') || group.startsWith('239.9')).map(({ source, group, packets }) => `${source} ${group} ${packets}`);
  expect(shown.sort()).toEqual(['* 239.9.9.9 0', '10.102.0.0/16 239.8.0.0/16 500', '10.102.0.10 239.9.9.9 500']);
});
