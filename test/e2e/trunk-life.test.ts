/**
 * VLANs of a trunk outlive the controller as untagged ports do: no packet is lost, none comes twice, none comes with another tag; and what
 * somebody else changes of them is put right.
 *
 *     source ── up0 [xmcastd] trunk0 ── far0: untagged hosts, hosts of VLANs 100 and 200
 *                             lan1   ── host
 */
import { join } from 'node:path';
import { buildIgmpFrame } from '../../control/protocol/igmp/encode';
import { RecordType } from '../../control/protocol/igmp/message';
import { ip } from '../bpf/packet';
import { run } from '../lab/command';
import { Daemon, sample } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { Flood } from '../lab/flood';
import { Host } from '../lab/host';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { routeWords } from './installed';
import { XMCASTD } from './launch';
import { arrive, withoutALoss } from './lossless';
import { shownFlow, shownMemberships } from './shown';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const SOURCE = '10.100.0.10';
const HOST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x77);
const VLANS = [0, 100, 200];
/** lan1, and those of the trunk. */
const RECEIVERS = 1 + VLANS.length;
const OUTGOING = ['lan1', 'trunk0', 'trunk0.100', 'trunk0.200'];
/**
 * So many as two processors copy, receive and count beside each other. Three copies go through one ring of 256: by XDP 100,000 a second, so
 * that a processor may be late by 2.5 ms, as where each device gets one copy.
 */
const RATES_PPS = { xdp: 33_000, tc: 20_000 } as const;
type Mode = keyof typeof RATES_PPS;

let lab: Lab;
let router: Namespace;
let source: Host;
let host: Host;
let far: Host;
let flood: Flood;

beforeEach(async () => {
  lab = await Lab.create('trunklife');
  router = await lab.namespace('router');
  source = await lab.host('source', { address: `${SOURCE}/24`, to: [router, 'up0', '10.100.0.1/24'] });
  host = await lab.host('host', { address: '10.1.1.10/24', to: [router, 'lan1', '10.1.1.1/24'] });
  const namespace = await lab.namespace('far');
  await lab.link({ between: [router, 'trunk0', '10.1.0.1/24'], and: [namespace, 'far0'] });
  far = new Host(namespace, 'far0', '10.1.0.10');
});
afterEach(async () => lab?.close());

/** The VLANs between the others: slots of one device are not side by side. */
function start(mode: Mode, { limits = {}, order = ['trunk0.200', 'lan1', 'trunk0', 'trunk0.100'] }: { readonly limits?: Record<string, number>; readonly order?: readonly string[] } = {}): Promise<Daemon> {
  const of = (name: string): Record<string, unknown> => (name.includes('.') ? { name, mode, addresses: [`10.1.${name.split('.')[1]}.1/24`] } : { name, mode });
  return Daemon.start(lab, router, { interfaces: [{ name: 'up0', upstream: true, mode }, ...order.map(of)], ...(Object.keys(limits).length === 0 ? {} : { limits }) });
}

/** Hosts that answer no query: what they want is known from before. */
async function stream(daemon: Daemon, mode: Mode): Promise<void> {
  // Else its tags travel beside the frames, where the receiving program does not see them.
  await router.run(['ethtool', '-K', 'trunk0', 'txvlan', 'off']);
  const hosts = await lab.injector(far.namespace, 'far0');
  const message = { kind: 'report-v3', records: [{ type: RecordType.CHANGE_TO_EXCLUDE_MODE, group: ip(G), sources: [] }] } as const;
  for (const vlanId of VLANS) await hosts.send(buildIgmpFrame({ sourceMac: HOST_MAC, source: ip(`10.1.${vlanId}.10`), destination: ip('224.0.0.22'), message, vlanId }));
  await lab.receiver(host, { joins: [G] });
  await eventually(async () => (await shownMemberships(daemon)).length === RECEIVERS, { what: 'the memberships are known' });
  flood = await Flood.open(lab, { from: source, source: SOURCE, to: [host, far], group: G, vlans: (receiver) => (receiver === far ? VLANS : [0]) });
  await flood.start(RATES_PPS[mode]);
  await eventually(async () => (await shownFlow(daemon, G, SOURCE)) !== undefined, { what: 'the stream has a route of its own' });
  await arrive(flood, 1000);
}

interface Counted {
  readonly sent: number;
  readonly packets: number;
  readonly copies: number;
}

/** While nothing is sent. */
async function counted(daemon: Daemon): Promise<Counted> {
  const flow = await shownFlow(daemon, G, SOURCE);
  return { sent: (await flood.report()).sent, packets: Number(flow?.packets), copies: Number(flow?.replicatedPackets) };
}

async function expectTrueCounters(daemon: Daemon, since: Counted): Promise<void> {
  const now = await counted(daemon);
  const sent = now.sent - since.sent;
  expect({ packets: now.packets - since.packets, copies: now.copies - since.copies }).toEqual({ packets: sent, copies: RECEIVERS * sent });
  const flow = await shownFlow(daemon, G, SOURCE);
  expect([...(flow?.outgoingInterfaces ?? [])].sort()).toEqual(OUTGOING);
  expect([flow?.failedPackets, flow?.droppedPackets, flow?.skippedPackets].map(Number)).toEqual([0, 0, 0]);
}

async function rxVlan(): Promise<string | undefined> {
  return /rx-vlan-offload: (\w+)/.exec(await router.run(['ethtool', '-k', 'trunk0']))?.[1];
}

describe.each(['xdp', 'tc'] as const)('in mode %s', (mode) => {
  test.each(['SIGKILL', 'SIGTERM'] as const)('%s and a new start under a stream: nothing is lost, nothing repeated, counters go on', async (signal) => {
    const first = await start(mode);
    await stream(first, mode);
    await flood.stop();
    const since = await counted(first);
    await flood.start(RATES_PPS[mode]);
    const second = await withoutALoss(flood, async () => {
      first.process.signal(signal);
      await first.process.exited;
      await arrive(flood, 10_000);
      // Whatever the order of the configuration is, each VLAN has its number again.
      return start(mode, { order: ['trunk0.100', 'trunk0', 'trunk0.200', 'lan1'] });
    });
    expect((await second.client.getStatus()).takeover).toMatchObject({ ports: 5 });
    await expectTrueCounters(second, since);
  });
});

test('tables of other sizes: nothing is lost, nothing repeated, counters go on', async () => {
  const first = await start('xdp');
  await stream(first, 'xdp');
  await flood.stop();
  const since = await counted(first);
  await flood.start(RATES_PPS.xdp);
  const places = await routeWords(first);
  const second = await withoutALoss(flood, async () => {
    await first.stop();
    return start('xdp', { limits: { routes: 1000, replication_groups: 64 } });
  });
  // Whichever egress program has the copies of the cycle that is cut by the switch finds their VLANs.
  expect(await routeWords(second)).toEqual(places);
  expect(await second.client.getStatus()).toMatchObject({ routesLimit: 1000, takeover: { ports: 5 } });
  await expectTrueCounters(second, since);
});

test('a VLAN that is not configured any more is let go, the others of the trunk go on', async () => {
  const first = await start('xdp');
  await stream(first, 'xdp');
  await first.stop();
  const second = await start('xdp', { order: ['lan1', 'trunk0', 'trunk0.100'] });
  await eventually(async () => (await shownFlow(second, G, SOURCE))?.outgoingInterfaces?.length === 3, { what: 'the stream goes to three' });
  const [, untagged, one, two] = (await flood.report()).receivers;
  await eventually(async () => {
    const [, now, also] = (await flood.report()).receivers;
    return (now?.next ?? 0) > (untagged?.next ?? 0) + 10_000 && (also?.next ?? 0) > (one?.next ?? 0) + 10_000;
  }, { what: 'the others go on' });
  await flood.stop();
  const after = (await flood.report()).receivers;
  expect(after.slice(0, 3).map(({ behind }) => behind)).toEqual([0, 0, 0]);
  expect(after[3]?.packets).toBeLessThanOrEqual((two?.packets ?? 0) + 10_000);
});

test('after kill -9 a trunk gets back what was changed of it', async () => {
  await router.run(['ethtool', '-K', 'trunk0', 'rxvlan', 'on']);
  const daemon = await start('xdp');
  expect(await rxVlan()).toBe('off');
  daemon.process.signal('SIGKILL');
  await daemon.process.exited;
  expect(await rxVlan()).toBe('off');
  await expect(router.run([XMCASTD, '--detach', '--pin-path', daemon.pinPath])).resolves.toMatch(/detached from .*trunk0, trunk0\.100/);
  expect(await rxVlan()).toBe('on');
  expect(await router.run(['ip', 'link', 'show', 'dev', 'trunk0'])).not.toContain('ALLMULTI');
});

describe('what somebody else changes of a trunk is put right', () => {
  const pinned = (daemon: Daemon, name: string): readonly string[] => ['pinned', join(daemon.pinPath, 'current', name)];
  const keys = async (daemon: Daemon, name: string): Promise<readonly (readonly string[])[]> =>
    (JSON.parse(await run(['bpftool', '-j', 'map', 'dump', ...pinned(daemon, name)])) as readonly { readonly key: readonly string[] }[]).map(({ key }) => key);

  async function becomesRepaired(daemon: Daemon, kind: string, spoil: () => Promise<unknown>): Promise<void> {
    const repairs = async (): Promise<number> => sample(await daemon.metrics(), 'xmcast_repairs_total', { kind }) ?? 0;
    const before = await repairs();
    await spoil();
    await eventually(async () => (await repairs()) > before, { what: `it is repaired as ${kind}`, timeoutMs: 20_000 });
  }

  /** Groups of the way here rest for a second before they are emptied. */
  async function keysAtRest(daemon: Daemon, map: string): Promise<Awaited<ReturnType<typeof keys>>> {
    let found: Awaited<ReturnType<typeof keys>> = [];
    await eventually(
      async () => {
        const before = found;
        found = await keys(daemon, map);
        return before.map(String).sort().join() === found.map(String).sort().join();
      },
      { what: 'no group is left to be emptied', timeoutMs: 20_000, intervalMs: 1500 },
    );
    return found;
  }

  test('whose the slots of a group are: nothing is repaired before, all of it after, and the stream goes on everywhere', async () => {
    const daemon = await start('xdp');
    await stream(daemon, 'xdp');
    const told = await keysAtRest(daemon, 'xm_slot_ports');
    expect(told.length).toBeGreaterThanOrEqual(2 * RECEIVERS);
    expect((await daemon.metrics()).match(/^xmcast_repairs_total\{.*\} [1-9]/m)).toBeNull();
    for (const spoil of [['delete'], ['update', '9', '0', '0', '0']]) {
      const [command = '', ...value] = spoil;
      await becomesRepaired(daemon, 'group', async () => {
        for (const key of told) await run(['bpftool', 'map', command, ...pinned(daemon, 'xm_slot_ports'), 'key', ...key, ...(value.length === 0 ? [] : ['value', ...value])]);
      });
      await arrive(flood, 1000);
    }
    expect((await keys(daemon, 'xm_slot_ports')).map(String).sort()).toEqual(told.map(String).sort());
  });

  test('where copies to VLANs are counted, and how the device treats tags', async () => {
    const daemon = await start('xdp');
    await stream(daemon, 'xdp');
    const [trunk = []] = await keys(daemon, 'xm_trunks');
    await becomesRepaired(daemon, 'port', () => run(['bpftool', 'map', 'delete', ...pinned(daemon, 'xm_trunks'), 'key', ...trunk]));
    await arrive(flood, 1000);
    await becomesRepaired(daemon, 'device', () => router.run(['ethtool', '-K', 'trunk0', 'rxvlan', 'on']));
    expect(await rxVlan()).toBe('off');
  });
});
