/**
 * Quick leave: nobody is asked when it is known, or configured to be taken for known, that nobody is left. Times are those on the LAN,
 * from the frame that says so to the last frame of the stream.
 *
 *     source ── up0 [xmcastd] lan1 ──┬── host
 *                                    └── host
 */
import { RecordType } from '../../control/protocol/igmp/message';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { frameFields } from '../lab/frame';
import type { IgmpVersion } from '../lab/host';
import type { CapturedFrame } from '../lab/pcap';
import type { FlowStats, Receiver } from '../lab/receiver';
import { SOURCE } from '../lab/star';
import { shownMemberships } from '../e2e/shown';
import { createLan, ROUTER_ADDRESS, type Lan } from './lan';

jest.setTimeout(60_000);

const QUICK_MS = 10;
const IGMP = 2;
const UDP = 17;
const G = '239.1.2.9';

let lan: Lan;
let daemon: Daemon;
let leaver: Receiver;
let stayer: Receiver;

async function start(quickLeave: string, versions: readonly [IgmpVersion, IgmpVersion]): Promise<void> {
  lan = await createLan(`iop-quick-${quickLeave}`, versions);
  daemon = await lan.start({ quick_leave: quickLeave, query_response_interval: '1s' });
  [leaver, stayer] = (await Promise.all(lan.hosts.map((host) => lan.lab.receiver(host)))) as [Receiver, Receiver];
}
afterEach(async () => lan?.lab.close());

interface Seen {
  readonly timeMs: number;
  readonly from: string;
  readonly to: string;
  readonly protocol: number;
  /** A leave of IGMPv2, or a report whose first record is TO_IN. */
  readonly isLeave: boolean;
}

const LEAVE_GROUP = 0x17;
const REPORT_V3 = 0x22;
const FIRST_RECORD = 8;

function seenIn(frames: readonly CapturedFrame[]): Seen[] {
  return frames.flatMap(({ timeUs, bytes }) => {
    const { ipv4 } = frameFields(bytes);
    if (ipv4 === undefined) return [];
    const { source: from, destination: to, protocol, payload } = ipv4;
    const saysLeave = payload[0] === LEAVE_GROUP || (payload[0] === REPORT_V3 && payload[FIRST_RECORD] === RecordType.CHANGE_TO_INCLUDE_MODE);
    return [{ timeMs: timeUs / 1000, from, to, protocol, isLeave: protocol === IGMP && saysLeave }];
  });
}

/** From the first leave of this host to the last frame of the stream. */
function leaveToLastMs(seen: readonly Seen[], host: string): number {
  const left = seen.find(({ from, isLeave }) => isLeave && from === host);
  const last = seen.filter(({ to, protocol }) => protocol === UDP && to === G).at(-1);
  if (left === undefined || last === undefined) throw new Error('no leave, or no stream, was captured');
  return last.timeMs - left.timeMs;
}

test('"always": the stream ends with the first leave, without a question', async () => {
  await start('always', [2, 2]);
  await leaver.join(G);
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  const sender = await lan.lab.sender(lan.source, { group: G, source: SOURCE, rate: 2000, size: 200 });
  await eventually(async () => (await leaver.flow({ group: G, streamId: sender.streamId })).received > 0, { what: 'the stream arrives' });
  const capture = await lan.lab.capture(lan.lan.namespace, lan.lan.interfaceName, { filter: 'igmp or udp' });
  await eventually(async () => (await capture.frames()).length > 0, { what: 'the capture sees the stream' });
  await leaver.leave(G);
  await eventually(async () => (await shownMemberships(daemon)).length === 0, { what: 'nobody is left' });
  const { sent } = await sender.stats();
  await eventually(async () => (await sender.stats()).sent > sent + 500, { what: 'the sender goes on' });
  const seen = seenIn(await capture.stop());
  expect(leaveToLastMs(seen, '10.1.1.11')).toBeLessThan(QUICK_MS);
  expect(seen.filter(({ from, protocol }) => protocol === IGMP && from === ROUTER_ADDRESS)).toEqual([]);
});

test('"tracked": a leave with another member on the port takes nothing away; that of the last one ends the stream at once', async () => {
  await start('tracked', [0, 0]);
  for (const receiver of [leaver, stayer]) await receiver.join(G);
  // Who was there before the router is known when the answers to its first query are in.
  await eventually(async () => (await hostsKnown()) === 2, { what: 'both hosts are known, and that there are no others', timeoutMs: 20_000 });
  const sender = await lan.lab.sender(lan.source, { group: G, source: SOURCE, rate: 2000, size: 200 });
  const stats = (who: Receiver): Promise<FlowStats> => who.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await stats(stayer)).received > 0, { what: 'the stream arrives' });
  const capture = await lan.lab.capture(lan.lan.namespace, lan.lan.interfaceName, { filter: 'igmp or udp' });
  await eventually(async () => (await capture.frames()).length > 0, { what: 'the capture sees the stream' });
  await leaver.leave(G);
  await eventually(async () => (await hostsKnown()) === 1, { what: 'one host is left' });
  const { received } = await stats(stayer);
  await eventually(async () => (await stats(stayer)).received > received + 1000, { what: 'the stream goes on for the other' });
  expect(await stats(stayer)).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });

  await stayer.leave(G);
  await eventually(async () => (await shownMemberships(daemon)).length === 0, { what: 'nobody is left', timeoutMs: 1000 });
  const seen = seenIn(await capture.stop());
  expect(leaveToLastMs(seen, '10.1.1.12')).toBeLessThan(QUICK_MS);
  // Of the first leave the others were asked; of the last one nobody.
  const leftMs = seen.find(({ from, isLeave }) => isLeave && from === '10.1.1.12')?.timeMs ?? 0;
  expect(seen.filter(({ timeMs, from, to, protocol }) => timeMs > leftMs && protocol === IGMP && from === ROUTER_ADDRESS && to === G)).toEqual([]);
});

/** 0 while it is not sure that these are all. */
async function hostsKnown(): Promise<number> {
  const [membership] = await daemon.client.listMemberships({});
  return membership?.allHostsKnown === true ? (membership.hosts?.length ?? 0) : 0;
}
