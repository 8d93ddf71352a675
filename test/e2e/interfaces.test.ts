/**
 * Interfaces come, go, change and return under a running router. A stream to a LAN that nothing happens to loses nothing meanwhile.
 *
 *     source ── up0 [xmcastd] lan1 ── untouched   lan2 ── moved   lan3: configured, made later
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { frameFields } from '../lab/frame';
import type { Host } from '../lab/host';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { countOf, freshInterface, shownInterface, shownMemberships } from './shown';

jest.setTimeout(60_000);

const G = '239.1.1.1';
const RATE = 500;
const LAN2 = '10.1.2.1/24';
const HOST2 = '10.1.2.10/24';

let star: Star;
let daemon: Daemon;
let untouched: Receiver;
let steady: Sender;

beforeAll(async () => {
  star = await createStar('interfaces', [{ name: 'untouched' }, { name: 'moved' }]);
  daemon = await star.start({
    interfaces: [...star.config.interfaces, { name: 'lan3' }],
    // Hosts answer the first query of a link that has come back within a second; none follows within a test.
    igmp: { query_response_interval: '1s' },
  });
  untouched = await star.lab.receiver(host(0), { joins: [G] });
  steady = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: RATE });
  await flowsOn(untouched, 'the host that nothing happens to');
});
afterAll(async () => star?.lab.close());

function host(index: number): Host {
  const found = star.hosts[index];
  if (found === undefined) throw new Error(`no host ${index}`);
  return found;
}

function seen(receiver: Receiver): Promise<FlowStats> {
  return receiver.flow({ group: G, streamId: steady.streamId });
}

/** From now on, not only in the past. */
async function flowsOn(receiver: Receiver, who: string): Promise<void> {
  const { received } = await seen(receiver);
  await eventually(async () => (await seen(receiver)).received > received + 100, {
    what: `the stream reaches ${who}`,
    timeoutMs: 15_000,
  });
}

async function becomes(name: string, status: string): Promise<void> {
  await eventually(async () => (await shownInterface(daemon, name)).status === status, {
    what: `${name} becomes ${status}`,
    timeoutMs: 10_000,
  });
}

async function expectNoLoss(receiver: Receiver): Promise<void> {
  expect(await receiver.stats()).toMatchObject({ kernelDropped: 0, wireDropped: 0, interfaceDropped: 0 });
  expect(await seen(receiver)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, reordered: 0 });
}

describe('a LAN', () => {
  let moved: Receiver;

  beforeEach(async () => {
    moved = await star.lab.receiver(host(1), { joins: [G] });
    await flowsOn(moved, 'the host that is moved');
  });
  afterEach(async () => {
    await flowsOn(untouched, 'the host that nothing happens to');
    await expectNoLoss(untouched);
    expect(daemon.process.hasExited).toBe(false);
    await moved.stop();
    await eventually(async () => (await shownMemberships(daemon, 'lan2')).length === 0, {
      what: 'no membership is left on lan2',
      timeoutMs: 10_000,
    });
  });

  const router = (...lines: readonly string[]): Promise<string> => star.router.script(lines);
  const createLan2 = (): Promise<void> =>
    star.lab.link({ between: [star.router, 'lan2', LAN2], and: [host(1).namespace, 'eth0', HOST2] });
  /** Sockets stay bound to the device that is gone: its host's programs end and start again. */
  async function restartReceiver(): Promise<void> {
    await moved.stop().catch(() => undefined);
    moved = await star.lab.receiver(host(1), { joins: [G] });
  }

  test('that is configured but did not exist appears, and is served', async () => {
    expect(await shownInterface(daemon, 'lan3')).toMatchObject({ status: 'STATUS_ABSENT', ifindex: 0, mode: 'MODE_NONE' });
    const late = await star.lab.host('late', { address: '10.1.3.10/24', to: [star.router, 'lan3', '10.1.3.1/24'] });
    await becomes('lan3', 'STATUS_FORWARDING');
    const receiver = await star.lab.receiver(late, { joins: [G] });
    await flowsOn(receiver, 'the new LAN');
    expect(await shownInterface(daemon, 'lan3')).toMatchObject({
      mode: 'MODE_XDP',
      problem: '',
      querier: { self: true, address: '10.1.3.1' },
    });
    await expectNoLoss(receiver);
    await receiver.stop();
  });

  test('is deleted: its memberships go; it is made again under its name and served as before', async () => {
    await router('ip link delete lan2');
    await becomes('lan2', 'STATUS_ABSENT');
    expect(await shownMemberships(daemon, 'lan2')).toEqual([]);
    await createLan2();
    await becomes('lan2', 'STATUS_FORWARDING');
    await restartReceiver();
    await flowsOn(moved, 'the LAN that has returned');
    await expectNoLoss(moved);
  });

  test('is replaced by another device of its name while the daemon does not look', async () => {
    const before = await shownInterface(daemon, 'lan2');
    const peer = host(1).namespace;
    daemon.process.signal('SIGSTOP');
    await router(
      'ip link delete lan2',
      `ip link add name lan2 type veth peer name eth0 netns ${peer.name}`,
      `nsenter --net=${peer.path} ethtool -K eth0 tx off gro on > /dev/null`,
      'ethtool -K lan2 tx off gro on > /dev/null',
      `ip address add ${LAN2} dev lan2`,
      'ip link set dev lan2 up',
    ).finally(() => daemon.process.signal('SIGCONT'));
    await peer.script([`ip address add ${HOST2} dev eth0`, 'ip link set dev eth0 up']);
    await becomes('lan2', 'STATUS_FORWARDING');
    await eventually(async () => (await shownInterface(daemon, 'lan2')).ifindex !== before.ifindex, {
      what: 'the new device is taken',
    });
    // Whoever is there now is asked at once, and what the others wanted is forgotten.
    await eventually(
      async () => countOf((await shownInterface(daemon, 'lan2')).igmpSent, 'query') > countOf(before.igmpSent, 'query'),
      { what: 'the new device is asked' },
    );
    expect(await shownMemberships(daemon, 'lan2')).toEqual([]);
    await restartReceiver();
    await flowsOn(moved, 'the replaced LAN');
    await expectNoLoss(moved);
  });

  test('is renamed away and back: served again by the host’s answer to the first query', async () => {
    await router('ip link set dev lan2 down', 'ip link set dev lan2 name elsewhere', 'ip link set dev elsewhere up');
    await becomes('lan2', 'STATUS_ABSENT');
    const { onWire } = await seen(moved);
    await flowsOn(untouched, 'the host that nothing happens to');
    expect((await seen(moved)).onWire).toBe(onWire);
    await router('ip link set dev elsewhere down', 'ip link set dev elsewhere name lan2', 'ip link set dev lan2 up');
    await becomes('lan2', 'STATUS_FORWARDING');
    await flowsOn(moved, 'the LAN that has its name back');
  });

  test('goes down and up: served again by the host’s answer to the first query', async () => {
    await router('ip link set dev lan2 down');
    await becomes('lan2', 'STATUS_DOWN');
    expect(await shownMemberships(daemon, 'lan2')).toEqual([]);
    await router('ip link set dev lan2 up');
    await becomes('lan2', 'STATUS_FORWARDING');
    await flowsOn(moved, 'the LAN that is up again');
  });

  test('flaps many times: what was last is what holds', async () => {
    await router(...Array.from({ length: 20 }, () => ['ip link set dev lan2 down', 'ip link set dev lan2 up']).flat());
    await becomes('lan2', 'STATUS_FORWARDING');
    await flowsOn(moved, 'the LAN that is up at last');
  });

  test('gets another MAC address: copies bear it, none is lost', async () => {
    const mac = '02:00:00:00:be:ef';
    await router(`ip link set dev lan2 address ${mac}`);
    await eventually(async () => (await shownInterface(daemon, 'lan2')).macAddress === mac, {
      what: 'the new MAC address is known',
    });
    const capture = await star.lab.capture(host(1).namespace, 'eth0', { filter: `udp and dst host ${G}` });
    await eventually(async () => (await capture.frames()).length >= 20, { what: 'copies are captured' });
    expect(new Set((await capture.stop()).map(({ bytes }) => frameFields(bytes).sourceMac))).toEqual(new Set([mac]));
    await expectNoLoss(moved);
  });

  test('gets another address: it asks from there, and no packet is lost', async () => {
    expect(await shownInterface(daemon, 'lan2')).toMatchObject({ querier: { self: true, address: '10.1.2.1' } });
    await router(`ip address delete ${LAN2} dev lan2`);
    await becomes('lan2', 'STATUS_NO_ADDRESS');
    const capture = await star.lab.capture(host(1).namespace, 'eth0', { filter: 'igmp and src host 10.1.2.254' });
    await router('ip address add 10.1.2.254/24 dev lan2');
    await eventually(async () => (await shownInterface(daemon, 'lan2')).querier?.address === '10.1.2.254', {
      what: 'the querier has the new address',
    });
    await eventually(async () => (await capture.frames()).length > 0, { what: 'it asks from there' });
    await capture.stop();
    await flowsOn(moved, 'the LAN with the new address');
    await expectNoLoss(moved);
    await router('ip address delete 10.1.2.254/24 dev lan2', `ip address add ${LAN2} dev lan2`);
    await becomes('lan2', 'STATUS_FORWARDING');
  });
});

test('the upstream vanishes and returns: streams return by themselves', async () => {
  await steady.stop();
  await star.router.script(['ip link delete up0']);
  await becomes('up0', 'STATUS_ABSENT');
  expect(await shownMemberships(daemon, 'lan1')).toHaveLength(1);
  await star.lab.link({ between: [star.router, 'up0', '10.100.0.1/24'], and: [star.source.namespace, 'eth0', `${SOURCE}/24`] });
  await becomes('up0', 'STATUS_FORWARDING');
  const again = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 1000, rate: RATE });
  await again.finished();
  const received = (): Promise<FlowStats> => untouched.flow({ group: G, streamId: again.streamId });
  await eventually(async () => (await received()).received === 1000, { what: 'the whole stream has arrived', timeoutMs: 10_000 });
  expect(await received()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  expect(await freshInterface(daemon, 'up0')).toMatchObject({ mode: 'MODE_XDP', problem: '' });
});
