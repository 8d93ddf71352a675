/**
 * `npm run demo`: one source, the router, five receivers on networks of their own, live. `--seconds N` stops by itself, `--json` prints
 * one JSON document as its last line. Exit status 0 only when every member got everything and the non-member nothing.
 */
import { Command } from 'commander';
import { formatFlows } from '../../control/cli/format-flows';
import { formatInterfaces } from '../../control/cli/format-interfaces';
import { formatMemberships } from '../../control/cli/format-memberships';
import { messageToJson } from '../../control/cli/proto-json';
import { renderTable } from '../../control/cli/table';
import type { Daemon } from './daemon';
import { eventually } from './eventually';
import { findFlow, type FlowStats, type Receiver, type ReceiverStats } from './receiver';
import type { Sender } from './sender';
import { createStar, OTHER_SOURCE, SOURCE, type Star, type StarHost } from './star';

const ANY_SOURCE_GROUP = '239.1.1.1';
const SSM_GROUP = '232.1.1.1';
const RATE_PPS = 1000;
const REFRESH_MS = 1000;
/** Up and left, then clear: redraws in place. */
const REDRAW = '\u001b[H\u001b[J';

interface Viewer extends StarHost {
  readonly version: number | null;
  readonly group: string | null;
  /** The one source asked for; null: any. */
  readonly source: string | null;
}

const VIEWERS: readonly Viewer[] = [
  { name: 'any-source-1', version: 3, group: ANY_SOURCE_GROUP, source: null },
  { name: 'any-source-2', version: 3, group: ANY_SOURCE_GROUP, source: null },
  { name: 'one-source', version: 3, group: SSM_GROUP, source: SOURCE },
  { name: 'igmpv2', version: 2, igmpVersion: 2, group: ANY_SOURCE_GROUP, source: null },
  { name: 'no-member', version: null, group: null, source: null },
];

interface Result {
  readonly name: string;
  readonly group: string | null;
  readonly source: string | null;
  readonly version: number | null;
  /** From the first datagram it received to the last that was sent. */
  readonly sent_while_joined: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly corrupted: number;
  readonly join_to_first_packet_ms: number | null;
  /** Stream frames seen on the link although nobody there asked for them. */
  readonly unwanted: number;
}

interface Show {
  readonly star: Star;
  readonly daemon: Daemon;
  /** By group; the uninvited one sends to the SSM group from another address. */
  readonly senders: { readonly anySource: Sender; readonly ssm: Sender; readonly uninvited: Sender };
  readonly receivers: readonly Receiver[];
}

async function open(): Promise<Show> {
  const star = await createStar('demo', VIEWERS);
  try {
    const daemon = await star.start();
    const stream = { rate: RATE_PPS };
    const [anySource, ssm, uninvited] = await Promise.all([
      star.lab.sender(star.source, { ...stream, group: ANY_SOURCE_GROUP, source: SOURCE }),
      star.lab.sender(star.source, { ...stream, group: SSM_GROUP, source: SOURCE }),
      star.lab.sender(star.source, { ...stream, group: SSM_GROUP, source: OTHER_SOURCE }),
    ]);
    const receivers = await Promise.all(star.hosts.map((host, i) => star.lab.receiver(host, { joins: joinsOf(VIEWERS[i]) })));
    return { star, daemon, senders: { anySource, ssm, uninvited }, receivers };
  } catch (error) {
    await star.lab.close();
    throw error;
  }
}

function joinsOf(viewer: Viewer | undefined): readonly string[] {
  if (viewer === undefined || viewer.group === null) return [];
  return [viewer.source === null ? viewer.group : `${viewer.group}@${viewer.source}`];
}

async function draw(show: Show, inPlace: boolean): Promise<void> {
  const [interfaces, memberships, flows, stats] = await Promise.all([
    show.daemon.client.listInterfaces({}),
    show.daemon.client.listMemberships({}),
    show.daemon.client.listFlows({ fresh: true }),
    Promise.all(show.receivers.map((receiver) => receiver.stats())),
  ]);
  const sections = [
    ['INTERFACES', formatInterfaces(interfaces)],
    ['MEMBERSHIPS', formatMemberships(memberships)],
    ['FLOWS', formatFlows(flows)],
    ['RECEIVERS', receiversTable(stats)],
  ];
  const text = sections.map(([title, table]) => `${title}\n${table}`).join('\n');
  process.stdout.write(`${inPlace ? REDRAW : ''}${text}\n${inPlace ? 'Ctrl-C ends it.\n' : ''}`);
}

function receiversTable(stats: readonly ReceiverStats[]): string {
  const columns = ['NAME', 'IGMP', 'GROUP', 'SOURCE', 'RECEIVED', 'LOST', 'DUPLICATED', 'CORRUPTED', 'JOIN TO FIRST', 'TTL'];
  const rows = VIEWERS.map((viewer, i) => {
    const flow = flowOf(viewer, stats[i]);
    return [
      viewer.name,
      viewer.version === null ? '-' : `v${viewer.version}`,
      viewer.group ?? '-',
      viewer.source ?? (viewer.group === null ? '-' : 'any'),
      ...[flow.received, flow.lost, flow.duplicated, flow.corrupted].map(String),
      flow.joinToFirstPacketMs === null ? '-' : `${flow.joinToFirstPacketMs.toFixed(1)} ms`,
      flow.ttlMin === null ? '-' : String(flow.ttlMin),
    ];
  });
  return renderTable(
    columns.map((title, i) => ({ title, align: i >= 4 ? 'right' : 'left' })),
    rows,
  );
}

/** The stream the viewer asked for; for a non-member, whatever there is of the any-source stream. */
function flowOf(viewer: Viewer, stats: ReceiverStats | undefined): FlowStats {
  return findFlow(
    stats ?? { flows: [], corrupted: 0, kernelDropped: 0, wireDropped: 0, interfaceDropped: 0, checksumErrors: 0 },
    {
      group: viewer.group ?? ANY_SOURCE_GROUP,
      source: SOURCE,
    },
  );
}

function resultOf(viewer: Viewer, stats: ReceiverStats, sent: number): Result {
  const flow = flowOf(viewer, stats);
  const { name, group, source, version } = viewer;
  const others = stats.flows.filter((other) => other !== flow || group === null);
  return {
    name,
    group,
    source,
    version,
    sent_while_joined: group === null || flow.firstSequence === null ? 0 : sent - flow.firstSequence,
    received: flow.received,
    lost: flow.lost,
    duplicated: flow.duplicated,
    corrupted: flow.corrupted + stats.checksumErrors,
    join_to_first_packet_ms: flow.joinToFirstPacketMs,
    unwanted: others.reduce((sum, { onWire }) => sum + onWire, 0),
  };
}

function isGood(result: Result): boolean {
  const clean = result.lost === 0 && result.duplicated === 0 && result.corrupted === 0 && result.unwanted === 0;
  if (result.group === null) return clean && result.received === 0;
  return clean && result.received > 0 && result.received === result.sent_while_joined;
}

/** Stops the senders first, so that everything sent can still arrive. */
async function finish(show: Show): Promise<{ receivers: Result[]; flows: object[]; interfaces: object[]; ok: boolean }> {
  const { anySource, ssm, uninvited } = show.senders;
  const [anySent, ssmSent] = await Promise.all([anySource.stop(), ssm.stop(), uninvited.stop()]);
  await settled(show.receivers);
  const receivers: Result[] = [];
  for (const [i, viewer] of VIEWERS.entries()) {
    const stats = await show.receivers[i]?.stats();
    if (stats !== undefined) receivers.push(resultOf(viewer, stats, viewer.group === SSM_GROUP ? ssmSent.sent : anySent.sent));
  }
  const [flows, interfaces] = await Promise.all([
    show.daemon.client.listFlows({ fresh: true }),
    show.daemon.client.listInterfaces({}),
  ]);
  return {
    receivers,
    flows: flows.map((flow) => messageToJson('xmcast.v1.Flow', flow)),
    interfaces: interfaces.map((entry) => messageToJson('xmcast.v1.Interface', entry)),
    ok: receivers.length === VIEWERS.length && receivers.every(isGood),
  };
}

/** Two looks a moment apart that see the same. */
async function settled(receivers: readonly Receiver[]): Promise<void> {
  let before = '';
  await eventually(
    async () => {
      const now = JSON.stringify(
        (await Promise.all(receivers.map((receiver) => receiver.stats()))).map(({ flows }) => flows.map(({ onWire }) => onWire)),
      );
      const same = now === before;
      before = now;
      return same;
    },
    { what: 'the last datagrams have arrived', intervalMs: 200 },
  );
}

function untilStopped(seconds: number | undefined): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
    if (seconds !== undefined) setTimeout(resolve, seconds * 1000);
  });
}

async function main(): Promise<number> {
  const options = new Command('demo')
    .option('--seconds <n>', 'stop after so many seconds', Number)
    .option('--json', 'print one JSON document as the last line', false)
    .parse()
    .opts<{ seconds?: number; json: boolean }>();
  const show = await open();
  try {
    const inPlace = process.stdout.isTTY && !options.json;
    const stopped = untilStopped(options.seconds);
    const live = !options.json && (inPlace || options.seconds === undefined);
    const redraw = live ? setInterval(() => void draw(show, inPlace).catch(() => undefined), REFRESH_MS) : undefined;
    await stopped;
    clearInterval(redraw);
    const outcome = await finish(show);
    if (!options.json) await draw(show, inPlace);
    process.stdout.write(
      options.json
        ? `${JSON.stringify(outcome)}\n`
        : `${outcome.ok ? 'ok: every member received everything, the non-member nothing' : 'NOT ok: see the receivers above'}\n`,
    );
    return outcome.ok ? 0 : 1;
  } finally {
    await show.star.lab.close();
  }
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    process.stderr.write(`demo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
