/**
 * The kernel's own forwarder as the lab sets it up: what other tests compare with has to do what it is told.
 *
 *     source ── up0 [router] lan1 ── near
 *                            lan2 ── far
 */
import { eventually } from '../lab/eventually';
import type { Host } from '../lab/host';
import { KernelForwarder, parseMfc } from '../lab/kernel-forwarder';
import { Lab } from '../lab/lab';
import type { Receiver } from '../lab/receiver';

jest.setTimeout(30_000);

const SOURCE = '10.100.0.10';
const GROUP = '239.1.1.1';
const COUNT = 50;
let lab: Lab;
let source: Host;
let kernel: KernelForwarder;
let receivers: readonly Receiver[];

beforeEach(async () => {
  lab = await Lab.create('kernel');
  const router = await lab.namespace('router');
  source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  const near = await lab.host('near', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] });
  const far = await lab.host('far', { address: '10.1.2.10/24', to: [router, 'lan2', '10.1.2.1/24'] });
  kernel = await KernelForwarder.start(lab, router, [{ name: 'up0' }, { name: 'lan1' }, { name: 'lan2', ttlThreshold: 32 }]);
  receivers = [await lab.receiver(near, { joins: [GROUP] }), await lab.receiver(far, { joins: [GROUP] })];
});
afterEach(async () => lab?.close());

const send = async (ttl: number): Promise<void> => {
  const sender = await lab.sender(source, { group: GROUP, count: COUNT, rate: 1000, ttl });
  await sender.finished();
};
const received = (): Promise<readonly number[]> =>
  Promise.all(receivers.map(async (receiver) => (await receiver.stats()).flows.reduce((sum, flow) => sum + flow.received, 0)));
const getsExactly = (counts: readonly number[]): Promise<unknown> =>
  eventually(async () => expect(await received()).toEqual(counts) === undefined, {
    what: `receivers get ${counts.join(' and ')}`,
  });

test('a route forwards to its interfaces, above their thresholds, and is counted', async () => {
  await kernel.addRoute({ source: SOURCE, group: GROUP, incoming: 'up0', outgoing: ['lan1', 'lan2'] });
  await send(33);
  await getsExactly([COUNT, COUNT]);
  await send(32);
  await getsExactly([2 * COUNT, COUNT]);
  expect(await kernel.counters()).toMatchObject([{ source: SOURCE, group: GROUP, packets: 2 * COUNT, wrongInterface: 0 }]);
});

test('a route that was removed forwards nothing, nor does a forwarder that was stopped', async () => {
  const route = { source: SOURCE, group: GROUP, incoming: 'up0', outgoing: ['lan1'] };
  await kernel.addRoute(route);
  await send(64);
  await getsExactly([COUNT, 0]);
  await kernel.removeRoute(SOURCE, GROUP);
  await expect(kernel.removeRoute(SOURCE, GROUP)).rejects.toThrow('ENOENT');
  await kernel.addRoute(route);
  await kernel.stop();
  await send(64);
  expect(await received()).toEqual([COUNT, 0]);
});

test('an interface that is no vif is refused', async () => {
  await expect(kernel.addRoute({ source: SOURCE, group: GROUP, incoming: 'up0', outgoing: ['lan3'] })).rejects.toThrow(
    'no such vif',
  );
});

test('packets that wait for a route are not taken for one', () => {
  const head = 'Group    Origin   Iif     Pkts    Bytes    Wrong Oifs\n';
  expect(parseMfc(`${head}010101EF 0A00640A -1         0        0        0\n`)).toEqual([]);
});
