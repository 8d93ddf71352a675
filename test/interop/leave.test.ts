/**
 * Leaving with the intervals of the RFC: the stream ends one last member query time (2 s) after the last member has gone, and with a
 * second member on the port it does not end at all.
 *
 *     source ── up0 [xmcastd] lan1 ──┬── host
 *                                    └── host
 */
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { IgmpVersion } from '../lab/host';
import type { FlowStats, Receiver } from '../lab/receiver';
import { SOURCE } from '../lab/star';
import { shownMemberships } from '../e2e/shown';
import { createLan, ROUTER_ADDRESS, type Lan } from './lan';
import { queriesFrom } from './queries';

jest.setTimeout(60_000);

/** RFC 3376 8.10: last member query interval x count, 1 s x 2. */
const LAST_MEMBER_QUERY_TIME_MS = 2000;
/** A host repeats its report of a change within a second (RFC 3376 8.11); the repetition must not start the time anew by more than that. */
const REPEATED_REPORT_MS = 1000;

let lan: Lan;
let daemon: Daemon;
let receivers: readonly Receiver[];

beforeAll(async () => {
  lan = await createLan('iop-leave', [0, 0]);
  daemon = await lan.start();
  receivers = await Promise.all(lan.hosts.map((host) => lan.lab.receiver(host)));
});
afterAll(async () => lan?.lab.close());

async function joinHeard(receiver: Receiver, group: string, source?: string): Promise<void> {
  await receiver.join(group, source);
  const address = lan.hosts[receivers.indexOf(receiver)]?.address;
  await eventually(async () => (await shownMemberships(daemon))[0]?.lastReporter === address, {
    what: `${address} was the last to report`,
  });
}

interface Case {
  readonly what: string;
  readonly version: IgmpVersion;
  readonly group: string;
  readonly source?: string;
}

const CASES: readonly Case[] = [
  { what: 'any source', version: 2, group: '239.1.2.2' },
  { what: 'any source', version: 3, group: '239.1.2.3' },
  { what: 'one source', version: 3, group: '232.1.2.3', source: SOURCE },
];

test.each(CASES)(
  'IGMPv$version, $what: the member that stays loses nothing; after it has gone, the stream ends in LMQT',
  async ({ version, group, source }) => {
    const [leaver, stayer] = receivers as [Receiver, Receiver];
    await Promise.all(lan.hosts.map((host) => host.setIgmpVersion(version)));
    const capture = await lan.lab.capture(lan.lan.namespace, lan.lan.interfaceName, { filter: 'igmp' });
    // An IGMPv2 host says that it leaves only when it was the last to report (RFC 2236 3).
    await joinHeard(stayer, group, source);
    await joinHeard(leaver, group, source);
    const sender = await lan.lab.sender(lan.source, { group, source: SOURCE, rate: 1000, size: 200 });
    const seenBy = (who: Receiver): Promise<FlowStats> => who.flow({ group, streamId: sender.streamId });
    await eventually(async () => (await seenBy(leaver)).received > 0 && (await seenBy(stayer)).received > 0, {
      what: 'both receive',
    });

    await leaver.leave(group, source);
    // Sequence numbers are time: so many packets are LMQT and a half.
    const upTo = ((await seenBy(stayer)).lastSequence ?? 0) + 1.5 * LAST_MEMBER_QUERY_TIME_MS;
    await eventually(async () => ((await seenBy(stayer)).lastSequence ?? 0) > upTo, {
      what: 'the stream goes on well beyond LMQT',
    });
    expect(await seenBy(stayer)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });

    await stayer.leave(group, source);
    await eventually(async () => (await shownMemberships(daemon)).length === 0, { what: 'nobody is left' });
    const { afterLeaveLastMs, lost } = await seenBy(stayer);
    expect(lost).toBe(0);
    expect(afterLeaveLastMs).toBeGreaterThan(LAST_MEMBER_QUERY_TIME_MS - 100);
    expect(afterLeaveLastMs).toBeLessThan(LAST_MEMBER_QUERY_TIME_MS + REPEATED_REPORT_MS + 200);
    await sender.stop();
    await capture.stop();
    const queries = (await queriesFrom(ROUTER_ADDRESS, capture.file)).filter((query) => query.group === group);
    // Last member query count for each of the two leaves; a repeated report may have asked for more.
    expect(queries.length).toBeGreaterThanOrEqual(4);
    for (const query of queries)
      expect(query).toMatchObject({ destination: group, sources: source === undefined ? [] : [source], maxResponseMs: 1000 });
  },
);
