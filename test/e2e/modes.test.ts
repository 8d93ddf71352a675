/**
 * Ports in tc mode, and the machine's own applications: what XDP alone could not serve, on real packets, with figures that add up.
 *
 *     source ── up0 [xmcastd] lan1 ── host   lan2 ── host
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Daemon } from '../lab/daemon';
import { inLabMode, sample } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { Host } from '../lab/host';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { frame } from '../bpf/packet';
import { shownFlow, shownInterface, shownMemberships } from './shown';
import { SEND_UNCUT } from '../lab/uncut-datagrams';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const PAYLOAD = 1316;
const IP_BYTES = PAYLOAD + 28;
const PACKETS = 2000;
const TTL = 9;

let star: Star;
beforeEach(async () => {
  star = await createStar('modes', [{ name: 'one' }, { name: 'two' }]);
});
afterEach(async () => star?.lab.close());

const UPSTREAM = { name: 'up0', upstream: true };

/** Each host is in the group, and the router knows. */
async function hostsJoin(daemon: Daemon): Promise<readonly Receiver[]> {
  const receivers = await Promise.all(star.hosts.map((host) => star.lab.receiver(host, { joins: [G] })));
  await eventually(async () => (await shownMemberships(daemon)).length === receivers.length, { what: 'the memberships are known' });
  return receivers;
}

/** An application of the router that is in the group on up0. */
function applicationOnRouter(): Promise<Receiver> {
  return star.lab.receiver(new Host(star.router, 'up0', '10.100.0.1'), { joins: [G], wire: false });
}

async function sendAll(count = PACKETS): Promise<Sender> {
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count, rate: 4000, size: PAYLOAD, ttl: TTL });
  await sender.finished();
  return sender;
}

/** Every packet once, in order, with a good UDP checksum. */
async function expectEveryPacket(receiver: Receiver, { streamId }: Sender, ttl: number): Promise<void> {
  const flow = (): Promise<FlowStats> => receiver.flow({ group: G, streamId });
  await eventually(async () => (await flow()).received === PACKETS, { what: 'every packet has arrived' });
  expect(await flow()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, ttlMin: ttl, ttlMax: ttl, bytes: PACKETS * IP_BYTES });
  expect(await receiver.stats()).toMatchObject({ checksumErrors: 0, kernelDropped: 0 });
}

interface Figures { readonly [name: string]: unknown }

async function figures(daemon: Daemon): Promise<{ readonly flow: Figures; readonly up0: Figures; readonly lan1: Figures; readonly lan2: Figures }> {
  const flow = numbers(await shownFlow(daemon, G, SOURCE));
  const port = async (name: string): Promise<Figures> => numbers(await shownInterface(daemon, name));
  return { flow, up0: await port('up0'), lan1: await port('lan1'), lan2: await port('lan2') };
}

function numbers(shown: object | undefined): Figures {
  return Object.fromEntries(Object.entries(shown ?? {}).filter(([name]) => /(packets|bytes)$/i.test(name)).map(([name, value]) => [name, Number(value)]));
}

/** What is expected of `copies` copies of every packet. */
function complete(copies: number): Figures {
  const replicatedPackets = copies * PACKETS;
  return {
    packets: PACKETS, bytes: PACKETS * IP_BYTES, expectedPackets: replicatedPackets, replicatedPackets, replicatedBytes: replicatedPackets * IP_BYTES,
    failedPackets: 0, droppedPackets: 0, skippedPackets: 0,
  };
}

const RECEIVED = { rxPackets: PACKETS, rxBytes: PACKETS * IP_BYTES, acceptedPackets: PACKETS, txPackets: 0 };
const SENT = { rxPackets: 0, txPackets: PACKETS, txBytes: PACKETS * IP_BYTES };

test("join_groups: the router's own application gets every packet as it came, the hosts behind XDP ports get theirs, each is counted once", async () => {
  const daemon = await star.start({ interfaces: [{ ...UPSTREAM, join_groups: [{ group: G }] }, { name: 'lan1' }, { name: 'lan2' }] });
  const hosts = await hostsJoin(daemon);
  const application = await applicationOnRouter();
  const sender = await sendAll();
  await expectEveryPacket(application, sender, TTL);
  for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  expect(await figures(daemon)).toMatchObject({ flow: complete(2), up0: RECEIVED, lan1: SENT, lan2: SENT });
  expect(await shownInterface(daemon, 'up0')).toMatchObject({ mode: 'MODE_XDP', drops: {} });
});

test('join_groups without hosts: the application gets every packet, and nothing is dropped', async () => {
  const daemon = await star.start({ interfaces: [{ ...UPSTREAM, join_groups: [{ group: G }] }, { name: 'lan1' }, { name: 'lan2' }] });
  const application = await applicationOnRouter();
  const sender = await sendAll();
  await expectEveryPacket(application, sender, TTL);
  expect(await figures(daemon)).toMatchObject({ flow: complete(0), up0: RECEIVED });
  expect(await shownInterface(daemon, 'up0')).toMatchObject({ drops: {} });
});

test('what the router itself sends is looped back to its own application as ever, and was not received', async () => {
  const daemon = await star.start({ interfaces: [{ ...UPSTREAM, mode: 'tc', join_groups: [{ group: G }] }, { name: 'lan1', mode: 'tc' }, { name: 'lan2' }] });
  const application = await applicationOnRouter();
  await star.router.run(['python3', '-c', SEND_UNCUT, G, '10.100.0.1', '1000', '100', '50']);
  // Not what a sender of the lab writes.
  await eventually(async () => (await application.stats()).corrupted === 50, { what: 'the application has all of it' });
  expect((await figures(daemon)).up0).toMatchObject({ rxPackets: 0 });
});

test('an XDP port, a tc port and an application in one route', async () => {
  const daemon = await star.start({ interfaces: [{ ...UPSTREAM, join_groups: [{ group: G }] }, { name: 'lan1' }, { name: 'lan2', mode: 'tc' }] });
  const hosts = await hostsJoin(daemon);
  const application = await applicationOnRouter();
  const sender = await sendAll();
  await expectEveryPacket(application, sender, TTL);
  for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  expect(await figures(daemon)).toMatchObject({ flow: complete(2), up0: RECEIVED, lan1: SENT, lan2: SENT });
});

test('auto: ends of veth pairs run in tc mode and say so; checksums that the sender left unfinished are good', async () => {
  const daemon = await star.start({ interfaces: [UPSTREAM, { name: 'lan1' }, { name: 'lan2' }].map((entry) => ({ ...entry, mode: 'auto' })) });
  const modeReason = 'veth devices may carry checksums that their senders left unfinished';
  for (const name of ['up0', 'lan1', 'lan2']) expect(await shownInterface(daemon, name)).toMatchObject({ status: 'STATUS_FORWARDING', mode: 'MODE_TC', modeReason });
  expect(daemon.process.stdout + daemon.process.stderr).toContain(`up0 runs in tc mode: ${modeReason}`);
  expect(sample(await daemon.metrics(), 'xmcast_interface_info', { interface: 'up0', mode: 'tc' })).toBe(1);
  // Chosen, not suffered.
  expect((await daemon.client.getStatus()).conditions).toEqual([]);
  await star.source.run(['ethtool', '-K', star.source.interfaceName, 'tx', 'on']);
  const hosts = await hostsJoin(daemon);
  const sender = await sendAll();
  for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  expect(await figures(daemon)).toMatchObject({ flow: complete(2), up0: RECEIVED, lan1: SENT, lan2: SENT });
});

test.each([
  ['xdp', 'xdp'],
  ['xdp', 'tc'],
  ['tc', 'auto'],
])('checksums that the sender left unfinished are good behind ports in modes %s and %s, and for an application; each packet is counted once', async (lan1, lan2) => {
  const daemon = await star.start({ interfaces: [{ ...UPSTREAM, mode: 'auto' }, { name: 'lan1', mode: lan1 }, { name: 'lan2', mode: lan2 }] });
  await star.source.run(['ethtool', '-K', star.source.interfaceName, 'tx', 'on']);
  const hosts = await hostsJoin(daemon);
  const application = await applicationOnRouter();
  await eventually(async () => (await daemon.client.listRoutes({})).some(({ localInterfaces }) => localInterfaces?.includes('up0') === true), { what: 'the application is known' });
  const sender = await sendAll();
  await expectEveryPacket(application, sender, TTL);
  for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  expect(await figures(daemon)).toMatchObject({ flow: complete(2), up0: RECEIVED, lan1: SENT, lan2: SENT });
});

/** Where nothing is said of the mode it is xdp. */
function reconfigure(daemon: Daemon, interfaces: readonly Record<string, unknown>[]): void {
  const file = join(star.lab.directory, 'router.yaml');
  writeFileSync(file, stringify({ ...(parse(readFileSync(file, 'utf8')) as object), interfaces: inLabMode(interfaces) }));
  daemon.process.signal('SIGHUP');
}

const AUTO = ['up0', 'lan1', 'lan2'].map((name) => ({ ...(name === 'up0' ? UPSTREAM : { name }), mode: 'auto' }));

test('a port changes its mode while it forwards: routes follow, and what is shown', async () => {
  const daemon = await star.start();
  const hosts = await hostsJoin(daemon);
  for (const [mode, shown] of [['tc', 'MODE_TC'], ['xdp', 'MODE_XDP']] as const) {
    reconfigure(daemon, [UPSTREAM, { name: 'lan1' }, { name: 'lan2', mode }]);
    await eventually(async () => (await shownInterface(daemon, 'lan2')).mode === shown, { what: `lan2 is in mode ${mode}` });
    const sender = await sendAll();
    for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  }
  expect((await figures(daemon)).flow).toMatchObject({ packets: 2 * PACKETS, expectedPackets: 4 * PACKETS, replicatedPackets: 4 * PACKETS, skippedPackets: 0 });
});

test('a driver that refuses XDP: tc mode, with the reason as condition and log line', async () => {
  const daemon = await star.start({ interfaces: [UPSTREAM, { name: 'lan1' }, { name: 'lo', mode: 'auto' }] });
  const { mode, modeReason, status } = await shownInterface(daemon, 'lo');
  expect({ mode, status }).toEqual({ mode: 'MODE_TC', status: 'STATUS_FORWARDING' });
  expect(modeReason).toMatch(/^attach XDP to lo \(native\): .*EOPNOTSUPP/);
  expect((await daemon.client.getStatus()).conditions).toEqual([`lo runs in tc mode, slower than XDP: ${modeReason}.`]);
  expect(daemon.process.stdout + daemon.process.stderr).toContain('lo runs in tc mode: attach XDP to lo');
  expect(await daemon.ctlText('interfaces')).toContain(`lo: tc mode, slower than XDP: ${modeReason}`);
});

test('mode xdp where the driver refuses it: the port is in error', async () => {
  const daemon = await star.start({ interfaces: [UPSTREAM, { name: 'lan1' }] });
  reconfigure(daemon, [UPSTREAM, { name: 'lan1' }, { name: 'lo' }]);
  await eventually(async () => (await shownInterface(daemon, 'lo')).status === 'STATUS_ERROR', { what: 'lo is in error' });
  expect(await shownInterface(daemon, 'lo')).toMatchObject({ mode: 'MODE_NONE', problem: expect.stringContaining('set the mode of the interface to auto or tc') });
});

test('tc mode: a new flow loses no first packet, also not for an application of the router', async () => {
  const daemon = await star.start({ interfaces: [...AUTO.slice(1), { ...UPSTREAM, mode: 'auto', join_groups: [{ group: G }] }] });
  await hostsJoin(daemon);
  const application = await applicationOnRouter();
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const arrived = await star.lab.capture(host.namespace, host.interfaceName, { filter: 'udp and dst net 239.0.0.0/8' });
  const upstream = await star.lab.capture(star.source.namespace, star.source.interfaceName, { filter: 'udp and dst net 239.7.0.0/16' });
  // From a host: goes upstream although nobody has asked. From the source: to hosts and application.
  const fromHost = await star.lab.injector(host.namespace, host.interfaceName);
  for (let i = 0; i < 100; i++) await fromHost.send(frame({ source: host.address, group: `239.7.0.${i}`, ttl: 9 }));
  await eventually(async () => (await upstream.frames()).length === 100, { what: 'every first packet has gone upstream' });
  expect(new Set((await upstream.frames()).map(({ bytes }) => bytes[14 + 8]))).toEqual(new Set([8]));
  await star.lab.sender(star.source, { group: G, source: SOURCE, count: 1, ttl: TTL }).then((sender) => sender.finished());
  await eventually(async () => (await application.flow({ group: G })).received === 1, { what: 'the application has the only packet' });
  await eventually(async () => (await arrived.frames()).some(({ bytes }) => bytes[14 + 8] === TTL - 1), { what: 'the host has it too' });
  await daemon.client.listFlows({ fresh: true });
  expect(await shownInterface(daemon, 'lan1')).toMatchObject({ rxPackets: '100', acceptedPackets: '100', resentPackets: '100', punts: { no_route: '100' } });
});

test('tc mode: datagrams that the sender has left uncut (UDP GSO) arrive as the packets they stand for, and count as those', async () => {
  const daemon = await star.start({ interfaces: AUTO });
  await star.source.run(['ethtool', '-K', star.source.interfaceName, 'tx', 'on', 'tx-udp-segmentation', 'on']);
  await hostsJoin(daemon);
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const arrived = await star.lab.capture(host.namespace, host.interfaceName, { filter: `udp and dst host ${G}` });
  const [SEGMENTS, SEGMENT_BYTES, LAST_BYTES, TIMES] = [40, 1000, 300, 20];
  await star.source.run(['python3', '-c', SEND_UNCUT, G, SOURCE, `${SEGMENT_BYTES}`, `${SEGMENTS * SEGMENT_BYTES + LAST_BYTES}`, `${TIMES}`]);
  const packets = TIMES * (SEGMENTS + 1);
  const bytes = TIMES * (SEGMENTS * (SEGMENT_BYTES + 28) + LAST_BYTES + 28);
  await eventually(async () => Number((await shownFlow(daemon, G, SOURCE))?.packets) === packets, { what: 'every packet is counted' });
  const copies = { expectedPackets: 2 * packets, replicatedPackets: 2 * packets, replicatedBytes: 2 * bytes, failedPackets: 0, droppedPackets: 0 };
  expect(await figures(daemon)).toMatchObject({ flow: { packets, bytes, ...copies }, up0: { rxPackets: packets, rxBytes: bytes, acceptedPackets: packets }, lan1: { txPackets: packets, txBytes: bytes } });
  // A capture may see them before they are cut: the bytes are what counts.
  const payload = async (): Promise<number> => (await arrived.frames()).reduce((sum, { bytes: frameBytes }) => sum + frameBytes.length - 42, 0);
  await eventually(async () => (await payload()) === TIMES * (SEGMENTS * SEGMENT_BYTES + LAST_BYTES), { what: 'every byte has arrived' });
});

test('tc mode: fragments go on as they are, and jumbo frames too', async () => {
  const daemon = await star.start({ interfaces: AUTO });
  const hosts = await hostsJoin(daemon);
  const datagrams = async (size: number): Promise<void> => {
    const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 200, rate: 500, size, ttl: TTL });
    await sender.finished();
    for (const host of hosts) await eventually(async () => (await host.flow({ group: G, streamId: sender.streamId })).received === 200, { what: `datagrams of ${size} bytes have arrived` });
  };
  // Three fragments each.
  await datagrams(4000);
  expect((await figures(daemon)).flow).toMatchObject({ packets: 600, expectedPackets: 1200, replicatedPackets: 1200, failedPackets: 0, droppedPackets: 0 });
  for (const { namespace, interfaceName } of [star.source, ...star.hosts]) await namespace.run(['ip', 'link', 'set', 'dev', interfaceName, 'mtu', '9000']);
  for (const name of ['up0', 'lan1', 'lan2']) await star.router.run(['ip', 'link', 'set', 'dev', name, 'mtu', '9000']);
  await eventually(async () => (await shownInterface(daemon, 'lan2')).mtu === 9000, { what: 'the new MTU is known' });
  await datagrams(8000);
  expect((await figures(daemon)).flow).toMatchObject({ packets: 800, expectedPackets: 1600, replicatedPackets: 1600, failedPackets: 0, droppedPackets: 0 });
});

test('a daemon that is killed goes on forwarding by tc; the next one takes the ports over; one that stops leaves nothing attached', async () => {
  // Hosts answer the first query within a second.
  const config = { interfaces: AUTO, igmp: { query_response_interval: '1s' }, dataplane: { keep_on_stop: false } };
  const killed = await star.start(config);
  const hosts = await hostsJoin(killed);
  await sendAll(100);
  killed.process.signal('SIGKILL');
  await killed.process.exited;
  const meanwhile = await sendAll();
  for (const host of hosts) await expectEveryPacket(host, meanwhile, TTL - 1);
  const next = await star.start(config);
  await eventually(async () => (await shownMemberships(next)).length === 2, { what: 'the hosts are known again' });
  const sender = await sendAll();
  for (const host of hosts) await expectEveryPacket(host, sender, TTL - 1);
  // Counters go on over the kill, as forwarding does.
  const passed = 100 + 2 * PACKETS;
  expect(await figures(next)).toMatchObject({ flow: { packets: passed, replicatedPackets: 2 * passed, failedPackets: 0, skippedPackets: 0 }, up0: { acceptedPackets: passed } });
  await next.stop();
  // Nobody takes packets away from the host's stack any more.
  const application = await applicationOnRouter();
  await expectEveryPacket(application, await sendAll(), TTL);
});
