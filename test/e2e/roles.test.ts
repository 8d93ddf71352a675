/**
 * The two roles: who needs which rights, and what goes on while one of them is away.
 *
 *     source ── up0 [data plane | controller] lan1 ── host
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import '../lab/in-split-roles';
import { sample, type Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { FlowStats, Receiver } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { startDataplane, unprivileged, type DataplaneHalf } from '../lab/split-roles';
import { createStar, SOURCE, type Star } from '../lab/star';
import { XMCASTD } from './launch';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(90_000);

const G = '239.1.1.1';
const igmp = { query_response_interval: '1s' };

let star: Star;
let daemon: Daemon;
let dataplane: DataplaneHalf;
beforeEach(async () => {
  star = await createStar('roles', [{ name: 'host' }, { name: 'other' }]);
  daemon = await star.start({ igmp });
  if (daemon.dataplane === undefined) throw new Error('the roles are not split');
  dataplane = daemon.dataplane;
});
afterEach(async () => star?.lab.close());

async function stream(): Promise<{ receiver: Receiver; sender: Sender; seen: () => Promise<FlowStats> }> {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(host, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500, size: 200 });
  const seen = (): Promise<FlowStats> => receiver.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await seen()).received > 100, { what: 'the stream arrives' });
  return { receiver, sender, seen };
}

async function expectUndisturbed({ sender, seen }: { sender: Sender; seen: () => Promise<FlowStats> }): Promise<void> {
  const { sent } = await sender.stats();
  await eventually(async () => ((await seen()).lastSequence ?? 0) > sent, { what: 'the stream goes on' });
  expect(await seen()).toMatchObject({ lost: 0, duplicated: 0, reordered: 0 });
}

const conditions = async (): Promise<string> => ((await daemon.client.getStatus()).conditions ?? []).join('\n');

test('the data plane has four capabilities and the controller none', () => {
  const capabilities = (pid: number): string => /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  // linux/capability.h: CAP_NET_ADMIN 12, CAP_NET_RAW 13, CAP_PERFMON 38, CAP_BPF 39.
  const four = (1n << 12n) | (1n << 13n) | (1n << 38n) | (1n << 39n);
  expect(BigInt(`0x${capabilities(dataplane.process.pid)}`)).toBe(four);
  expect(BigInt(`0x${capabilities(daemon.process.pid)}`)).toBe(0n);
});

test('the controller is killed: the stream goes on; it comes back, and nothing is lost or repeated', async () => {
  const { sender, seen } = await stream();
  daemon.process.signal('SIGKILL');
  await eventually(() => daemon.process.hasExited, { what: 'the controller ends' });
  await expectUndisturbed({ sender, seen });
  await daemon.startAgain();
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the host has answered' });
  await eventually(async () => (await shownFlow(daemon, G, SOURCE))?.outgoingInterfaces?.join() === 'lan1', { what: 'the flow has its route' });
  await expectUndisturbed({ sender, seen });
});

test('the data plane is away: condition, metric and log say so; changes wait; a new one gets everything', async () => {
  const { receiver, seen } = await stream();
  const [, other] = star.hosts;
  if (other === undefined) throw new Error('no host');
  dataplane.process.signal('SIGKILL');
  await eventually(async () => (await conditions()).includes('data plane is not reachable since'), { what: 'the condition is there' });
  expect((await daemon.client.getStatus()).ready).toBe(false);
  expect(sample(await daemon.metrics(), 'xmcast_dataplane_up', { target: `unix://${dataplane.socketPath}` })).toBe(0);
  expect(await daemon.ctlText('status')).toMatch(/Data plane: +unix:.*not reachable for/);
  expect(daemon.process.stdout).toContain('"code":"XM_DATAPLANE"');
  // What the killed one left pinned forwards on.
  const before = (await seen()).received;
  await eventually(async () => (await seen()).received > before + 100, { what: 'the stream goes on without data plane and controller' });
  const { process } = startDataplane(star.lab, star.router, dataplane);
  await daemon.ready();
  expect(await conditions()).not.toContain('not reachable');
  const resumed = (await seen()).received;
  await eventually(async () => (await seen()).received > resumed + 100, { what: 'the stream is forwarded by the new one' });
  const second = await star.lab.receiver(other, { joins: [G] });
  await eventually(async () => (await second.stats()).flows.some(({ received }) => received > 100), { what: 'a member that joins later' });
  expect(sample(await daemon.metrics(), 'xmcast_dataplane_up', {})).toBe(1);
  expect((await receiver.stats()).flows).toHaveLength(1);
  expect(process.hasExited).toBe(false);
});

test('both are stopped, the controller first: the stream goes on, and two new ones take it over', async () => {
  const { sender, seen } = await stream();
  expect(await daemon.process.terminate({ graceMs: 10_000 })).toEqual({ code: 0, signal: null });
  await expectUndisturbed({ sender, seen });
  expect(await dataplane.process.terminate({ graceMs: 10_000 })).toEqual({ code: 0, signal: null });
  await expectUndisturbed({ sender, seen });
  startDataplane(star.lab, star.router, dataplane);
  await daemon.startAgain();
  expect(daemon.process.stdout).toMatch(/took over \d+ routes, \d+ ports/);
  await eventually(async () => (await shownFlow(daemon, G, SOURCE))?.outgoingInterfaces?.join() === 'lan1', { what: 'the flow is known' });
  await expectUndisturbed({ sender, seen });
});

test('detach: forwarding ends with the controller, and the data plane waits for another one', async () => {
  const { sender, seen } = await stream();
  await daemon.ctlText('detach');
  await eventually(() => daemon.process.hasExited, { what: 'the controller ends' });
  expect(dataplane.process.hasExited).toBe(false);
  const { sent } = await sender.stats();
  const { onWire } = await seen();
  await eventually(async () => (await sender.stats()).sent > sent + 100, { what: 'the source sends on' });
  expect((await seen()).onWire).toBe(onWire);
  await daemon.startAgain();
  await eventually(async () => (await seen()).onWire > onWire + 100, { what: 'the stream is back' });
});

test('a controller that may not open the socket says which, and options of another role are refused', async () => {
  const options = ['--role', 'controller', '--config', join(star.lab.directory, 'router.yaml'), '--pin-path', '/x'];
  const misplaced = star.lab.spawn(star.router, [...unprivileged(), XMCASTD, ...options], { name: 'xmcastd' });
  await eventually(() => misplaced.hasExited, { what: 'it ends' });
  expect((await misplaced.exited).code).toBe(2);
  expect(misplaced.stderr).toContain('use --pin-path in role "controller"');
});
