/** The lab's peers and its second pair of eyes: they start, say why when they cannot, tell right from wrong, and are gone with the lab. */
import { eventually } from '../lab/eventually';
import { joinedGroups, multicastVifs } from '../lab/kernel-multicast';
import { Lab } from '../lab/lab';
import { processStartTime } from '../lab/lab-record';
import type { Namespace } from '../lab/namespace';
import { Frr } from '../lab/peers/frr';
import { Igmpproxy } from '../lab/peers/igmpproxy';
import { Smcroute } from '../lab/peers/smcroute';
import { packetFields, wrongPackets } from '../lab/tshark';

jest.setTimeout(60_000);

/** IGMPv3 reports from 10.7.3.10: Ethernet, IPv4 with Router Alert, IGMP. */
const GOOD_REPORT =
  '01005e0000160200000000010800 46c00028000040000102f6e80a07030ae000001694040000 2200e8f90000000104000000ef010203';
const BAD_IGMP_CHECKSUM =
  '01005e0000160200000000010800 46c00028000040000102f6e80a07030ae000001694040000 2200e8f80000000104000000ef010203';
const BAD_IP_CHECKSUM =
  '01005e0000160200000000010800 46c00028000040000102f7e80a07030ae000001694040000 2200e8f90000000104000000ef010203';
/** Two records and two sources promised, one of each begun. */
const CUT_OFF =
  '01005e0000160200000000010800 46c0002c000040000102f6e40a07030ae000001694040000 2200dcf50000000206000002ef0102030a000001';

let lab: Lab;
let device: Namespace;

beforeEach(async () => {
  lab = await Lab.create('iop-peers');
  device = await lab.namespace('device');
  await lab.host('above', { address: '10.7.1.10/24', to: [device, 'up', '10.7.1.1/24'] });
  await lab.host('below', { address: '10.7.2.10/24', to: [device, 'down', '10.7.2.1/24'] });
});
afterEach(async () => lab?.close());

test('igmpproxy, smcroute and FRR serve their interfaces, and no process of theirs outlives the lab', async () => {
  const proxy = await Igmpproxy.start(lab, device, { upstream: 'up', downstream: ['down'] });
  expect(await multicastVifs(device)).toEqual(expect.arrayContaining(['up', 'down']));
  expect(await proxy.upstreamGroups()).toEqual([]);
  await proxy.stop();

  const smcroute = await Smcroute.start(lab, device, { interfaces: ['up', 'down'] });
  await smcroute.join('up', '239.7.7.7');
  expect(await joinedGroups(device, 'up')).toContain('239.7.7.7');
  await smcroute.leave('up', '239.7.7.7');
  expect(await joinedGroups(device, 'up')).not.toContain('239.7.7.7');
  await smcroute.stop();

  const interfaces = [
    { name: 'up', pim: true },
    { name: 'down', igmp: { version: 2, queryIntervalS: 7, maxResponseS: 3 } as const },
  ];
  const frr = await Frr.start(lab, device, { interfaces, rendezvousPoint: '10.7.1.1' });
  expect(await frr.igmpInterface('down')).toMatchObject({
    state: 'up',
    address: '10.7.2.1',
    version: 2,
    timerQueryInterval: 7,
    timerQueryResponseIntervalMsec: 3000,
  });
  expect(await frr.groupCount()).toBe(0);
  const pids = [frr.pimd.pid, frr.zebra.pid];
  await lab.close();
  for (const pid of pids) expect(processStartTime(pid)).toBeUndefined();
});

test('a peer that cannot start fails in its own words', async () => {
  await expect(Igmpproxy.start(lab, device, { upstream: 'nowhere', downstream: ['down'] })).rejects.toThrow(
    /igmpproxy in device \(pid \d+\) ended with \d+; stderr: .*upstream/i,
  );
});

test('tshark finds the truncated report and the bad checksum, and leaves the good one alone', async () => {
  const neighbour = await lab.namespace('neighbour');
  await lab.link({ between: [neighbour, 'eth0'], and: [device, 'extra'] });
  const capture = await lab.capture(device, 'extra', { filter: 'igmp' });
  const injector = await lab.injector(neighbour, 'eth0');
  for (const frame of [GOOD_REPORT, BAD_IGMP_CHECKSUM, BAD_IP_CHECKSUM, CUT_OFF])
    await injector.send(Buffer.from(frame.replaceAll(' ', ''), 'hex'));
  await eventually(async () => (await capture.frames()).length === 4, { what: 'all four are captured' });
  await capture.stop();
  expect(await packetFields(capture.file, 'igmp', ['igmp.type'])).toHaveLength(4);
  expect(await wrongPackets(capture.file, 'igmp')).toHaveLength(3);
  expect(await wrongPackets(capture.file, 'frame.number == 1')).toEqual([]);
});

test('bulk reports are what hosts would send, by tshark: versions, record types, groups, and whose turn it is', async () => {
  const neighbour = await lab.host('neighbour', { address: '10.7.3.10/24', to: [device, 'extra', '10.7.3.1/24'] });
  const capture = await lab.capture(device, 'extra', { filter: 'igmp and src net 10.7.3.0/28' });
  const [old, recent] = [
    await lab.reporter(neighbour, { address: neighbour.address, version: 2 }),
    await lab.reporter(neighbour, { address: neighbour.address, hosts: 2, version: 3 }),
  ];
  await old.send({ change: 'join', firstGroup: '239.5.0.255', count: 2 });
  await old.send({ change: 'leave', firstGroup: '239.5.0.255', count: 1 });
  for (const change of ['join', 'refresh', 'leave'] as const)
    await recent.send({ change, firstGroup: '239.6.0.1', count: 5, recordsPerReport: 2, rate: 1000 });
  await eventually(async () => (await capture.frames()).length === 12, { what: 'all reports are captured' });
  await capture.stop();
  expect(await wrongPackets(capture.file, 'igmp')).toEqual([]);
  const seen = await packetFields(capture.file, 'igmp', ['ip.src', 'ip.dst', 'igmp.type', 'igmp.record_type', 'igmp.maddr']);
  const row = (...values: readonly string[]): unknown =>
    expect.objectContaining(
      Object.fromEntries(['ip.src', 'ip.dst', 'igmp.type', 'igmp.record_type', 'igmp.maddr'].map((name, i) => [name, values[i]])),
    );
  expect(seen.slice(0, 3)).toEqual([
    row('10.7.3.10', '239.5.0.255', '0x16', '', '239.5.0.255'),
    row('10.7.3.10', '239.5.1.0', '0x16', '', '239.5.1.0'),
    row('10.7.3.10', '224.0.0.2', '0x17', '', '239.5.0.255'),
  ]);
  // TO_EX, IS_EX, TO_IN (RFC 3376 4.2.12); five groups in messages of two, two and one.
  expect(seen.slice(3)).toEqual(
    ['4', '2', '3'].flatMap((type) => [
      row('10.7.3.10', '224.0.0.22', '0x22', `${type},${type}`, '239.6.0.1,239.6.0.2'),
      row('10.7.3.11', '224.0.0.22', '0x22', `${type},${type}`, '239.6.0.3,239.6.0.4'),
      row('10.7.3.10', '224.0.0.22', '0x22', type, '239.6.0.5'),
    ]),
  );
});
