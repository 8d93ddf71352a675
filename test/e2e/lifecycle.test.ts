/**
 * The daemon's life: how it starts, what signals do, what is left when it ends, and what goes on when it is killed.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { launchDaemon, xdpProgramOn } from './launch';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(90_000);

const G = '239.1.1.1';
/** The host answers the first query of a daemon that has just started within a second. */
const igmp = { query_response_interval: '1s' };

let star: Star;

beforeEach(async () => {
  star = await createStar('life', [{ name: 'host' }]);
});
afterEach(async () => star?.lab.close());

/** What the daemon leaves behind is nothing. */
const dataplane = { keep_on_stop: false };

/** A member, and a stream that reaches it. */
async function stream(
  daemon: Daemon,
  rate: number,
): Promise<{ receiver: Receiver; sender: Sender; seen: () => Promise<FlowStats> }> {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(host, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate, size: 200 });
  const seen = (): Promise<FlowStats> => receiver.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > rate / 10, { what: 'the stream arrives' });
  return { receiver, sender, seen };
}

async function expectNothingLeft(daemon: Pick<Daemon, 'pinPath' | 'socketPath'>): Promise<void> {
  const programs = await Promise.all(['up0', 'lan1'].map((name) => xdpProgramOn(star.router, name)));
  expect({ pins: existsSync(daemon.pinPath), socket: existsSync(daemon.socketPath), programs }).toEqual({
    pins: false,
    socket: false,
    programs: [undefined, undefined],
  });
}

test.each(['SIGTERM', 'SIGINT'] as const)('%s under traffic: a clean end that leaves nothing', async (signal) => {
  const daemon = await star.start({ igmp, dataplane });
  const { sender, seen } = await stream(daemon, 500);
  daemon.process.signal(signal);
  await eventually(() => daemon.process.hasExited, { what: 'xmcastd ends', timeoutMs: 10_000 });
  expect({ ...(await daemon.process.exited), stderr: daemon.process.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  await expectNothingLeft(daemon);
  // Packets of a stream that nobody forwards any more do not find their way round the router.
  const { onWire } = await seen();
  const { sent } = await sender.stats();
  await eventually(async () => (await sender.stats()).sent > sent + 200, { what: 'the source sends on' });
  expect((await seen()).onWire).toBe(onWire);
});

test('SIGTERM in the middle of the start: a clean end that leaves nothing', async () => {
  const paths = { socketPath: join(star.lab.directory, 'early.sock'), pinPath: `/sys/fs/bpf/xmcast-${star.lab.id}-early` };
  star.lab.removeOnClose(paths.pinPath);
  const daemon = launchDaemon(star, paths);
  await eventually(() => existsSync(paths.pinPath), { what: 'the start has begun', timeoutMs: 10_000, intervalMs: 1 });
  daemon.signal('SIGTERM');
  expect({ ...(await daemon.exited), stderr: daemon.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  await expectNothingLeft(paths);
});

test('SIGHUP with the same file: nothing happens to the stream', async () => {
  const daemon = await star.start({ igmp });
  const { sender, seen } = await stream(daemon, 500);
  daemon.process.signal('SIGHUP');
  await eventually(() => daemon.process.stdout.includes('"reloaded"'), { what: 'the log says what became of it' });
  const { received } = await seen();
  await eventually(async () => (await seen()).received > received + 250, { what: 'the stream goes on' });
  expect((await daemon.client.getStatus()).ready).toBe(true);
  const { sent } = await sender.stop();
  await eventually(async () => (await seen()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0 });
});

test('SIGKILL under 5,000 packets a second: forwarding goes on; the next start takes its place, and nobody notices', async () => {
  const first = await star.start({ igmp, dataplane });
  const { receiver, sender, seen } = await stream(first, 5000);
  first.process.signal('SIGKILL');
  expect(await first.process.exited).toEqual({ code: null, signal: 'SIGKILL' });
  const { received } = await seen();
  await eventually(async () => (await seen()).received > received + 15_000, {
    what: 'packets arrive without a daemon',
    timeoutMs: 20_000,
  });
  expect(await receiver.stats()).toMatchObject({ kernelDropped: 0, interfaceDropped: 0 });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  expect(existsSync(join(first.pinPath, 'current', 'xm_routes'))).toBe(true);

  const second = await star.start({ igmp, dataplane });
  expect(second.pinPath).toBe(first.pinPath);
  const atStart = (await sender.stats()).sent;
  await eventually(async () => ((await seen()).lastSequence ?? 0) > atStart + 5000, {
    what: 'the stream goes on',
    timeoutMs: 15_000,
  });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
  expect(await shownFlow(second, G, SOURCE)).toMatchObject({ outgoingInterfaces: ['lan1'] });
  await sender.stop();
  expect(await second.stop()).toMatchObject({ code: 0 });
  await expectNothingLeft(second);
});

test('killed again and again it always starts again', async () => {
  let daemon = await star.start({ igmp, dataplane });
  for (let round = 0; round < 3; round += 1) {
    daemon.process.signal('SIGKILL');
    await daemon.process.exited;
    daemon = await star.start({ igmp, dataplane });
  }
  expect(await daemon.stop()).toMatchObject({ code: 0 });
  await expectNothingLeft(daemon);
});

test('a service manager hears READY=1 when it is ready, and STOPPING=1 when it stops', async () => {
  const paths = { socketPath: join(star.lab.directory, 'life.sock'), pinPath: `/sys/fs/bpf/xmcast-${star.lab.id}-life` };
  star.lab.removeOnClose(paths.pinPath);
  const notify = join(star.lab.directory, 'notify');
  const listener = star.lab.spawn(undefined, ['python3', '-c', NOTIFY_LISTENER, notify], { name: 'notify listener' });
  await eventually(() => listener.stdout.includes('listening'), { what: 'the listener listens', timeoutMs: 10_000 });
  const daemon = launchDaemon(star, { ...paths, env: { NOTIFY_SOCKET: notify } });
  await eventually(() => listener.stdout.includes('READY=1'), { what: 'READY=1 is heard', timeoutMs: 20_000 });
  // Ready means that it can be asked.
  expect(existsSync(paths.socketPath)).toBe(true);
  expect(listener.stdout).not.toContain('STOPPING=1');
  daemon.signal('SIGTERM');
  expect(await daemon.exited).toMatchObject({ code: 0 });
  await eventually(() => listener.stdout.includes('STOPPING=1'), { what: 'STOPPING=1 is heard' });
  await expectNothingLeft(paths);
});

const NOTIFY_LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(s.recv(4096).decode(), flush=True)
`;
