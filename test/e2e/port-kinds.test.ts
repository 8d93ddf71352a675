/**
 * Ports of every sort. The ends of veth pairs are everywhere else; here lan1 is a bridge, a member of one, a macvlan, a tap or a tun device.
 *
 *     source ── up0 [xmcastd] lan1 ── host   lan2 ── host
 */
import { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { LabProcess } from '../lab/lab-process';
import type { Receiver } from '../lab/receiver';
import { createStar, SOURCE, type Star } from '../lab/star';
import { shownFlow, shownInterface, shownMemberships } from './shown';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const PACKETS = 300;
const TTL = 9;

let star: Star;
beforeEach(async () => {
  star = await createStar('kinds', [{ name: 'one' }, { name: 'two' }]);
});
afterEach(async () => star?.lab.close());

function start(port: string, mode = 'auto'): Promise<Daemon> {
  return star.start({ interfaces: [{ name: 'up0', upstream: true }, { name: port, mode }, { name: 'lan2' }] });
}

async function hostsJoin(daemon: Daemon): Promise<readonly Receiver[]> {
  const receivers = await Promise.all(star.hosts.map((host) => star.lab.receiver(host, { joins: [G] })));
  await eventually(async () => (await shownMemberships(daemon)).length === receivers.length, { what: 'the memberships are known' });
  return receivers;
}

async function send(): Promise<number> {
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: PACKETS, rate: 2000, ttl: TTL });
  await sender.finished();
  return sender.streamId;
}

async function expectEveryPacket(receiver: Receiver, streamId: number): Promise<void> {
  await eventually(async () => (await receiver.flow({ group: G, streamId })).received === PACKETS, { what: 'every packet has arrived' });
  expect(await receiver.flow({ group: G, streamId })).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0, ttlMin: TTL - 1, ttlMax: TTL - 1 });
}

async function expectCopies(daemon: Daemon): Promise<void> {
  const copies = String(2 * PACKETS);
  expect(await shownFlow(daemon, G, SOURCE)).toMatchObject({ packets: String(PACKETS), expectedPackets: copies, replicatedPackets: copies });
}

/** The address of lan1 goes to another device that stands for it. */
async function standIn(device: string, ...commands: readonly string[]): Promise<void> {
  await star.router.script(['ip address flush dev lan1', ...commands, `ip address add 10.1.1.1/24 dev ${device}`, `ip link set dev ${device} up`]);
}

test('a bridge', async () => {
  await standIn('br0', 'ip link add br0 type bridge', 'ip link set dev lan1 master br0');
  const daemon = await start('br0');
  expect(await shownInterface(daemon, 'br0')).toMatchObject({ mode: 'MODE_TC', modeReason: 'bridge devices have no XDP of their own' });
  const hosts = await hostsJoin(daemon);
  const streamId = await send();
  for (const host of hosts) await expectEveryPacket(host, streamId);
  await expectCopies(daemon);
});

test('a member of a bridge is refused with the cure, which works; so is a port that becomes one', async () => {
  const daemon = await start('lan1');
  await hostsJoin(daemon);
  const status = async (): Promise<string> => (await shownInterface(daemon, 'lan1')).status;
  await star.router.script(['ip link add br0 type bridge', 'ip link set dev lan1 master br0', 'ip link set dev br0 up']);
  await eventually(async () => (await status()) === 'STATUS_ERROR', { what: 'lan1 is refused' });
  expect((await shownInterface(daemon, 'lan1')).problem).toMatch(/^attach to lan1: it is a part of a bridge device.*Configure the bridge device instead.*ip link set dev lan1 nomaster/);
  expect(daemon.process.stdout + daemon.process.stderr).toContain('attach to lan1: it is a part of a bridge device');
  expect((await star.router.run(['bpftool', 'net', 'show', 'dev', 'lan1'])).includes('xm_')).toBe(false);
  await star.router.run(['ip', 'link', 'set', 'dev', 'lan1', 'nomaster']);
  await eventually(async () => (await status()) === 'STATUS_FORWARDING', { what: 'lan1 is taken again' });
});

test('a macvlan', async () => {
  await standIn('mv0', 'ip link add mv0 link lan1 type macvlan mode bridge');
  const daemon = await start('mv0');
  expect(await shownInterface(daemon, 'mv0')).toMatchObject({ mode: 'MODE_TC', modeReason: 'macvlan devices have no XDP of their own' });
  const hosts = await hostsJoin(daemon);
  const streamId = await send();
  for (const host of hosts) await expectEveryPacket(host, streamId);
  await expectCopies(daemon);
});

/** A host behind a device of the machine: joins, and prints the TTL of each datagram that arrives. Arguments: device, mode. */
const VIRTUAL_HOST = `
import fcntl, os, struct, sys
device, mode = sys.argv[1:]
has_ethernet = mode == 'tap'
fd = os.open('/dev/net/tun', os.O_RDWR)
fcntl.ioctl(fd, 0x400454ca, struct.pack('16sH22x', device.encode(), (2 if has_ethernet else 1) | 0x1000))
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total > 0xffff: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
def report():
    igmp = struct.pack('!BBH4B', 0x16, 0, 0, 239, 1, 1, 1)
    igmp = igmp[:2] + struct.pack('!H', checksum(igmp)) + igmp[4:]
    ip = struct.pack('!BBHHHBBH4B4BI', 0x46, 0, 24 + len(igmp), 0, 0, 1, 2, 0, 10, 1, 9, 10, 239, 1, 1, 1, 0x94040000)
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    ethernet = bytes.fromhex('01005e010101' + '020000000909' + '0800')
    return (ethernet if has_ethernet else b'') + ip + igmp
print('ready', flush=True)
for line in sys.stdin:
    if line.startswith('join'): break
os.write(fd, report())
while True:
    packet = os.read(fd, 65536)[14 if has_ethernet else 0:]
    if packet[0] >> 4 == 4 and packet[9] == 17: print('ttl', packet[8], len(packet), flush=True)
`;

async function virtualHost(mode: 'tap' | 'tun'): Promise<LabProcess> {
  const host = star.lab.spawn(star.router, ['python3', '-c', VIRTUAL_HOST, 'vm0', mode]);
  await eventually(() => host.stdout.includes('ready'), { what: 'the device is there' });
  await star.router.script(['ip address add 10.1.9.1/24 dev vm0', 'ip link set dev vm0 up']);
  return host;
}

test('a tap device', async () => {
  const host = await virtualHost('tap');
  const daemon = await start('vm0');
  expect(await shownInterface(daemon, 'vm0')).toMatchObject({ status: 'STATUS_FORWARDING', mode: 'MODE_TC' });
  host.writeLine('join');
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  await send();
  const datagrams = (): readonly string[] => host.stdout.split('\n').filter((line) => line.startsWith('ttl'));
  await eventually(() => datagrams().length === PACKETS, { what: 'every packet has arrived' });
  expect(new Set(datagrams())).toEqual(new Set([`ttl ${TTL - 1} ${1316 + 28}`]));
  expect(await shownFlow(daemon, G, SOURCE)).toMatchObject({ expectedPackets: String(PACKETS), replicatedPackets: String(PACKETS) });
});

test('a tun device is refused with the alternative', async () => {
  await virtualHost('tun');
  const child = await Daemon.startFailing(star.lab, star.router, { interfaces: [{ name: 'up0', upstream: true }, { name: 'vm0', mode: 'auto' }] });
  expect(child.stderr).toMatch(/XM_PORT_UNSUPPORTED: attach to vm0: it has no Ethernet address.*\n.*gretap, vxlan, tap/);
});
