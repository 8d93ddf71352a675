/**
 * FRR as the second router of a LAN: who asks the hosts, by both routers' own account, and what happens when that one dies.
 *
 *     source ── up0 [xmcastd] lan1 10.1.1.5 ──┬── [FRR] eth0 10.1.1.1, later 10.1.1.9
 *                                             └── host
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Namespace } from '../lab/namespace';
import { Frr } from '../lab/peers/frr';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { SOURCE } from '../lab/star';
import { shownInterface, shownMemberships } from '../e2e/shown';
import { createLan, ROUTER_ADDRESS, type Lan } from './lan';

jest.setTimeout(60_000);

const GROUP = '239.1.1.1';
const LOWER = '10.1.1.1';
const HIGHER = '10.1.1.9';
/** Both routers alike. RFC 3376 8.5: 2 x 2 s + 1 s / 2. */
const IGMP = { query_interval: '2s', query_response_interval: '1s' };
const FRR_IGMP = { queryIntervalS: 2, maxResponseS: 1 };
const OTHER_QUERIER_PRESENT_MS = 4500;
/** A query may be that late, and the states are looked at now and then. */
const SLACK_MS = 2500;

let lan: Lan;
let daemon: Daemon;
let other: Namespace;
let receiver: Receiver;

beforeAll(async () => {
  lan = await createLan('iop-frr', [3]);
  other = await lan.lab.namespace('frr');
  await lan.lab.link({ between: [other, 'eth0'], and: lan.lan });
  const [host] = lan.hosts;
  if (host === undefined) throw new Error('no host');
  receiver = await lan.lab.receiver(host, { joins: [GROUP] });
  daemon = await lan.start(IGMP);
});
afterAll(async () => lan?.lab.close());

async function startFrr(address: string): Promise<Frr> {
  await other.run(['ip', 'address', 'replace', `${address}/24`, 'dev', 'eth0']);
  return Frr.start(lan.lab, other, { interfaces: [{ name: 'eth0', igmp: FRR_IGMP }] });
}

async function endFrr(frr: Frr): Promise<void> {
  // As a router that loses power: no good-bye.
  for (const child of [frr.pimd, frr.zebra]) child.signal('SIGKILL');
  await Promise.all([frr.pimd.exited, frr.zebra.exited]);
  await other.run(['ip', 'address', 'flush', 'dev', 'eth0']);
}

/** By the router under test. */
async function ourQuerier(): Promise<string> {
  return (await shownInterface(daemon, 'lan1')).querier?.address ?? '';
}

async function bothAgreeOn(frr: Frr, address: string): Promise<void> {
  const check = async (): Promise<void> => {
    const [ours, theirs] = [await shownInterface(daemon, 'lan1'), await frr.igmpInterface('eth0')];
    expect(ours.querier).toMatchObject({ address, ...(address === ROUTER_ADDRESS ? { self: true } : {}) });
    expect(theirs).toMatchObject({ querierIp: address, querier: address === ROUTER_ADDRESS ? 'other' : 'local' });
  };
  await eventually(() => check().then(() => true), { what: `both routers hold ${address} for the querier` });
}

/** RFC 3376 6.6.2: after the other-querier-present interval, and not before it. */
async function takesOverAfter(sinceMs: number, taken: () => Promise<boolean>): Promise<void> {
  await eventually(taken, { what: 'the remaining router takes over', timeoutMs: OTHER_QUERIER_PRESENT_MS + SLACK_MS });
  const took = performance.now() - sinceMs;
  // The dead one may have spoken last a whole query interval before it died.
  expect(took).toBeGreaterThan(OTHER_QUERIER_PRESENT_MS - 2000 - 500);
  expect(took).toBeLessThan(OTHER_QUERIER_PRESENT_MS + SLACK_MS);
}

/** A stream that the host gets, and what it has got so far. */
async function arrivingStream(): Promise<{ readonly sender: Sender; seen(): Promise<FlowStats> }> {
  await eventually(async () => (await shownMemberships(daemon, 'lan1')).length === 1, { what: 'the membership is known' });
  const sender = await lan.lab.sender(lan.source, { group: GROUP, source: SOURCE, rate: 500, size: 200 });
  const seen = (): Promise<FlowStats> => receiver.flow({ group: GROUP, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > 0, { what: 'the stream arrives' });
  return { sender, seen };
}

/** Not a frame of it on the host's interface while fifty are sent. */
async function ends(sender: Sender, seen: () => Promise<FlowStats>): Promise<void> {
  let last = { onWire: -1, sent: 0 };
  const isSilent = async (): Promise<boolean> => {
    const now = { sent: (await sender.stats()).sent, onWire: (await seen()).onWire };
    if (now.onWire !== last.onWire) last = now;
    return now.sent > last.sent + 50;
  };
  await eventually(isSilent, { what: 'our copies have ended' });
}

/** FRR comes with the lower address, is querier, and dies; both routers know the member meanwhile from its answers to FRR's queries. */
async function frrReigns(meanwhile: (frr: Frr) => Promise<void>): Promise<void> {
  const frr = await startFrr(LOWER);
  await bothAgreeOn(frr, LOWER);
  expect((await frr.igmpInterface('eth0')).timerOtherQuerierPresentIntervalMsec).toBe(OTHER_QUERIER_PRESENT_MS);
  await eventually(async () => (await frr.groupCount()) === 1, { what: 'FRR knows the member' });
  expect(await shownMemberships(daemon, 'lan1')).toMatchObject([{ group: GROUP, interface: 'lan1' }]);
  await meanwhile(frr);
  await endFrr(frr);
  await takesOverAfter(performance.now(), async () => (await ourQuerier()) === ROUTER_ADDRESS);
}

test('RFC 4605 4.2: FRR with the lower address becomes querier and has the hosts; when it dies we take over, stream and all', async () => {
  expect(await ourQuerier()).toBe(ROUTER_ADDRESS);
  const { sender, seen } = await arrivingStream();
  await frrReigns(() => ends(sender, seen));
  const { received } = await seen();
  await eventually(async () => (await seen()).received > received + 100, { what: 'the stream is back' });
  await sender.stop();
  expect(await seen()).toMatchObject({ duplicated: 0, corrupted: 0 });
});

test('FRR with the higher address gives way; when we die it takes over, and gives way again when we are back', async () => {
  const frr = await startFrr(HIGHER);
  await bothAgreeOn(frr, ROUTER_ADDRESS);
  daemon.process.signal('SIGKILL');
  await daemon.process.exited;
  await takesOverAfter(performance.now(), async () => (await frr.igmpInterface('eth0')).querierIp === HIGHER);
  daemon = await lan.start({ ...IGMP, forward_if_not_querier: true });
  await bothAgreeOn(frr, ROUTER_ADDRESS);
  // A member that was learnt by FRR's queries is learnt anew by ours.
  await eventually(async () => (await shownMemberships(daemon, 'lan1')).length === 1, { what: 'the member is known again' });
  await endFrr(frr);
});

test('RFC 4605 3: as the only forwarder of the LAN, querier or not, we lose no packet while the querier changes twice', async () => {
  const { sender, seen } = await arrivingStream();
  await frrReigns(() => Promise.resolve());
  const { sent } = await sender.stop();
  await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet is there' });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
});
