/**
 * Whatever somebody else does to the forwarder in the kernel: it is put right within ten seconds, counted and said; what cannot be is a
 * condition.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../lab/command';
import { sample, type Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import type { FlowStats } from '../lab/receiver';
import type { Sender } from '../lab/sender';
import { createStar, SOURCE, type Star } from '../lab/star';
import { interfacesOf } from '../lab/xdp-forwarder';
import { xdpProgramOn } from './launch';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(120_000);

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

async function becomesRepaired(kind: string, spoil: () => Promise<unknown> | void): Promise<void> {
  const before = await repairs(kind);
  await spoil();
  await eventually(async () => (await repairs(kind)) > before, { what: `it is repaired as ${kind}`, timeoutMs: 2 * REPAIR_MS });
  await arrives();
  expect(daemon.process.stdout).toContain(`"kind":"${kind}"`);
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
  const pin = await linkPin('xdp');
  await becomesRepaired('pin', () => rmSync(pin));
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
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const [link] = JSON.parse(`[${await run(['bpftool', '-j', 'link', 'show', 'pinned', await linkPin('xdp')])}]`) as [{ readonly id: number }];
  const foreign = join(star.lab.directory, 'foreign.o');
  await run(['sh', '-c', `printf '%s' '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nSEC("xdp") int foreign(struct xdp_md *c) { return XDP_PASS; }\nchar l[] SEC("license") = "GPL";' > ${foreign}.c && clang -O2 -target bpf -I/usr/include/$(uname -m)-linux-gnu -c ${foreign}.c -o ${foreign}`]);
  await run(['bpftool', 'link', 'detach', 'id', String(link.id)]);
  await star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'xdpdrv', 'obj', foreign, 'sec', 'xdp']);
  const conditions = async (): Promise<string> => ((await daemon.client.getStatus()).conditions ?? []).join();
  await eventually(async () => /attach XDP to up0.*program \d+ is already there/.test(await conditions()), { what: 'the condition is said', timeoutMs: 2 * REPAIR_MS });
  await star.router.run(['ip', 'link', 'set', 'dev', 'up0', 'xdp', 'off']);
  await eventually(async () => (await conditions()) === '', { what: 'the condition has gone', timeoutMs: 2 * REPAIR_MS });
  await arrives();
});
