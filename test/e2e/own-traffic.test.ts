/**
 * The router's own applications as senders and as members: what the kernel's forwarder does for them (test/netns/kernel-own-traffic) has to
 * be had here too, whichever programs serve the ports.
 *
 *     source ── up0 [xmcastd, applications] lan1 ── host   lan2 ── host
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { Host } from '../lab/host';
import type { Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { shownFlow, shownInterface, shownMemberships } from './shown';
import { SEND_UNCUT } from '../lab/uncut-datagrams';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const PACKETS = 500;
const PAYLOAD = 1000;
const IP_BYTES = PAYLOAD + 28;
const TTL = 9;
const OWN = { up0: '10.100.0.1', lan1: '10.1.1.1', lan2: '10.1.2.1' } as const;
type PortName = keyof typeof OWN;

let star: Star;
beforeEach(async () => {
  star = await createStar('own', [{ name: 'one' }, { name: 'two' }]);
});
afterEach(async () => star?.lab.close());

function application(name: PortName): Host {
  return new Host(star.router, name, OWN[name]);
}

async function hostsJoin(daemon: Daemon): Promise<readonly Receiver[]> {
  const receivers = await Promise.all(star.hosts.map((host) => star.lab.receiver(host, { joins: [G] })));
  await eventually(async () => (await shownMemberships(daemon)).length === receivers.length, { what: 'the memberships are known' });
  return receivers;
}

async function send(from: Host, source: string): Promise<Sender> {
  const sender = await star.lab.sender(from, { group: G, source, count: PACKETS, rate: 2000, size: PAYLOAD, ttl: TTL });
  await sender.finished();
  return sender;
}

/** One packet, and its route is there: what follows at once would be lost otherwise. */
async function begin(daemon: Daemon, from: Host): Promise<void> {
  await star.lab.sender(from, { group: G, source: from.address, count: 1, ttl: TTL }).then((sender) => sender.finished());
  await eventually(async () => Number((await shownFlow(daemon, G, from.address))?.packets ?? 0) === 1, { what: 'the flow is known' });
}

/** Every packet once, in order, with a good UDP checksum. */
async function expectEveryPacket(receiver: Receiver, { streamId }: Sender, ttl: number): Promise<void> {
  await eventually(async () => (await receiver.flow({ group: G, streamId })).received === PACKETS, { what: 'every packet has arrived' });
  expect(await receiver.flow({ group: G, streamId })).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, ttlMin: ttl, ttlMax: ttl });
  expect(await receiver.stats()).toMatchObject({ checksumErrors: 0, kernelDropped: 0 });
}

async function expectNothing(receiver: Receiver): Promise<void> {
  expect((await receiver.stats()).flows.reduce((sum, { received }) => sum + received, 0)).toBe(0);
}

async function expectSumsToHold(daemon: Daemon): Promise<void> {
  await daemon.client.listFlows({ fresh: true });
  const afterRoute = ['no_receivers', 'no_group', 'no_metadata', 'redirect', 'ttl_out', 'too_big', 'xmit'];
  for (const name of Object.keys(OWN)) {
    const { rxPackets, resentPackets, originatedPackets, acceptedPackets, drops, punts } = await shownInterface(daemon, name);
    const before = Object.entries(drops ?? {}).filter(([reason]) => !afterRoute.includes(reason)).reduce((sum, [, count]) => sum + Number(count), 0);
    const came = Number(rxPackets) + Number(resentPackets) + Number(originatedPackets);
    expect({ name, came }).toEqual({ name, came: Number(acceptedPackets) + before + Number(punts?.['no_route'] ?? 0) });
  }
}

const XDP = ['up0', 'lan1', 'lan2'].map((name) => ({ name, upstream: name === 'up0' }));
const withModes = (...modes: readonly string[]) => ({ interfaces: XDP.map((entry, i) => ({ ...entry, mode: modes[i] })) });

describe.each([
  { name: 'XDP ports', config: withModes('xdp', 'xdp', 'xdp') },
  { name: 'tc ports', config: withModes('tc', 'tc', 'tc') },
  { name: 'an XDP and a tc port', config: withModes('xdp', 'xdp', 'tc') },
])('$name', ({ config }) => {
  test('what an application sends by one interface goes to the others as if it had come in there', async () => {
    const daemon = await star.start(config);
    // Left to hardware by the sender, finished where the way out has none.
    await star.router.run(['ethtool', '-K', 'lan1', 'tx', 'on']);
    await star.router.run(['ethtool', '-K', 'lan2', 'tx', 'off']);
    const [one, two] = await hostsJoin(daemon);
    const upstream = await star.lab.receiver(star.source, { joins: [G] });
    if (one === undefined || two === undefined) throw new Error('no hosts');
    await begin(daemon, application('lan1'));
    const before = await shownFlow(daemon, G, OWN.lan1);
    const sender = await send(application('lan1'), OWN.lan1);
    await expectEveryPacket(one, sender, TTL);
    await expectEveryPacket(two, sender, TTL - 1);
    await expectEveryPacket(upstream, sender, TTL - 1);
    const [packets, copies] = [PACKETS + 1, 2 * (PACKETS + 1)].map(String);
    const bytes = String(Number(before?.bytes) + PACKETS * IP_BYTES);
    expect(await shownFlow(daemon, G, OWN.lan1)).toMatchObject({ packets, bytes, expectedPackets: copies, replicatedPackets: copies });
    expect(await shownInterface(daemon, 'lan1')).toMatchObject({ rxPackets: '0', txPackets: '0', originatedPackets: packets, resentPackets: '1' });
    expect(await shownInterface(daemon, 'lan2')).toMatchObject({ txPackets: packets, originatedPackets: '0' });
    await expectSumsToHold(daemon);
    expect((await daemon.client.getStatus()).conditions).toEqual([]);
  });

  test('an application that has joined on an interface with hosts gets the stream as it leaves there, and has asked for it upstream', async () => {
    const daemon = await star.start(config);
    const member = await star.lab.receiver(application('lan1'), { joins: [G], wire: false });
    const [, other] = star.hosts;
    if (other === undefined) throw new Error('no host');
    const elsewhere = await star.lab.receiver(application('lan2'), { joins: ['239.1.1.2'], wire: false });
    await eventually(async () => (await daemon.client.listRoutes({})).some(({ group }) => group === G), { what: 'the route is there' });
    await eventually(async () => (await shownInterface(daemon, 'up0')).igmpHost?.groups === 2, { what: 'both groups are asked for' });
    const sender = await send(star.source, SOURCE);
    await expectEveryPacket(member, sender, TTL - 1);
    await expectNothing(elsewhere);
    await expectSumsToHold(daemon);
  });

  test('an application that has joined on the upstream gets the stream as it came, beside hosts', async () => {
    const daemon = await star.start(config);
    const hosts = await hostsJoin(daemon);
    const member = await star.lab.receiver(application('up0'), { joins: [G], wire: false });
    await eventually(async () => (await daemon.client.listRoutes({})).some(({ localInterfaces }) => localInterfaces?.includes('up0') === true), { what: 'the route knows of it' });
    const sender = await send(star.source, SOURCE);
    await expectEveryPacket(member, sender, TTL);
    for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
    await expectSumsToHold(daemon);
    await member.leave(G);
    await eventually(async () => (await daemon.client.listRoutes({})).every(({ localInterfaces = [] }) => localInterfaces?.length === 0), { what: 'the router has noticed that it left' });
    const without = await send(star.source, SOURCE);
    for (const host of hosts) await expectEveryPacket(host, without, TTL - 1);
    expect((await member.flow({ group: G, streamId: without.streamId })).received).toBe(0);
  });

  test('the first packet of a new flow of the router itself is forwarded, with a good checksum; its own members get it from the kernel alone', async () => {
    const daemon = await star.start(config);
    await star.router.run(['ethtool', '-K', 'lan1', 'tx', 'on']);
    const upstream = await star.lab.receiver(star.source, { joins: [G] });
    const member = await star.lab.receiver(application('lan1'), { joins: [G], wire: false });
    const sender = await star.lab.sender(application('lan1'), { group: G, source: OWN.lan1, count: 1, ttl: TTL });
    await sender.finished();
    await eventually(async () => (await upstream.flow({ group: G, streamId: sender.streamId })).received === 1, { what: 'the only packet has arrived upstream' });
    expect(await upstream.stats()).toMatchObject({ checksumErrors: 0 });
    await expectSumsToHold(daemon);
    // Its sender does not want it looped back.
    await expectNothing(member);
  });
});

test('datagrams that the router itself has left uncut (UDP GSO) arrive whole', async () => {
  const daemon = await star.start();
  await hostsJoin(daemon);
  const [, host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const arrived = await star.lab.capture(host.namespace, host.interfaceName, { filter: `udp and src host ${OWN.lan1}` });
  const [segments, segment, times] = [20, 1000, 20];
  await begin(daemon, application('lan1'));
  await star.router.run(['python3', '-c', SEND_UNCUT, G, OWN.lan1, `${segment}`, `${segments * segment}`, `${times}`]);
  const packets = times * segments;
  await eventually(async () => Number((await shownFlow(daemon, G, OWN.lan1))?.packets) === packets + 1, { what: 'every packet is counted' });
  const payload = async (): Promise<number> => (await arrived.frames()).reduce((sum, { bytes }) => sum + bytes.length - 42, 0);
  await eventually(async () => (await payload()) === times * segments * segment + 1316, { what: 'every byte has arrived' });
  expect(await shownInterface(daemon, 'lan1')).toMatchObject({ originatedPackets: String(packets + 1) });
});

test('a datagram that is not to leave its link (TTL 1) leaves, and is forwarded nowhere', async () => {
  const daemon = await star.start();
  const [one, two] = await hostsJoin(daemon);
  if (one === undefined || two === undefined) throw new Error('no hosts');
  const sender = await star.lab.sender(application('lan1'), { group: G, source: OWN.lan1, count: 20, ttl: 1 });
  await sender.finished();
  await eventually(async () => (await one.flow({ group: G, streamId: sender.streamId })).received === 20, { what: 'its own network has it' });
  await daemon.client.listFlows({ fresh: true });
  expect((await shownInterface(daemon, 'lan1')).drops).toMatchObject({ ttl_in: expect.anything() });
  await expectNothing(two);
});
