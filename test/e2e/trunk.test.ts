/**
 * VLANs of a trunk that the kernel has no interfaces for, through the whole daemon: queries go out tagged, a report in one VLAN brings the
 * stream there and nowhere else, and a stream may come in by a VLAN too.
 *
 *     source ── up0 [xmcastd] trunk0 ── far0: hosts of VLANs 100 and 200, and untagged ones
 */
import { buildIgmpFrame } from '../../control/protocol/igmp/encode';
import { RecordType } from '../../control/protocol/igmp/message';
import { frame, ip } from '../bpf/packet';
import type { Capture } from '../lab/capture';
import { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { frameFields, type FrameFields } from '../lab/frame';
import { Host } from '../lab/host';
import type { Injector } from '../lab/injector';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { freshInterface, shownFlow, shownInterface, shownMemberships } from './shown';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const PACKETS = 300;
const HOST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x77);
const UDP = 17;
const IGMP = 2;

let lab: Lab;
let router: Namespace;
let far: Namespace;
let source: Host;
let hosts: Injector;
let capture: Capture;

beforeEach(async () => {
  lab = await Lab.create('vlans');
  [router, far] = [await lab.namespace('router'), await lab.namespace('far')];
  source = await lab.host('source', { address: '10.100.0.10/24', to: [router, 'up0', '10.100.0.1/24'] });
  await lab.link({ between: [router, 'trunk0', '10.1.0.1/24'], and: [far, 'far0'] });
  // Not what the hosts send.
  capture = await lab.capture(far, 'far0', { filter: 'not ether src 02:00:00:00:00:77 and not ether src 02:00:00:00:00:99' });
  hosts = await lab.injector(far, 'far0');
});
afterEach(() => lab.close());

async function seen(protocol: number): Promise<readonly FrameFields[]> {
  const frames = (await capture.frames()).map(({ bytes }) => frameFields(bytes));
  return frames.filter(({ ipv4 }) => ipv4?.protocol === protocol);
}

/** Of data, by VLAN; 0: untagged. */
async function packetsByVlan(): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { vlan = 0 } of await seen(UDP)) counts[vlan] = (counts[vlan] ?? 0) + 1;
  return counts;
}

async function join(vlan: number, host: string): Promise<void> {
  const message = { kind: 'report-v3', records: [{ type: RecordType.CHANGE_TO_EXCLUDE_MODE, group: ip(G), sources: [] }] } as const;
  await hosts.send(buildIgmpFrame({ sourceMac: HOST_MAC, source: ip(host), destination: ip('224.0.0.22'), message, vlanId: vlan }));
}

async function expectMembers(daemon: Daemon, names: readonly string[]): Promise<void> {
  await eventually(async () => (await shownMemberships(daemon)).map((entry) => entry.interface).sort().join() === [...names].sort().join(), { what: `members on ${names.join()}` });
}

describe.each(['xdp', 'tc'])('in mode %s', (mode) => {
  const device = { name: 'trunk0', mode };

  test('a report in a VLAN brings the stream there, tagged, and nowhere else', async () => {
    const vlans = [{ ...device, name: 'trunk0.100', addresses: ['10.1.100.1/24'] }, { ...device, name: 'trunk0.200' }];
    const daemon = await Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true }, device, ...vlans] });
    const queries = async (): Promise<readonly string[]> => (await seen(IGMP)).map(({ vlan = 0, ipv4 }) => `${vlan} ${ipv4?.source}`);
    await eventually(async () => new Set(await queries()).size >= 2, { what: 'queries untagged and in VLAN 100' });

    await join(100, '10.1.100.10');
    await expectMembers(daemon, ['trunk0.100']);
    await (await lab.sender(source, { group: G, count: PACKETS, rate: 2000 })).finished();
    await eventually(async () => (await packetsByVlan())[100] === PACKETS, { what: 'every packet is in VLAN 100' });
    expect(await packetsByVlan()).toEqual({ 100: PACKETS });
    expect(await shownFlow(daemon, G, '10.100.0.10')).toMatchObject({ outgoingInterfaces: ['trunk0.100'], packets: `${PACKETS}`, replicatedPackets: `${PACKETS}` });

    await join(0, '10.1.0.10');
    await join(200, '10.1.200.10');
    await expectMembers(daemon, ['trunk0', 'trunk0.100', 'trunk0.200']);
    await (await lab.sender(source, { group: G, count: PACKETS, rate: 2000 })).finished();
    for (const [vlan, packets] of [[0, PACKETS], [100, 2 * PACKETS], [200, PACKETS]] as const) {
      await eventually(async () => (await packetsByVlan())[vlan] === packets, { what: `every packet is in VLAN ${vlan}` });
    }
    expect(await packetsByVlan()).toEqual({ 0: PACKETS, 100: 2 * PACKETS, 200: PACKETS });
    expect(await freshInterface(daemon, 'trunk0.100')).toMatchObject({ txPackets: `${2 * PACKETS}`, drops: {} });
    expect(await freshInterface(daemon, 'trunk0')).toMatchObject({ txPackets: `${PACKETS}`, drops: {} });
    // It has no address to ask from; hosts are heard all the same.
    expect(await shownInterface(daemon, 'trunk0.200')).toMatchObject({ status: 'STATUS_NO_ADDRESS', igmpSent: {} });
    expect([...new Set(await queries())].sort()).toEqual(['0 10.1.0.1', '100 10.1.100.1']);
  });

  test('a stream that comes in by a VLAN leaves by another one of the same trunk, its first packet included', async () => {
    const vlans = [{ ...device, name: 'trunk0.300', upstream: true, addresses: ['10.1.30.1/24'] }, { ...device, name: 'trunk0.100', addresses: ['10.1.100.1/24'] }];
    const daemon = await Daemon.start(lab, router, { interfaces: vlans });
    await join(100, '10.1.100.10');
    await expectMembers(daemon, ['trunk0.100']);
    // What is wanted is reported in the VLAN of the upstream.
    await eventually(async () => (await seen(IGMP)).some(({ vlan, ipv4 }) => vlan === 300 && ipv4?.destination === '224.0.0.22'), { what: 'a report upstream' });
    for (let i = 0; i < 5; i++) await hosts.send(frame({ source: '10.1.30.10', group: G, tags: [{ tci: 300 }] }));
    await eventually(async () => (await packetsByVlan())[100] === 5, { what: 'every packet is in VLAN 100' });
    expect(await packetsByVlan()).toEqual({ 100: 5 });
    await hosts.send(frame({ source: '10.1.30.10', group: G }));
    expect(await shownFlow(daemon, G, '10.1.30.10')).toMatchObject({ incomingInterface: 'trunk0.300', outgoingInterfaces: ['trunk0.100'], replicatedPackets: '5' });
    expect(await shownInterface(daemon, 'trunk0.300')).toMatchObject({ parent: 'trunk0', vlanId: 300, status: 'STATUS_FORWARDING', addresses: ['10.1.30.1/24'] });
    expect(await daemon.ctlText('interfaces', '-i', 'trunk0.300')).toMatch(/VLAN.*300 of trunk0/);
  });
});

test('one route to an XDP port, a tc port, two VLANs of a trunk and an application of the router: each gets every packet once', async () => {
  const members = [await lab.host('one', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] }), await lab.host('two', { address: '10.1.2.10/24', to: [router, 'lan2', '10.1.2.1/24'] })];
  const vlans = [100, 200].map((vlan) => ({ name: `trunk0.${vlan}`, addresses: [`10.1.${vlan}.1/24`] }));
  const daemon = await Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true, join_groups: [{ group: G }] }, { name: 'lan1' }, { name: 'lan2', mode: 'tc' }, ...vlans] });
  const receivers = await Promise.all(members.map((host) => lab.receiver(host, { joins: [G] })));
  const application = await lab.receiver(new Host(router, 'up0', '10.100.0.1'), { joins: [G], wire: false });
  for (const vlan of [100, 200]) await join(vlan, `10.1.${vlan}.10`);
  await expectMembers(daemon, ['lan1', 'lan2', 'trunk0.100', 'trunk0.200']);

  const sender = await lab.sender(source, { group: G, count: PACKETS, rate: 2000, ttl: 9 });
  await sender.finished();
  for (const [receiver, ttl] of [[application, 9], [receivers[0]!, 8], [receivers[1]!, 8]] as const) {
    const flow = () => receiver.flow({ group: G, streamId: sender.streamId });
    await eventually(async () => (await flow()).received === PACKETS, { what: 'every packet has arrived' });
    expect(await flow()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, ttlMin: ttl, ttlMax: ttl });
    expect(await receiver.stats()).toMatchObject({ checksumErrors: 0, kernelDropped: 0 });
  }
  await eventually(async () => (await seen(UDP)).length === 2 * PACKETS, { what: 'every packet is in both VLANs' });
  expect(await packetsByVlan()).toEqual({ 100: PACKETS, 200: PACKETS });
  for (const vlan of [100, 200]) {
    const copies = (await seen(UDP)).filter((copy) => copy.vlan === vlan);
    expect(new Set(copies.map(({ ipv4 }) => Buffer.from(ipv4?.payload ?? []).toString('hex'))).size).toBe(PACKETS);
    expect(copies.every(({ ipv4 }) => ipv4?.ttl === 8 && ipv4.isChecksumGood)).toBe(true);
  }
  const each = `${PACKETS}`;
  expect(await shownFlow(daemon, G, '10.100.0.10')).toMatchObject({ packets: each, replicatedPackets: `${4 * PACKETS}`, expectedPackets: `${4 * PACKETS}`, failedPackets: '0', droppedPackets: '0', skippedPackets: '0' });
  for (const name of ['lan1', 'lan2', 'trunk0.100', 'trunk0.200']) expect(await freshInterface(daemon, name)).toMatchObject({ txPackets: each, drops: {} });
  expect(await freshInterface(daemon, 'up0')).toMatchObject({ rxPackets: each, drops: {} });
});

test('a trunk that goes takes its VLANs along, and they return with it', async () => {
  const daemon = await Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true }, { name: 'trunk0.100', addresses: ['10.1.100.1/24'] }, { name: 'trunk0.200' }] });
  await router.run(['ip', 'link', 'delete', 'trunk0']);
  for (const name of ['trunk0.100', 'trunk0.200']) await eventually(async () => (await shownInterface(daemon, name)).status === 'STATUS_ABSENT', { what: `${name} is gone` });
  await lab.link({ between: [router, 'trunk0', '10.1.0.1/24'], and: [far, 'far0'] });
  await eventually(async () => (await shownInterface(daemon, 'trunk0.100')).status === 'STATUS_FORWARDING', { what: 'trunk0.100 forwards again' });
  await eventually(async () => (await shownInterface(daemon, 'trunk0.200')).status === 'STATUS_NO_ADDRESS', { what: 'trunk0.200 is there again' });
  capture = await lab.capture(far, 'far0', { filter: 'not ether src 02:00:00:00:00:77' });
  hosts = await lab.injector(far, 'far0');
  await join(100, '10.1.100.10');
  await expectMembers(daemon, ['trunk0.100']);
  await (await lab.sender(source, { group: G, count: PACKETS, rate: 2000 })).finished();
  await eventually(async () => (await packetsByVlan())[100] === PACKETS, { what: 'the stream is in VLAN 100' });
  expect(await packetsByVlan()).toEqual({ 100: PACKETS });
});
