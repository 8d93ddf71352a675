/**
 * Broken, forged and excessive IGMP against a running router, as frames on a LAN: every refusal counted by its reason, no state but what
 * a good packet asks for, no crash, and nothing lost on another LAN.
 *
 *     source ── up0 [xmcastd] lan1 10.0.0.1 ── attacker   lan2 ── strict, router alert required   lan3 ── viewer
 */
import { decodeIgmpPacket } from '../../control/protocol/igmp/decode';
import { buildIgmpFrame } from '../../control/protocol/igmp/encode';
import type { IgmpDropReason, IgmpMessage } from '../../control/protocol/igmp/message';
import { parseIpv4, type Ipv4 } from '../../control/protocol/packet/address';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Injector } from '../lab/injector';
import { createStar, SOURCE, type Star } from '../lab/star';
import { readVectors, type Vector } from '../unit/igmp-codec/vector-file';
import { countOf, freshInterface, shownInterface, shownMemberships, type InterfaceJson } from './shown';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const ATTACKER_MAC = Uint8Array.of(2, 0, 0, 0, 0xba, 0xd1);
/** The vectors come from 10.0.0.2 and some go to 10.0.0.1. */
const LAN1 = '10.0.0.1';
const ATTACKER = '10.0.0.2';
const ETHERNET_BYTES = 14;
const IP_HEADER_BYTES = 20;

let star: Star;
let daemon: Daemon;
let pid: number;
let routerMac: Uint8Array;
let lan1: Injector;

beforeAll(async () => {
  star = await createStar('hostile', [{ name: 'attacker' }, { name: 'strict' }, { name: 'viewer' }]);
  await star.router.script(['ip address flush dev lan1', `ip address add ${LAN1}/24 dev lan1`]);
  const [attacker] = star.hosts;
  await attacker?.namespace.script([
    `ip address flush dev eth0`,
    `ip address add ${ATTACKER}/24 dev eth0`,
    `ip route replace default via ${LAN1}`,
  ]);
  daemon = await star.start({
    interfaces: [
      { name: 'up0', upstream: true },
      { name: 'lan1' },
      { name: 'lan2', igmp: { require_router_alert: true, max_groups: 4 } },
      { name: 'lan3' },
    ],
    // A leave at the end of a test is over soon.
    igmp: { last_member_query_interval: '0.2s' },
  });
  pid = daemon.process.pid;
  routerMac = Buffer.from((await shownInterface(daemon, 'lan1')).macAddress.replaceAll(':', ''), 'hex');
  lan1 = await injectorOf(0);
});
afterAll(async () => star?.lab.close());
afterEach(() =>
  expect({ alive: !daemon.process.hasExited, pid: daemon.process.pid, errors: daemon.process.stderr }).toEqual({
    alive: true,
    pid,
    errors: '',
  }),
);

function injectorOf(index: number): Promise<Injector> {
  const host = star.hosts[index];
  if (host === undefined) throw new Error(`no host ${index}`);
  return star.lab.injector(host.namespace, host.interfaceName);
}

/** The Ethernet address an honest sender would choose: the group's, or the router's. */
function frameOf(packet: Uint8Array): Uint8Array {
  const [first = 0, second = 0, third = 0, fourth = 0] = packet.subarray(16, 20);
  const multicast = first >> 4 === 14;
  const destination = multicast
    ? [0x01, 0x00, 0x5e, second & 0x7f, third, fourth]
    : first === 255
      ? [255, 255, 255, 255, 255, 255]
      : routerMac;
  return Uint8Array.from([...destination, ...ATTACKER_MAC, 0x08, 0x00, ...packet]);
}

/**
 * What never meets the controller, and so none of its counters: frames too short for an IP header, which no longer can be told to be
 * IGMP, and other protocols. Both pass to the host's stack, which has its own counters for them.
 */
function reachesController({ bytes }: Vector): boolean {
  return bytes.length >= IP_HEADER_BYTES && bytes[9] === 2;
}

async function dropped(name: string): Promise<Readonly<Record<string, string>>> {
  return (await shownInterface(daemon, name)).igmpDropped;
}

function sum(counters: Readonly<Record<string, string>>): number {
  return Object.values(counters).reduce((total, value) => total + Number(value), 0);
}

/** Only what has grown, by how much. */
function growth(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): Record<string, number> {
  const grown = Object.keys(after).map((reason) => [reason, countOf(after, reason) - countOf(before, reason)] as const);
  return Object.fromEntries(grown.filter(([, by]) => by > 0));
}

/** Sends the packets and waits until exactly these refusals have been counted. */
async function expectRefused(
  packets: readonly Uint8Array[],
  expected: Readonly<Record<string, number>>,
  where = { injector: lan1, name: 'lan1' },
): Promise<void> {
  const before = await dropped(where.name);
  for (const packet of packets) await where.injector.send(frameOf(packet));
  const total = Object.values(expected).reduce((all, by) => all + by, 0);
  await eventually(async () => sum(await dropped(where.name)) - sum(before) >= total, {
    what: `${total} refusals on ${where.name}`,
    timeoutMs: 5000,
  }).catch(() => undefined);
  expect(growth(before, await dropped(where.name))).toEqual(expected);
}

function countReasons(reasons: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}

function ip(text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

/** A well-formed packet, for those that are wrong only in who sends what to whom. */
function packet(source: string, destination: string, message: IgmpMessage): Uint8Array {
  return buildIgmpFrame({ sourceMac: ATTACKER_MAC, source: ip(source), destination: ip(destination), message }).subarray(
    ETHERNET_BYTES,
  );
}

const report = (group: string, source = ATTACKER): Uint8Array => packet(source, group, { kind: 'report-v2', group: ip(group) });
const query = (source: string): Uint8Array =>
  packet(source, '224.0.0.1', {
    kind: 'query',
    version: 3,
    group: 0,
    maxResponseTimeMs: 10_000,
    suppressRouterProcessing: false,
    querierRobustness: 2,
    querierQueryIntervalMs: 125_000,
    sources: [],
  });
const joinV3 = (source: string, groups: readonly string[]): Uint8Array =>
  packet(source, '224.0.0.22', {
    kind: 'report-v3',
    records: groups.map((group) => ({ type: 4, group: ip(group), sources: [] })),
  });

function withIpHeader(bytes: Uint8Array, change: (header: DataView) => void): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  const headerBytes = ((copy[0] ?? 0) & 15) * 4;
  change(view);
  view.setUint16(10, 0);
  let total = 0;
  for (let at = 0; at < headerBytes; at += 2) total += view.getUint16(at);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  view.setUint16(10, ~total & 0xffff);
  return copy;
}

test('every hostile packet of the vectors is refused for its reason, and leaves nothing behind', async () => {
  const refused = readVectors('igmp-hostile.txt').filter(
    (vector) => vector.expected.startsWith('drop ') && reachesController(vector),
  );
  expect(refused.length).toBeGreaterThan(70);
  await expectRefused(
    refused.map(({ bytes }) => bytes),
    countReasons(refused.map(({ expected }) => expected.slice('drop '.length))),
  );
  expect(await shownMemberships(daemon)).toEqual([]);
  expect(await shownInterface(daemon, 'lan1')).toMatchObject({ querier: { self: true, address: LAN1 } });
});

test('what cannot be told to be IGMP passes to the stack and harms nothing', async () => {
  const others = readVectors('igmp-hostile.txt').filter((vector) => !reachesController(vector) && vector.bytes.length > 0);
  expect(others.map(({ description }) => description)).toEqual(['19 bytes of a header', 'UDP', 'PIM']);
  // The last one is counted: when it is, the ones before it have been through.
  await expectRefused([...others.map(({ bytes }) => bytes), report('224.0.0.251')], { link_local_group: 1 });
});

test('a good message with bad parts: the parts are counted, the rest is taken', async () => {
  const mixed = readVectors('igmp-hostile.txt').filter(({ expected }) => expected.startsWith('skip '));
  const decoded = mixed.map(({ bytes }) => decodeIgmpPacket(bytes));
  const reasons = mixed.flatMap(({ expected }) => expected.slice('skip '.length).split(' '));
  await expectRefused(
    mixed.map(({ bytes }) => bytes),
    countReasons(reasons),
  );
  const groups = new Set(
    decoded.flatMap((result) =>
      result.ok && result.value.message.kind === 'report-v3' ? result.value.message.records.map(({ group }) => group) : [],
    ),
  );
  expect((await shownMemberships(daemon)).map(({ group }) => ip(group)).sort()).toEqual([...groups].sort());
  await leaveAll();
});

/** TO_IN without sources: leaves any-source and source-specific groups alike. */
async function leaveAll(injector = lan1, source = ATTACKER): Promise<void> {
  const groups = (await shownMemberships(daemon)).map(({ group }) => ip(group));
  await injector.send(
    frameOf(
      packet(source, '224.0.0.22', { kind: 'report-v3', records: groups.map((group) => ({ type: 3, group, sources: [] })) }),
    ),
  );
  await eventually(async () => (await shownMemberships(daemon)).length === 0, {
    what: 'no membership is left',
    timeoutMs: 10_000,
  });
}

describe('well-formed, from or about whom nobody should speak', () => {
  const cases: readonly (readonly [what: string, packet: () => Uint8Array, reason: IgmpDropReason])[] = [
    ['a report from outside the subnet', () => report(G, '192.0.2.66'), 'off_subnet_source'],
    [
      'a leave from outside the subnet',
      () => packet('192.0.2.66', '224.0.0.2', { kind: 'leave', group: ip(G) }),
      'off_subnet_source',
    ],
    ['a v3 report from outside the subnet', () => joinV3('192.0.2.66', [G]), 'off_subnet_source'],
    ['a query from outside the subnet, lower than ours', () => query('1.0.0.1'), 'off_subnet_source'],
    ['a query from our own address', () => query(LAN1), 'own_address'],
    ['a report from our own address', () => report(G, LAN1), 'own_address'],
    ['a query from 0.0.0.0', () => query('0.0.0.0'), 'querier_zero_source'],
    ['a v2 report for 224.0.0.22', () => report('224.0.0.22'), 'link_local_group'],
    ['a v3 report for 224.0.0.5', () => joinV3(ATTACKER, ['224.0.0.5']), 'record_link_local'],
    ['an any-source join in the source-specific range', () => report('232.1.1.1'), 'ssm_ignored'],
    ['a report that came over a router', () => withIpHeader(report(G), (header) => header.setUint8(8, 2)), 'bad_ttl'],
    ['a report that says it has 65535 bytes', () => withIpHeader(report(G), (header) => header.setUint16(2, 65535)), 'truncated'],
    ['a first fragment', () => withIpHeader(report(G), (header) => header.setUint16(6, 0x2000)), 'fragment'],
    [
      'a later fragment, which bears no IGMP header',
      () => withIpHeader(report(G), (header) => header.setUint16(6, 185)),
      'fragment',
    ],
    [
      'a report to another group',
      () => withIpHeader(report(G), (header) => header.setUint32(16, ip('239.1.1.2'))),
      'bad_destination',
    ],
    [
      'a full-sized frame of nothing',
      () =>
        withIpHeader(
          Uint8Array.from({ length: 1500 }, (_, at) => report(G)[at < 24 ? at : 32] ?? 0),
          (header) => header.setUint16(2, 1500),
        ),
      'bad_checksum',
    ],
  ];

  test.each(cases)('%s', async (_what, make, reason) => {
    await expectRefused([make()], { [reason]: 1 });
    expect(await shownMemberships(daemon)).toEqual([]);
    expect(await shownInterface(daemon, 'lan1')).toMatchObject({ querier: { self: true, address: LAN1 } });
  });
});

test('reports from the upstream side make no membership; queries there are answered, not fought over', async () => {
  const upstream = await star.lab.injector(star.source.namespace, star.source.interfaceName);
  await expectRefused(
    [joinV3(SOURCE, [G]), query('10.100.0.9')],
    { not_for_hosts: 1 },
    { injector: upstream, name: 'up0' },
  );
  expect(await shownMemberships(daemon)).toEqual([]);
});

test('a LAN with its own rules: Router Alert is required, and groups are limited', async () => {
  const strict = { injector: await injectorOf(1), name: 'lan2' };
  const plain = Uint8Array.from([...joinV3('10.1.2.10', [G])]);
  // The option area turned into no-operations.
  await expectRefused([withIpHeader(plain, (header) => header.setUint32(20, 0x01010101))], { no_router_alert: 1 }, strict);
  const many = Array.from({ length: 100 }, (_, i) => `239.2.0.${i}`);
  await expectRefused([joinV3('10.1.2.10', many)], { group_limit: 96 }, strict);
  expect(await shownMemberships(daemon, 'lan2')).toHaveLength(4);
  await leaveAll(strict.injector, '10.1.2.10');
});

test('20,000 random frames at full speed: policed and counted, and a stream to another LAN loses nothing', async () => {
  const viewer = star.hosts[2];
  if (viewer === undefined) throw new Error('no viewer');
  const receiver = await star.lab.receiver(viewer, { joins: ['239.9.9.9'] });
  const sender = await star.lab.sender(star.source, { group: '239.9.9.9', source: SOURCE, rate: 500 });
  const received = async () => (await receiver.flow({ group: '239.9.9.9', streamId: sender.streamId })).received;
  await eventually(async () => (await received()) > 100, { what: 'the stream arrives' });
  const before = await freshInterface(daemon, 'lan1');
  const random = randomBytes(0x5eed);
  await Promise.all(Array.from({ length: 20_000 }, () => lan1.send(frameOf(randomIgmp(random)))));
  const atEnd = await received();
  await eventually(async () => (await received()) > atEnd + 500, { what: 'the stream goes on' });
  const { sent } = await sender.stop();
  await eventually(
    async () => (await receiver.flow({ group: '239.9.9.9', streamId: sender.streamId })).lastSequence === sent - 1,
    { what: 'the last packet has arrived' },
  );
  expect(await receiver.stats()).toMatchObject({ kernelDropped: 0, wireDropped: 0, interfaceDropped: 0 });
  expect(await receiver.flow({ group: '239.9.9.9', streamId: sender.streamId })).toMatchObject({
    lost: 0,
    duplicated: 0,
    corrupted: 0,
  });
  await expectPoliced(before);
  await receiver.stop();
});

/** Every frame was handed over or held back, and the held back ones are the greater part of what exceeds rate and burst. */
async function expectPoliced(before: InterfaceJson): Promise<void> {
  const classes = ['igmp_report', 'igmp_query'] as const;
  const grown = (now: InterfaceJson, counters: 'punts' | 'puntDrops'): number =>
    classes.reduce((all, name) => all + countOf(now[counters], name) - countOf(before[counters], name), 0);
  const settled = async (): Promise<InterfaceJson> => {
    const now = await freshInterface(daemon, 'lan1');
    expect(grown(now, 'punts') + grown(now, 'puntDrops')).toBe(20_000);
    return now;
  };
  const now = await eventually(settled, { what: 'every frame is accounted for' });
  expect(countOf(now.puntDrops, 'igmp_query') - countOf(before.puntDrops, 'igmp_query')).toBeGreaterThan(0);
  expect(countOf(now.puntDrops, 'igmp_report') - countOf(before.puntDrops, 'igmp_report')).toBeGreaterThan(0);
}

test('after all that a good join works', async () => {
  const [attacker] = star.hosts;
  if (attacker === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(attacker, { joins: ['239.7.7.7'] });
  await eventually(async () => (await shownMemberships(daemon, 'lan1')).some(({ group }) => group === '239.7.7.7'), {
    what: 'the membership is known',
  });
  const sender = await star.lab.sender(star.source, { group: '239.7.7.7', source: SOURCE, count: 500, rate: 500 });
  await sender.finished();
  await eventually(async () => (await receiver.flow({ group: '239.7.7.7', streamId: sender.streamId })).received === 500, {
    what: 'every packet has arrived',
  });
  expect(await receiver.flow({ group: '239.7.7.7', streamId: sender.streamId })).toMatchObject({
    lost: 0,
    duplicated: 0,
    corrupted: 0,
  });
});

/** xorshift32: the same frames in every run. */
function randomBytes(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) & 0xff;
  };
}

/** IGMP by its protocol number, with a header that often holds, and noise behind it. */
function randomIgmp(random: () => number): Uint8Array {
  const types = [0x11, 0x12, 0x16, 0x17, 0x22, random()];
  const payload = Uint8Array.from({ length: 8 + (random() % 64) }, random);
  payload[0] = types[random() % types.length] ?? 0;
  const bytes = Uint8Array.from([
    0x45,
    0,
    0,
    IP_HEADER_BYTES + payload.length,
    0,
    0,
    0,
    0,
    1,
    2,
    0,
    0,
    10,
    0,
    0,
    random(),
    224,
    0,
    0,
    22,
    ...payload,
  ]);
  return random() < 16 ? bytes : withIpHeader(bytes, () => undefined);
}
