/**
 * The main job on real packets: kernel hosts join through IGMP, XDP or tc replicates, every figure agrees.
 *
 *     source ── up0 [xmcastd] lan1 ── v3 any-source   lan2 ── v3 one source   lan3 ── v2   lan4 ── nobody
 */
import type { Daemon } from '../lab/daemon';
import { sample } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, OTHER_SOURCE, SOURCE, type Star } from '../lab/star';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const SSM = '232.1.1.1';
const PAYLOAD = 1316;
const IP_BYTES = PAYLOAD + 28;

interface FlowJson { source: string; group: string; incomingInterface: string; outgoingInterfaces: string[]; packets: string; bytes: string; replicatedPackets: string; replicatedBytes: string }
interface MembershipJson { interface: string; group: string; filterMode: string; compatibilityVersion: number; sources: { source: string; forwarded: boolean }[] }

let star: Star;
let daemon: Daemon;
let receivers: readonly Receiver[];

const joined = new Map<Receiver, [group: string, source?: string][]>();

async function join(index: number, group: string, source?: string): Promise<Receiver> {
  const receiver = receivers[index];
  if (receiver === undefined) throw new Error(`no receiver ${index}`);
  await receiver.join(group, source);
  joined.set(receiver, [...(joined.get(receiver) ?? []), source === undefined ? [group] : [group, source]]);
  return receiver;
}

async function leaveAll(receiver: Receiver): Promise<void> {
  for (const [group, source] of joined.get(receiver) ?? []) await receiver.leave(group, source).catch(() => undefined);
  joined.delete(receiver);
}

async function memberships(): Promise<MembershipJson[]> {
  return (await daemon.ctl<{ memberships: MembershipJson[] }>('memberships').catch(() => ({ memberships: [] }))).memberships;
}

async function flow(group: string, source: string): Promise<FlowJson | undefined> {
  const { flows } = await daemon.ctl<{ flows: FlowJson[] }>('flows').catch(() => ({ flows: [] as FlowJson[] }));
  return flows.find((found) => found.group === group && found.source === source);
}

/** What one sender's stream has become at one receiver. */
function seen(receiver: Receiver, sender: Sender, group = G): Promise<FlowStats> {
  return receiver.flow({ group, streamId: sender.streamId });
}

async function received(receiver: Receiver, sender: Sender, group = G): Promise<number> {
  return (await seen(receiver, sender, group)).received;
}

function headerChecksum(header: Buffer): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += header.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

describe.each(['xdp', 'tc'] as const)('ports in mode %s', (mode) => {
  beforeAll(async () => {
    star = await createStar('fwd', [{ name: 'any' }, { name: 'one' }, { name: 'old', igmpVersion: 2 }, { name: 'nobody' }]);
    daemon = await star.start({ interfaces: star.config.interfaces.map((entry) => ({ ...entry, mode })) });
    receivers = await Promise.all(star.hosts.map((host) => star.lab.receiver(host)));
  });
  afterAll(async () => star?.lab.close());
  afterEach(async () => {
    for (const receiver of receivers ?? []) await leaveAll(receiver);
    await eventually(async () => (await memberships()).length === 0, { what: 'no membership is left', timeoutMs: 20_000 });
  });

  test('members of both versions get every packet once; the figures of host, command line and scrape are the same', async () => {
    const members = [await join(0, G), await join(2, G)];
    await eventually(async () => (await memberships()).length === 2, { what: 'both memberships are known' });
    const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 3000, rate: 3000, size: PAYLOAD });
    expect((await sender.finished()).sent).toBe(3000);
    for (const member of members) {
      await eventually(async () => (await received(member, sender)) === 3000, { what: 'every packet has arrived' });
      expect(await seen(member, sender)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, reordered: 0, ttlMin: 63, ttlMax: 63, bytes: 3000 * IP_BYTES, onWire: 3000 });
      expect(await member.stats()).toMatchObject({ checksumErrors: 0, kernelDropped: 0 });
    }
    const shown = await flow(G, SOURCE);
    expect(shown).toMatchObject({
      incomingInterface: 'up0', outgoingInterfaces: ['lan1', 'lan3'],
      packets: '3000', bytes: String(3000 * IP_BYTES), replicatedPackets: '6000', replicatedBytes: String(6000 * IP_BYTES),
    });
    const labels = { source: SOURCE, group: G, iif: 'up0' };
    const scrape = await daemon.metrics();
    expect(sample(scrape, 'xmcast_flow_forwarded_packets_total', labels)).toBe(3000);
    expect(sample(scrape, 'xmcast_flow_forwarded_bytes_total', labels)).toBe(3000 * IP_BYTES);
    expect(sample(scrape, 'xmcast_flow_replicated_packets_total', labels)).toBe(6000);
    // Nobody asked for it on the other links, so nothing was sent there.
    for (const index of [1, 3]) expect((await seen(receivers[index] as Receiver, sender)).onWire).toBe(0);
  });

  test('a copy differs from the packet in source MAC, TTL and IP checksum, and in nothing else', async () => {
    await join(0, G);
    await eventually(async () => (await memberships()).length === 1, { what: 'the membership is known' });
    const filter = `udp and dst host ${G}`;
    const host = star.hosts[0];
    if (host === undefined) throw new Error('no host');
    const before = await star.lab.capture(star.source.namespace, star.source.interfaceName, { filter });
    const after = await star.lab.capture(host.namespace, host.interfaceName, { filter });
    const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 20, rate: 200, size: 100, ttl: 7 });
    await sender.finished();
    await eventually(async () => (await after.frames()).length === 20, { what: 'the copies are captured' });
    const [sent, copies] = [await before.stop(), await after.stop()];
    const egressMac = (await daemon.client.listInterfaces({ name: 'lan1' }))[0]?.macAddress;
    copies.forEach(({ bytes }, i) => {
      const expected = Buffer.from(sent[i]?.bytes ?? []);
      Buffer.from((egressMac ?? '').replaceAll(':', ''), 'hex').copy(expected, 6);
      expected[14 + 8] = 6;
      expected.writeUInt16BE(0, 14 + 10);
      expected.writeUInt16BE(headerChecksum(expected.subarray(14, 34)), 14 + 10);
      expect(Buffer.from(bytes).toString('hex')).toBe(expected.toString('hex'));
    });
  });

  test('SSM: the source asked for arrives, another source of the group does not', async () => {
    const member = await join(1, SSM, SOURCE);
    await eventually(async () => (await memberships()).length === 1, { what: 'the membership is known' });
    expect(await memberships()).toMatchObject([{ interface: 'lan2', group: SSM, filterMode: 'FILTER_MODE_INCLUDE', sources: [{ source: SOURCE, forwarded: true }] }]);
    const asked = await star.lab.sender(star.source, { group: SSM, source: SOURCE, count: 500, rate: 1000 });
    const uninvited = await star.lab.sender(star.source, { group: SSM, source: OTHER_SOURCE, count: 500, rate: 1000 });
    await Promise.all([asked.finished(), uninvited.finished()]);
    await eventually(async () => (await received(member, asked, SSM)) === 500, { what: 'the source asked for has arrived' });
    expect((await seen(member, uninvited, SSM)).onWire).toBe(0);
  });

  test('RFC 3376 6.3: a blocked source stops, the others of the group go on, and it comes back when unblocked', async () => {
    const member = await join(0, G);
    const kept = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500 });
    const blocked = await star.lab.sender(star.source, { group: G, source: OTHER_SOURCE, rate: 500 });
    await eventually(async () => (await received(member, kept)) > 100 && (await received(member, blocked)) > 100, { what: 'both sources arrive' });
    await member.block(G, OTHER_SOURCE);
    await eventually(async () => (await flow(G, OTHER_SOURCE))?.outgoingInterfaces.length === 0, { what: 'the blocked source is cut off after LMQT', timeoutMs: 10_000 });
    const atCut = await seen(member, blocked);
    const before = await received(member, kept);
    await eventually(async () => (await received(member, kept)) > before + 300, { what: 'the other source goes on' });
    expect((await seen(member, blocked)).onWire).toBe(atCut.onWire);
    await member.unblock(G, OTHER_SOURCE);
    await eventually(async () => (await received(member, blocked)) > atCut.received + 100, { what: 'the source comes back' });
    await Promise.all([kept.stop(), blocked.stop()]);
    expect(await seen(member, kept)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  });

  test('a leave stops the stream there within LMQT; the other member misses nothing', async () => {
    const [leaver, stayer] = [await join(0, G), await join(2, G)];
    const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 1000 });
    await eventually(async () => (await received(leaver, sender)) > 0 && (await received(stayer, sender)) > 0, { what: 'both receive' });
    await leaveAll(leaver);
    await eventually(async () => (await memberships()).length === 1, { what: 'the membership is gone', timeoutMs: 10_000 });
    const { afterLeaveLastMs } = await seen(leaver, sender);
    // RFC 3376 8.8: last member query time, 2 s by default; the host repeats its report within a second (8.11).
    expect(afterLeaveLastMs ?? 0).toBeGreaterThan(1000);
    expect(afterLeaveLastMs ?? 0).toBeLessThan(4000);
    const { sent } = await sender.stop();
    await eventually(async () => (await seen(stayer, sender)).lastSequence === sent - 1, { what: 'the last packet has arrived' });
    expect(await seen(stayer, sender)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  });

  test('TTL thresholds: a copy leaves only when the TTL received is greater', async () => {
    const member = await join(0, G);
    await eventually(async () => (await memberships()).length === 1, { what: 'the membership is known' });
    const tooLow = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 100, rate: 1000, ttl: 1 });
    const enough = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 100, rate: 1000, ttl: 2 });
    await Promise.all([tooLow.finished(), enough.finished()]);
    await eventually(async () => (await received(member, enough)) === 100, { what: 'TTL 2 has arrived' });
    expect(await seen(member, enough)).toMatchObject({ ttlMin: 1, ttlMax: 1, onWire: 100 });
    expect((await seen(member, tooLow)).onWire).toBe(0);
  });
});
