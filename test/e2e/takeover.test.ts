/**
 * Forwarding outlives the controller: whatever ends it, and whatever takes its place, no packet is lost and none comes twice.
 *
 *     source ── up0 [xmcastd] lan1 ── host1
 *                             lan2 ── host2
 *                             lan3 ── host3
 */
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileBpf } from '../lab/compile-bpf';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { Flood } from '../lab/flood';
import { inRepository } from '../lab/repository';
import { createStar, SOURCE, type Star } from '../lab/star';
import { routeWords } from './installed';
import { XMCASTD, xdpProgramOn } from './launch';
import { arrive, withoutALoss } from './lossless';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const RATE_PPS = 100_000;
/** Hosts answer the first query of a daemon that has just started within a second. */
const igmp = { query_response_interval: '1s' };

let star: Star;
let flood: Flood;

beforeEach(async () => {
  star = await createStar('takeover', [{ name: 'host1' }, { name: 'host2' }, { name: 'host3' }]);
});
afterEach(async () => star?.lab.close());

/** Three members, and a stream to them that is under way. */
async function stream(daemon: Daemon): Promise<void> {
  for (const host of star.hosts) await star.lab.receiver(host, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === star.hosts.length, { what: 'the memberships are known' });
  flood = await Flood.open(star.lab, { from: star.source, source: SOURCE, to: star.hosts, group: G });
  await flood.start(RATE_PPS);
  await eventually(async () => (await shownFlow(daemon, G, SOURCE)) !== undefined, { what: 'the stream has a route of its own' });
  await arrive(flood, 1000);
}

/** Every packet that came in by the route is a copy for each host, and each host has counted it. */
async function expectTrueCounters(daemon: Daemon, since: { readonly packets: number; readonly copies: number; readonly sent: number }): Promise<void> {
  const { sent } = await flood.report();
  const flow = await shownFlow(daemon, G, SOURCE);
  expect({
    packets: Number(flow?.packets) - since.packets,
    copies: Number(flow?.replicatedPackets) - since.copies,
    faults: [flow?.failedPackets, flow?.droppedPackets, flow?.skippedPackets].map(Number),
  }).toEqual({ packets: sent - since.sent, copies: 3 * (sent - since.sent), faults: [0, 0, 0] });
}

test.each(['SIGKILL', 'SIGTERM'] as const)('%s and a new start, at 100,000 packets a second: nothing is lost, nothing repeated, counters go on', async (signal) => {
  const first = await star.start({ igmp });
  await stream(first);
  await flood.stop();
  const since = { sent: (await flood.report()).sent, packets: 0, copies: 0 };
  const flow = await shownFlow(first, G, SOURCE);
  Object.assign(since, { packets: Number(flow?.packets), copies: Number(flow?.replicatedPackets) });
  await flood.start(RATE_PPS);
  const second = await withoutALoss(flood, async () => {
    first.process.signal(signal);
    await first.process.exited;
    await arrive(flood, 20_000);
    return star.start({ igmp });
  });
  await expectTrueCounters(second, since);
  expect(second.process.stdout).toContain('took over');
  expect((await second.ctlText('status')).replace(/ +/g, ' ')).toMatch(/Taken over: \d+ routes, 4 ports/);
});

test('a newer program takes the place of the one that runs: nothing is lost, nothing repeated', async () => {
  const first = await star.start({ igmp });
  await stream(first);
  const before = await xdpProgramOn(star.router, 'up0');
  const second = await withoutALoss(flood, async () => {
    const object = await otherProgram();
    await first.stop();
    return star.start({ igmp }, ['--bpf-object', object]);
  });
  expect(await xdpProgramOn(star.router, 'up0')).not.toBe(before);
  expect(await shownFlow(second, G, SOURCE)).toMatchObject({ outgoingInterfaces: ['lan1', 'lan2', 'lan3'] });
});

test('tables of other sizes: built beside, filled and switched to; nothing is lost, nothing repeated, counters of routes go on', async () => {
  const first = await star.start({ igmp });
  await stream(first);
  await flood.stop();
  const flow = await shownFlow(first, G, SOURCE);
  const since = { sent: (await flood.report()).sent, packets: Number(flow?.packets), copies: Number(flow?.replicatedPackets) };
  const places = await routeWords(first);
  await flood.start(RATE_PPS);
  const second = await withoutALoss(flood, async () => {
    await first.stop();
    return star.start({ igmp, limits: { routes: 1000, replication_groups: 64 } });
  });
  // Whichever egress program has the copies of the cycle that is cut by the switch counts them for the right route.
  expect(await routeWords(second)).toEqual(places);
  expect(await second.client.getStatus()).toMatchObject({ routesLimit: 1000, takeover: { ports: 4 } });
  await expectTrueCounters(second, since);
  // The maps of the other size are gone, and what there is can be taken over.
  await eventually(() => generationsOf(second).length === 1, { what: 'the old maps are removed' });
  await second.stop();
  const third = await star.start({ igmp, limits: { routes: 1000, replication_groups: 64 } });
  expect((await third.client.getStatus()).takeover?.routes).toBe(2);
});

function generationsOf({ pinPath }: Daemon): readonly string[] {
  return readdirSync(pinPath).filter((name) => /^\d+$/.test(name));
}

test('what a daemon of an unknown layout has left is replaced, and learnt anew', async () => {
  const first = await star.start({ igmp });
  await stream(first);
  await first.stop();
  rmSync(join(first.pinPath, 'current', 'xm_layout'));
  const second = await star.start({ igmp });
  expect(second.process.stdout).toContain('its layout is not known to this version');
  await arrive(flood, 1000);
  expect((await second.client.getStatus()).takeover).toBeFalsy();
});

test('--flush begins with nothing; detach leaves nothing, with a daemon and without', async () => {
  const first = await star.start({ igmp });
  await stream(first);
  await first.stop();
  const second = await star.start({ igmp }, ['--flush']);
  expect((await second.client.getStatus()).takeover).toBeFalsy();
  expect(await star.router.run(['ip', 'link', 'show', 'dev', 'up0'])).toContain('ALLMULTI');
  expect(await second.ctlText('detach')).toBe('xmcastd detaches and stops.\n');
  expect(await second.process.exited).toMatchObject({ code: 0 });
  await expectNothingLeft(second);

  const third = await star.start({ igmp });
  await third.stop();
  await expect(star.router.run([XMCASTD, '--detach', '--pin-path', third.pinPath])).resolves.toMatch(/detached from up0, lan1, lan2, lan3/);
  await expectNothingLeft(third);
  await expect(star.router.run([XMCASTD, '--detach', '--pin-path', third.pinPath])).resolves.toContain('nothing was forwarding');
});

test('while a daemon runs another one cannot take its place, nor detach', async () => {
  const first = await star.start({ igmp });
  await expect(star.router.run([XMCASTD, '--detach', '--pin-path', first.pinPath])).rejects.toThrow(/XM_ALREADY_RUNNING/);
  expect(await xdpProgramOn(star.router, 'up0')).toBeDefined();
});

async function expectNothingLeft({ pinPath }: Daemon): Promise<void> {
  expect(existsSync(pinPath)).toBe(false);
  for (const name of ['up0', 'lan1', 'lan2', 'lan3']) {
    expect(await xdpProgramOn(star.router, name)).toBeUndefined();
    expect(await star.router.run(['ip', 'link', 'show', 'dev', name])).not.toContain('ALLMULTI');
    expect(await star.router.run(['bpftool', 'net', 'show', 'dev', name])).not.toContain('xm_');
  }
}

/** Of the same layout. */
async function otherProgram(): Promise<string> {
  const folder = join(star.lab.directory, 'bpf');
  cpSync(inRepository('bpf'), folder, { recursive: true });
  const punt = join(folder, 'punt.h');
  const text = readFileSync(punt, 'utf8');
  const changed = text.replace('xm_wrong_interval_ns = 3 * NSEC_PER_SEC', 'xm_wrong_interval_ns = 4 * NSEC_PER_SEC');
  expect(changed).not.toBe(text);
  writeFileSync(punt, changed);
  return compileBpf(star.lab, join(folder, 'xmcast.bpf.c'), 'other');
}
