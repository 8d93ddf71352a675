/**
 * Whatever somebody else does to the forwarder in the kernel: it is put right within ten seconds, counted and said; what cannot be is a
 * condition.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lab/command';
import { compileBpf } from '../lab/compile-bpf';
import { sample, type Daemon } from '../lab/daemon';
import { runDelayMs } from '../lab/daemon-process';
import { eventually } from '../lab/eventually';
import type { FlowStats } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { inRepository } from '../lab/repository';
import { createStar, SOURCE, type Star } from '../lab/star';
import { interfacesOf } from '../lab/xdp-forwarder';
import { xdpProgramOn } from './launch';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(180_000);

const G = '239.1.1.1';
const igmp = { query_response_interval: '1s' };
/** Repaired within this time after it was broken. */
const REPAIR_MS = 10_000;

let star: Star;
let daemon: Daemon;
let sender: Sender;
let seen: () => Promise<FlowStats>;

beforeEach(async () => {
  star = await createStar('repair', [{ name: 'host' }]);
  daemon = await star.start({ igmp });
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const receiver = await star.lab.receiver(host, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === 1, { what: 'the membership is known' });
  sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500, size: 200 });
  seen = () => receiver.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await shownFlow(daemon, G, SOURCE)) !== undefined, { what: 'the stream has a route' });
  await arrives();
});
afterEach(async () => star?.lab.close());

/** A packet sent from now on arrives, within the time a repair may take. */
async function arrives(): Promise<void> {
  const { sent } = await sender.stats();
  await eventually(async () => ((await seen()).lastSequence ?? 0) > sent, { what: 'the stream arrives', timeoutMs: 2 * REPAIR_MS });
}

async function repairs(kind: string): Promise<number> {
  return sample(await daemon.metrics(), 'xmcast_repairs_total', { kind }) ?? 0;
}

/** By the daemon's own clock: from before it is spoilt to the line of its log. What the machine did not let it run is not its own. */
async function becomesRepaired(kind: string, spoil: () => Promise<unknown> | void): Promise<void> {
  const [before, delayedBeforeMs, spoiltAtMs] = [await repairs(kind), await runDelayMs(daemon), Date.now()];
  await spoil();
  await eventually(async () => (await repairs(kind)) > before, { what: `it is repaired as ${kind}`, timeoutMs: 4 * REPAIR_MS });
  const tookMs = repairedAtMs(kind, spoiltAtMs) - spoiltAtMs;
  const delayedMs = (await runDelayMs(daemon)) - delayedBeforeMs;
  process.stdout.write(`${kind}: repaired after ${(tookMs / 1000).toFixed(1)} s, of which the machine may have taken ${(delayedMs / 1000).toFixed(1)} s\n`);
  expect(tookMs).toBeLessThanOrEqual(REPAIR_MS + delayedMs);
  await arrives();
}

/** NaN: the log says nothing of it. */
function repairedAtMs(kind: string, sinceMs: number): number {
  const lines = daemon.process.stdout.split('\n').filter((line) => line.includes(`"kind":"${kind}"`));
  const times = lines.map((line) => Date.parse((JSON.parse(line) as { readonly time: string }).time));
  return times.find((timeMs) => timeMs >= sinceMs) ?? Number.NaN;
}

/** Of up0. */
async function linkPin(kind: 'xdp' | 'tc'): Promise<string> {
  const [up] = await interfacesOf(star.router, ['up0']);
  return join(daemon.pinPath, `link_${up?.ifindex}${kind === 'tc' ? '_tc' : ''}`);
}

const pinned = (name: string): readonly string[] => ['pinned', join(daemon.pinPath, 'current', name)];
const bytes = (...values: readonly number[]): readonly string[] => values.map(String);
const [S, GROUP] = [
  [10, 100, 0, 10],
  [239, 1, 1, 1],
] as const;

test('nothing is repaired where nothing was spoilt', async () => {
  await eventually(async () => (await sender.stats()).sent > 6_000, { what: 'two comparisons have passed', timeoutMs: 30_000 });
  expect((await daemon.metrics()).match(/^xmcast_repairs_total\{.*\} [1-9]/m)).toBeNull();
  expect((await daemon.client.getStatus()).conditions).toEqual([]);
});

test('a route that somebody deleted, wrote over or added', async () => {
  await becomesRepaired('route', () => run(['bpftool', 'map', 'delete', ...pinned('xm_routes'), 'key', ...bytes(...S, ...GROUP)]));
  const value = bytes(0, 0, 0, 0, 0, 0, 0, 0);
  await becomesRepaired('route', () => run(['bpftool', 'map', 'update', ...pinned('xm_routes'), 'key', ...bytes(...S, ...GROUP), 'value', ...value]));
  const stranger = [...S, 239, 9, 9, 9];
  await becomesRepaired('route', () => run(['bpftool', 'map', 'update', ...pinned('xm_routes'), 'key', ...bytes(...stranger), 'value', ...value]));
  await expect(run(['bpftool', 'map', 'lookup', ...pinned('xm_routes'), 'key', ...bytes(...stranger)])).rejects.toThrow();
});

test('what a port is to the programs', async () => {
  await becomesRepaired('port', () => run(['bpftool', 'map', 'update', ...pinned('xm_fast_ports'), 'key', ...bytes(2, 0, 0, 0), 'value', ...bytes(0, 0, 0, 0)]));
});

test('the rates of the policers, and which program is ours', async () => {
  const anything = bytes(...Array.from({ length: 16 }, () => 0));
  await becomesRepaired('setting', () => run(['bpftool', 'map', 'update', ...pinned('xm_policer_cfg'), 'key', ...bytes(0, 0, 0, 0), 'value', ...anything]));
  await becomesRepaired('setting', () => run(['bpftool', 'map', 'update', ...pinned('xm_self'), 'key', ...bytes(0, 0, 0, 0), 'value', ...bytes(1, 0, 0, 0)]));
});

test('the slot of a replication group', async () => {
  const groups = JSON.parse(await run(['bpftool', '-j', 'map', 'dump', ...pinned('xm_routes')])) as readonly { value: readonly string[] }[];
  expect(groups.length).toBeGreaterThan(0);
  // The smallest groups come first, and the stream has the last one of these.
  const group = await groupInUse();
  await becomesRepaired('group', () => run(['bpftool', 'map', 'delete', 'pinned', group, 'key', ...bytes(0, 0, 0, 0)]));
});

/** The path of a group with something in its first slot. */
async function groupInUse(): Promise<string> {
  for (let index = 0; ; index++) {
    const path = join(daemon.pinPath, 'current', 'groups', String(index));
    if (!existsSync(path)) throw new Error('no group is in use');
    const found = await run(['bpftool', '-j', 'map', 'lookup', 'pinned', path, 'key', ...bytes(0, 0, 0, 0)]).catch(() => undefined);
    if (found !== undefined && !found.includes('No such')) return path;
  }
}

test.each(['xdp', 'tc'] as const)('an attachment that somebody has taken off: %s', async (kind) => {
  const [port] = JSON.parse(await run(['bpftool', '-j', 'link', 'show', 'pinned', await linkPin(kind)]).then((text) => `[${text}]`)) as [{ readonly id: number }];
  await becomesRepaired('attachment', () => run(['bpftool', 'link', 'detach', 'id', String(port.id)]));
});

test('pins that somebody has removed, one or all', async () => {
  await becomesRepaired('pin', () => rmSync(join(daemon.pinPath, 'current', 'xm_routes')));
  expect(existsSync(join(daemon.pinPath, 'current', 'xm_routes'))).toBe(true);
  for (const kind of ['xdp', 'tc'] as const) {
    const pin = await linkPin(kind);
    await becomesRepaired('pin', () => rmSync(pin));
    expect(existsSync(pin)).toBe(true);
  }
  await becomesRepaired('pin', () => rmSync(join(daemon.pinPath, 'current')));
  // And what is there again can be taken over.
  daemon.process.signal('SIGKILL');
  await daemon.process.exited;
  daemon = await star.start({ igmp });
  expect((await daemon.client.getStatus()).takeover).toMatchObject({ ports: 2 });
});

test('allmulti that somebody has turned off', async () => {
  await becomesRepaired('device', () => star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'allmulticast', 'off']));
  expect(await star.router.run(['ip', 'link', 'show', 'dev', 'up0'])).toContain('ALLMULTI');
});

test('"ip link set xdp off" is refused by the kernel as long as the link is there', async () => {
  const before = await xdpProgramOn(star.router, 'up0');
  await expect(star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'xdp', 'off'])).rejects.toThrow(/Can't replace active BPF XDP link/);
  expect(await xdpProgramOn(star.router, 'up0')).toBe(before);
});

test('a place that another program has taken cannot be had back: a condition says so, until it is free', async () => {
  const [link] = JSON.parse(`[${await run(['bpftool', '-j', 'link', 'show', 'pinned', await linkPin('xdp')])}]`) as [{ readonly id: number }];
  const foreign = await bystander();
  await run(['bpftool', 'link', 'detach', 'id', String(link.id)]);
  await star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'xdpdrv', 'obj', foreign, 'sec', 'xdp']);
  const conditions = async (): Promise<string> => ((await daemon.client.getStatus()).conditions ?? []).join();
  await eventually(async () => /attach XDP to up0.*program \d+ is already there/.test(await conditions()), { what: 'the condition is said', timeoutMs: 2 * REPAIR_MS });
  await star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'xdp', 'off']);
  await eventually(async () => (await conditions()) === '', { what: 'the condition has gone', timeoutMs: 2 * REPAIR_MS });
  await arrives();
});

test('the TTL threshold of a route', async () => {
  await daemon.stop();
  const route = { group: G, source: SOURCE, upstream: 'up0', downstreams: ['lan1'], ttl_threshold: 5 };
  daemon = await star.start({ igmp, static_routes: [route] });
  await eventually(async () => (await thresholds()).includes(5), { what: 'the threshold is installed' });
  const counter = (await thresholds()).indexOf(5);
  const spoil = bytes(200, 0, 0, 0);
  await becomesRepaired('route', () => run(['bpftool', 'map', 'update', ...pinned('xm_route_thresholds'), 'key', ...bytes(counter & 255, counter >> 8, 0, 0), 'value', ...spoil]));
  expect((await thresholds())[counter]).toBe(5);
});

/** By counter. */
async function thresholds(): Promise<readonly number[]> {
  const entries = JSON.parse(await run(['bpftool', '-j', 'map', 'dump', ...pinned('xm_route_thresholds')])) as readonly { readonly value: readonly string[] }[];
  return entries.map(({ value }) => Buffer.from(value.map(Number)).readUInt32LE());
}

test('a clsact qdisc that comes and goes beside our programs is nothing to us', async () => {
  for (const change of ['add', 'del'] as const) await star.router.run(['tc', 'qdisc', change, 'dev', 'up0', 'clsact']);
  await arrives();
  await becomesRepaired('device', () => star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'allmulticast', 'off']));
  expect(await repairs('attachment')).toBe(0);
  expect((await daemon.client.getStatus()).conditions).toEqual([]);
});

test('an interface that was removed and has returned while no daemon ran', async () => {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  daemon.process.signal('SIGKILL');
  await daemon.process.exited;
  await star.router.run(['ip', 'link', 'delete', 'lan1']);
  await star.lab.link({ between: [star.router, 'lan1', '10.1.1.1/24'], and: [host.namespace, host.interfaceName, '10.1.1.10/24'] });
  const receiver = await star.lab.receiver(host, { joins: [G] });
  seen = () => receiver.flow({ group: G, streamId: sender.streamId });
  daemon = await star.start({ igmp });
  await arrives();
  const ifindexes = (await interfacesOf(star.router, ['up0', 'lan1'])).map(({ ifindex }) => ifindex);
  const links = readdirSync(daemon.pinPath).filter((name) => name.startsWith('link_'));
  expect(new Set(links.map((name) => Number(/\d+/.exec(name)?.[0])))).toEqual(new Set(ifindexes));
});

test.each(['xm_routes', 'groups/1', 'xm_port_records'])('the pin %s that somebody has removed while no daemon ran: everything is learnt anew', async (name) => {
  daemon.process.signal('SIGKILL');
  await daemon.process.exited;
  rmSync(join(daemon.pinPath, 'current', name));
  daemon = await star.start({ igmp });
  expect(daemon.process.stdout).toContain('or a pin of it is missing');
  expect((await daemon.client.getStatus()).takeover).toBeFalsy();
  await arrives();
});

test('a tcx program of somebody else that comes before ours, and passes on', async () => {
  await daemon.ctlText('detach');
  await daemon.process.exited;
  await attachTcx(await bystander(), 'up0');
  daemon = await star.start({ igmp, interfaces: star.config.interfaces.map((entry) => ({ ...entry, mode: 'tc' })) });
  await arrives();
  await becomesRepaired('route', () => run(['bpftool', 'map', 'delete', ...pinned('xm_routes'), 'key', ...bytes(...S, ...GROUP)]));
  expect(await repairs('attachment')).toBe(0);
  expect((await daemon.client.getStatus()).conditions).toEqual([]);
});

/** Somebody else's programs. */
function bystander(): Promise<string> {
  return compileBpf(star.lab, inRepository('test/lab/bpf/bystander.bpf.c'), 'bystander');
}

/** Behind what is there already. It stays until the lab closes. */
async function attachTcx(objectPath: string, name: string): Promise<void> {
  const [device] = await interfacesOf(star.router, [name]);
  const pin = `/sys/fs/bpf/xmcast-${star.lab.id}-bystander`;
  star.lab.removeOnClose(pin);
  const tcxIngress = 46;
  const script = `(async ({ BpfObject, BpfLink }) => {
    const object = BpfObject.open(${JSON.stringify(objectPath)});
    await object.load();
    (await BpfLink.attach(object.program('bystander_tc'), ${device?.ifindex}, ${tcxIngress})).pin(${JSON.stringify(pin)});
  })(require(${JSON.stringify(inRepository('bindings/index.js'))})).catch((error) => { console.error(error); process.exit(1); });`;
  await star.router.run([process.execPath, '-e', script]);
}
