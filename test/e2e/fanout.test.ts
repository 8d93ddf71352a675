/**
 * One stream to more networks than the kernel's own forwarder has room for (MAXVIFS of <linux/mroute.h> is 32, upstream included).
 *
 *     source ── up0 [xmcastd] lan1 ── host1
 *                             lan2 ── host2  …  lan33 ── host33
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { Receiver } from '../lab/receiver';
import { createStar, SOURCE, type Star } from '../lab/star';
import { freshInterface, shownFlow, shownMemberships } from './shown';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const PORTS = 33;
const PACKETS = 1000;
const lans = Array.from({ length: PORTS }, (_, i) => `lan${i + 1}`);

let star: Star;
let daemon: Daemon;
let receivers: readonly Receiver[];

beforeAll(async () => {
  star = await createStar(
    'fanout',
    lans.map((_, i) => ({ name: `host${i + 1}` })),
  );
  daemon = await star.start();
  // Frames nobody asked for are looked at through the counters of the router: capturing on every host would cost more than the streams.
  receivers = await Promise.all(star.hosts.map((host) => star.lab.receiver(host, { joins: [G], wire: false })));
  await eventually(async () => (await shownMemberships(daemon)).length === PORTS, {
    what: 'every host is known',
    timeoutMs: 20_000,
  });
});
afterAll(async () => star?.lab.close());

/** Sends, and resolves when every receiver has everything: nothing lost, repeated or damaged. */
async function sendTo(members: readonly Receiver[]): Promise<void> {
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: PACKETS, rate: 500, size: 200 });
  expect((await sender.finished()).sent).toBe(PACKETS);
  const flows = () => Promise.all(members.map((member) => member.flow({ group: G, streamId: sender.streamId })));
  const arrived = async (): Promise<true> => {
    expect((await flows()).map(({ received }) => received)).toEqual(members.map(() => PACKETS));
    return true;
  };
  await eventually(arrived, { what: `all ${members.length} members have all packets`, timeoutMs: 10_000, intervalMs: 200 });
  for (const flow of await flows())
    expect(flow).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, reordered: 0, ttlMin: 63, ttlMax: 63 });
}

async function copiesSent(): Promise<readonly number[]> {
  return Promise.all(lans.map(async (name) => Number((await freshInterface(daemon, name)).txPackets)));
}

test(`${PORTS} ports: everybody gets every packet once, and the copies are counted`, async () => {
  await sendTo(receivers);
  expect(await shownFlow(daemon, G, SOURCE)).toMatchObject({
    incomingInterface: 'up0',
    outgoingInterfaces: lans,
    packets: String(PACKETS),
    replicatedPackets: String(PORTS * PACKETS),
  });
  expect(await copiesSent()).toEqual(lans.map(() => PACKETS));
});

test('one leaves: nothing more is sent there, the others miss nothing', async () => {
  const [leaver, ...stayers] = receivers;
  const before = await shownFlow(daemon, G, SOURCE);
  await leaver?.leave(G);
  await eventually(async () => (await shownFlow(daemon, G, SOURCE))?.outgoingInterfaces.length === PORTS - 1, {
    what: 'the port of the leaver is out of the set',
    timeoutMs: 15_000,
  });
  const copiesBefore = await copiesSent();
  await sendTo(stayers);
  expect(await copiesSent()).toEqual(copiesBefore.map((count, i) => (i === 0 ? count : count + PACKETS)));
  expect(await shownFlow(daemon, G, SOURCE)).toMatchObject({
    outgoingInterfaces: lans.slice(1),
    packets: String(Number(before?.packets) + PACKETS),
    replicatedPackets: String(Number(before?.replicatedPackets) + (PORTS - 1) * PACKETS),
  });
});
