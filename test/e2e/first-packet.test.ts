/** A flow's first packet is not lost while its route is being made: discovery protocols send one now and then, and no more. */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { createStar, hostAddress, type Star } from '../lab/star';
import { frame } from '../bpf/packet';
import { freshInterface } from './shown';

jest.setTimeout(60_000);

const FLOWS = 1000;
const IP_OFFSET = 14;

let star: Star;
let daemon: Daemon;
beforeAll(async () => {
  star = await createStar('first', [{ name: 'sender' }, { name: 'member' }]);
  daemon = await star.start();
});
afterAll(async () => star?.lab.close());

const group = (i: number): string => `239.7.${i >> 8}.${i & 255}`;

test('one packet each of 1,000 new flows from a downstream host: every one goes upstream, once, TTL one lower', async () => {
  const [sender] = star.hosts;
  if (sender === undefined) throw new Error('no host');
  const capture = await star.lab.capture(star.source.namespace, star.source.interfaceName, { filter: 'udp and dst net 239.7.0.0/16' });
  const injector = await star.lab.injector(sender.namespace, sender.interfaceName);
  for (let i = 0; i < FLOWS; i++) await injector.send(frame({ source: hostAddress(0), group: group(i), ttl: 9, payload: 32 }));
  const progress = async (): Promise<object> => {
    const [lan, up] = [await freshInterface(daemon, 'lan1'), await freshInterface(daemon, 'up0')];
    return { captured: (await capture.frames()).length, received: lan.rxPackets, punts: lan.punts, puntDrops: lan.puntDrops, drops: lan.drops, sent: up.txPackets };
  };
  await eventually(async () => expect(await progress()).toMatchObject({ captured: FLOWS }) ?? true, {
    what: 'every first packet has arrived',
    timeoutMs: 20_000,
  });
  const arrived = (await capture.stop()).map(({ bytes }) => Buffer.from(bytes));
  expect(arrived.map((bytes) => bytes.subarray(IP_OFFSET + 16, IP_OFFSET + 20).join('.')).sort()).toEqual(Array.from({ length: FLOWS }, (_, i) => group(i)).sort());
  for (const bytes of arrived) expect(bytes[IP_OFFSET + 8]).toBe(8);
  // All of it is in the figures: received once each, one copy each.
  const { flows } = await daemon.ctl<{ flows: { packets: string; replicatedPackets: string }[] }>('flows');
  expect(flows).toHaveLength(FLOWS);
  expect(flows.every(({ packets, replicatedPackets }) => packets === '1' && replicatedPackets === '1')).toBe(true);
  const [lan] = await daemon.client.listInterfaces({ name: 'lan1' });
  expect(`${lan?.rxPackets}`).toBe(String(FLOWS));
  expect(lan?.drops).toEqual({});
});

test('a stream that begins before its route is there begins without a hole', async () => {
  const [sender, member] = star.hosts;
  if (sender === undefined || member === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(member, { joins: ['239.9.0.1'] });
  await eventually(async () => (await daemon.ctlText('memberships')).includes('239.9.0.1'), { what: 'the membership is known' });
  const stream = await star.lab.sender(sender, { group: '239.9.0.1', rate: 20_000, count: 20_000 });
  const { sent } = await stream.finished();
  await eventually(async () => (await receiver.flow({ group: '239.9.0.1' })).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  const flow = await receiver.flow({ group: '239.9.0.1' });
  expect(flow).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  expect(flow.received).toBe(sent - (flow.firstSequence ?? 0));
  expect(flow.received).toBeGreaterThan(sent / 2);
});

test('a stream nobody wants is absorbed by a route that counts it', async () => {
  const injector = await star.lab.injector(star.source.namespace, star.source.interfaceName);
  const unwanted = frame({ source: star.source.address, group: '239.8.0.1', ttl: 9 });
  await injector.send(unwanted);
  const flow = async (): Promise<{ packets: string; outgoingInterfaces: string[] } | undefined> =>
    (await daemon.ctl<{ flows: { group: string; packets: string; outgoingInterfaces: string[] }[] }>('flows', '--group', '239.8.0.1').catch(() => ({ flows: [] }))).flows[0];
  await eventually(async () => (await flow())?.outgoingInterfaces.length === 0, { what: 'the stream has a route without outgoing interfaces' });
  for (let i = 0; i < 20; i++) await injector.send(unwanted);
  await eventually(async () => (await flow())?.packets === '20', { what: 'what came after is counted' });
  const [upstream] = await daemon.client.listInterfaces({ name: 'up0' });
  expect(`${upstream?.drops?.['no_receivers']}`).toBe('20');
});
