/**
 * Kernel hosts of all three versions on one LAN, and what the router says to them, read by tshark.
 *
 *     source ── up0 [xmcastd] lan1 ──┬── v1
 *                                    ├── v2
 *                                    ├── v3
 *                                    └── v3, listens only
 */
import type { Daemon } from '../lab/daemon';
import type { Capture } from '../lab/capture';
import { eventually } from '../lab/eventually';
import type { Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { OTHER_SOURCE, SOURCE } from '../lab/star';
import { countOf, shownFlow, shownInterface, shownMemberships, type MembershipJson } from '../e2e/shown';
import { createLan, ROUTER_ADDRESS, type Lan } from './lan';
import { queriesFrom, type Query } from './queries';

jest.setTimeout(60_000);

const V1_AND_V2 = '239.1.0.12';
const V2_AND_V3 = '239.1.0.23';
const BLOCKING = '239.1.0.3';
/** RFC 3376 8.4: 2 x 5 s + 1 s. An IGMPv1 host answers within 10 s whatever the query says (RFC 1112, appendix I). */
const IGMP = { query_interval: '5s', query_response_interval: '1s', startup_query_interval: '1s' };
const GROUP_MEMBERSHIP_INTERVAL_MS = 11_000;
const LAST_MEMBER_QUERY_INTERVAL_S = 1;

let lan: Lan;
let daemon: Daemon;
let receivers: readonly Receiver[];
let capture: Capture;

beforeAll(async () => {
  lan = await createLan('iop-hosts', [1, 2, 3, 3]);
  const listener = lan.hosts[3];
  if (listener === undefined) throw new Error('no listener');
  capture = await lan.lab.capture(listener.namespace, listener.interfaceName, { filter: 'igmp' });
  daemon = await lan.start(IGMP);
  receivers = await Promise.all(lan.hosts.map((host) => lan.lab.receiver(host)));
});
afterAll(async () => lan?.lab.close());

function receiver(version: 1 | 2 | 3): Receiver {
  const found = receivers[version - 1];
  if (found === undefined) throw new Error(`no host of version ${version}`);
  return found;
}

async function membership(group: string): Promise<MembershipJson | undefined> {
  return (await shownMemberships(daemon, 'lan1')).find((found) => found.group === group);
}

function stream(group: string, source = SOURCE): Promise<Sender> {
  return lan.lab.sender(lan.source, { group, source, rate: 500, size: 200 });
}

async function flows(to: Receiver, sender: Sender, group: string): Promise<void> {
  const before = (await to.flow({ group, streamId: sender.streamId })).received;
  const more = async (): Promise<boolean> => (await to.flow({ group, streamId: sender.streamId })).received > before + 50;
  await eventually(more, { what: `the stream of ${group} arrives` });
}

/** A host says that it leaves only when it was the last to report (RFC 2236 3); the v1 host may report at any time. */
async function leaveIsHeard(v2: Receiver): Promise<void> {
  const leaves = async (): Promise<number> => countOf((await shownInterface(daemon, 'lan1')).igmpReceived, 'leave');
  const attempt = async (): Promise<boolean> => {
    await v2.join(V1_AND_V2);
    await eventually(async () => (await membership(V1_AND_V2))?.lastReporter === lan.hosts[1]?.address, {
      what: 'the v2 host was the last to report',
    });
    await v2.leave(V1_AND_V2);
    return eventually(async () => (await leaves()) > 0, { what: 'the leave is heard', timeoutMs: 500 });
  };
  await eventually(attempt, { what: 'a leave has reached the router', timeoutMs: 10_000 });
}

/** Queries about one group since the capture began. */
async function queriesAbout(group: string): Promise<readonly Query[]> {
  return (await queriesFrom(ROUTER_ADDRESS, capture.file)).filter((query) => query.group === group);
}

test('RFC 3376 7.3.2: with a v1 member about, the leave of the v2 member is ignored; v1 membership ends by its timer alone', async () => {
  const [v1, v2] = [receiver(1), receiver(2)];
  await v1.join(V1_AND_V2);
  const sender = await stream(V1_AND_V2);
  await flows(v1, sender, V1_AND_V2);
  await leaveIsHeard(v2);
  expect((await membership(V1_AND_V2))?.compatibilityVersion).toBe(1);
  await v1.leave(V1_AND_V2);
  await eventually(async () => (await membership(V1_AND_V2)) === undefined, {
    what: 'the group times out',
    timeoutMs: GROUP_MEMBERSHIP_INTERVAL_MS + 2000,
  });
  await sender.stop();
  expect(await queriesAbout(V1_AND_V2)).toEqual([]);
  expect(await v1.flow({ group: V1_AND_V2, streamId: sender.streamId })).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
});

test('a v2 leave is answered by LMQC group-specific queries; the v3 member replies and loses no packet', async () => {
  const [v2, v3] = [receiver(2), receiver(3)];
  await Promise.all([v2.join(V2_AND_V3), v3.join(V2_AND_V3)]);
  await eventually(async () => (await membership(V2_AND_V3))?.compatibilityVersion === 2, {
    what: 'the group is in IGMPv2 mode',
  });
  const sender = await stream(V2_AND_V3);
  await Promise.all([flows(v2, sender, V2_AND_V3), flows(v3, sender, V2_AND_V3)]);
  await v2.leave(V2_AND_V3);
  const queries = await eventually(async () => (await queriesAbout(V2_AND_V3)).length === 2 && queriesAbout(V2_AND_V3), {
    what: 'two queries about the group',
  });
  expect(queries).toMatchObject(
    Array(2).fill({ destination: V2_AND_V3, sources: [], maxResponseMs: 1000, robustness: 2, intervalS: 5 }),
  );
  expectOneIntervalApart(queries);
  await flows(v3, sender, V2_AND_V3);
  const { sent } = await sender.stop();
  await eventually(async () => (await v3.flow({ group: V2_AND_V3, streamId: sender.streamId })).lastSequence === sent - 1, {
    what: 'the last packet is there',
  });
  expect(await v3.flow({ group: V2_AND_V3, streamId: sender.streamId })).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  await v3.leave(V2_AND_V3);
});

test('RFC 3376 6.6.3.2: a blocked source is asked for by group-and-source-specific queries, stops, and comes back without one', async () => {
  const v3 = receiver(3);
  await v3.join(BLOCKING);
  const [kept, blocked] = await Promise.all([stream(BLOCKING), stream(BLOCKING, OTHER_SOURCE)]);
  await Promise.all([flows(v3, kept, BLOCKING), flows(v3, blocked, BLOCKING)]);
  await v3.block(BLOCKING, OTHER_SOURCE);
  await eventually(async () => (await shownFlow(daemon, BLOCKING, OTHER_SOURCE))?.outgoingInterfaces.length === 0, {
    what: 'the source is cut off',
  });
  const asked = await queriesAbout(BLOCKING);
  expect(asked).toMatchObject(Array(2).fill({ destination: BLOCKING, sources: [OTHER_SOURCE], maxResponseMs: 1000 }));
  expectOneIntervalApart(asked);
  const atCut = (await v3.flow({ group: BLOCKING, streamId: blocked.streamId })).onWire;
  await flows(v3, kept, BLOCKING);
  expect((await v3.flow({ group: BLOCKING, streamId: blocked.streamId })).onWire).toBe(atCut);
  await v3.unblock(BLOCKING, OTHER_SOURCE);
  await flows(v3, blocked, BLOCKING);
  expect(await queriesAbout(BLOCKING)).toHaveLength(2);
  await Promise.all([kept.stop(), blocked.stop()]);
  expect(await v3.flow({ group: BLOCKING, streamId: kept.streamId })).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  await v3.leave(BLOCKING);
});

test('general queries: as many at the start as configured, then at the query interval; nothing of ours is malformed', async () => {
  const general = (await queriesFrom(ROUTER_ADDRESS, capture.file)).filter(({ group }) => group === '0.0.0.0');
  expect(general.length).toBeGreaterThanOrEqual(3);
  expect(general).toMatchObject(
    general.map(() => ({
      destination: '224.0.0.1',
      sources: [],
      suppressed: false,
      maxResponseMs: 1000,
      robustness: 2,
      intervalS: 5,
    })),
  );
  const gaps = general.slice(1).map(({ time }, i) => time - (general[i]?.time ?? 0));
  const [startup, ...steady] = gaps;
  expect(startup).toBeCloseTo(1, 0);
  for (const gap of steady) expect(Math.abs(gap - 5)).toBeLessThan(0.5);
});

function expectOneIntervalApart([first, second]: readonly Query[]): void {
  expect(Math.abs((second?.time ?? 0) - (first?.time ?? 0) - LAST_MEMBER_QUERY_INTERVAL_S)).toBeLessThan(0.3);
}
