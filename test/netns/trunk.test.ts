/**
 * A trunk: one device that is four ports, three of them VLANs. Each gets every packet once, with its own tag, and every counter agrees with
 * what arrived, also when copies fail half-way through a batch.
 *
 *     feeder gen0 ── up0 [router: data plane] lan0   ── rx0   untagged
 *                                             trunk0 ── far0  untagged, VLANs 100, 200 and 300
 *
 * What arrives is counted by a program on the receivers, by interface and VLAN.
 */
import { ETHERNET_BYTES, frame, hopped, tagged } from '../bpf/packet';
import { run } from '../lab/command';
import { atRest, eventually } from '../lab/eventually';
import { placeOfVlan, type Arrivals } from '../lab/forwarder-protocol';
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { interfacesOf, XdpForwarder, type XdpPort } from '../lab/xdp-forwarder';

jest.setTimeout(90_000);

type Mode = 'xdp' | 'tc';

const SOURCE = '10.100.0.10';
const GROUP = '239.1.1.1';
const IP_BYTES = 500;
const TAG_BYTES = 4;
/** Copies of one packet do not fill a batch of 16 evenly: it ends in the midst of them. */
const PACKETS = 1000;
const BURST = 37;
const RATE_PPS = 20_000;

/** Of the untagged trunk between its VLANs: slots of one device are not side by side. */
const VPORTS = { up: 1, vlan100: 2, lan: 3, trunk: 4, vlan200: 5, vlan300: 6 } as const;
type PortName = keyof typeof VPORTS;
const VLANS: Partial<Record<PortName, number>> = { vlan100: 100, vlan200: 200, vlan300: 300 };
const DEVICES: Record<PortName, string> = { up: 'up0', lan: 'lan0', trunk: 'trunk0', vlan100: 'trunk0', vlan200: 'trunk0', vlan300: 'trunk0' };
const NAMES = Object.keys(VPORTS) as PortName[];

interface BedOptions {
  readonly trunkMode: Mode;
  readonly lanMode: Mode;
  /** Where the stream comes in. */
  readonly from: PortName;
}

interface Account {
  readonly route: { readonly packets: number; readonly expected: number; readonly sent: number; readonly sentBytes: number; readonly failed: number; readonly dropped: number };
  readonly ports: Partial<Record<PortName, { readonly sent: number; readonly drops: Readonly<Record<string, number>>; readonly arrived: Arrivals }>>;
}

class TrunkBed {
  readonly lab: Lab;
  readonly router: Namespace;
  readonly receivers: Namespace;
  readonly forwarder: XdpForwarder;
  readonly to: readonly PortName[];
  readonly #places: ReadonlyMap<PortName, number>;

  private constructor(parts: { lab: Lab; router: Namespace; receivers: Namespace; forwarder: XdpForwarder; to: readonly PortName[]; places: ReadonlyMap<PortName, number> }) {
    this.lab = parts.lab;
    this.router = parts.router;
    this.receivers = parts.receivers;
    this.forwarder = parts.forwarder;
    this.to = parts.to;
    this.#places = parts.places;
  }

  static async create(options: BedOptions): Promise<TrunkBed> {
    const lab = await Lab.create('trunk');
    try {
      return await TrunkBed.#fill(lab, options);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  static async #fill(lab: Lab, options: BedOptions): Promise<TrunkBed> {
    const router = await lab.namespace('router');
    const [receivers, feeder] = [await lab.namespace('receivers'), await lab.namespace('feeder')];
    await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [feeder, 'gen0'] });
    await lab.link({ between: [router, 'lan0', '10.1.0.1/24'], and: [receivers, 'rx0'] });
    await lab.link({ between: [router, 'trunk0', '10.1.1.1/24'], and: [receivers, 'far0'] });
    const forwarder = await XdpForwarder.start(lab, router, NAMES.map((name) => portOf(name, options)));
    const to = NAMES.filter((name) => name !== 'up' && name !== options.from);
    await forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS[options.from], outgoing: to.map((name) => VPORTS[name]) }]);
    const vlan = VLANS[options.from];
    const pins = await forwarder.openStream({
      incoming: DEVICES[options.from],
      source: SOURCE,
      group: GROUP,
      ipBytes: IP_BYTES,
      ...(vlan === undefined ? {} : { vlan }),
      toStack: modeOf(options.from, options) === 'tc',
    });
    await attach(feeder, 'gen0', pins.senderProgram);
    for (const name of ['rx0', 'far0']) await attach(receivers, name, pins.receiverProgram);
    const [rx0, far0] = (await interfacesOf(receivers, ['rx0', 'far0'])).map(({ ifindex }) => ifindex);
    const places = new Map(to.map((name) => [name, name === 'lan' ? (rx0 ?? 0) : VLANS[name] === undefined ? (far0 ?? 0) : placeOfVlan(VLANS[name])]));
    return new TrunkBed({ lab, router, receivers, forwarder, to, places });
  }

  async send(packets: number, rate: { readonly burst?: number; readonly ratePps?: number } = {}): Promise<void> {
    await this.forwarder.generate({ packets, burst: BURST, ratePps: RATE_PPS, ...rate });
  }

  /** Once no frame is on its way any more. */
  account(): Promise<Account> {
    return atRest(() => this.#read(), { what: 'the counters rest' });
  }

  async #read(): Promise<Account> {
    const { routes, ports } = await this.forwarder.counters();
    const arrivals = await this.forwarder.arrivals(this.to.map((name) => this.#places.get(name) ?? 0));
    const entries = this.to.map((name, i) => [name, { sent: ports[VPORTS[name]]!.sent, drops: ports[VPORTS[name]]!.drops, arrived: arrivals[i]! }] as const);
    return { route: routes[`${SOURCE} ${GROUP}`]!, ports: Object.fromEntries(entries) };
  }
}

function modeOf(name: PortName, { trunkMode, lanMode }: Pick<BedOptions, 'trunkMode' | 'lanMode'>): Mode {
  if (name === 'up') return 'xdp';
  return name === 'lan' ? lanMode : trunkMode;
}

function portOf(name: PortName, modes: Pick<BedOptions, 'trunkMode' | 'lanMode'>): XdpPort {
  const vlan = VLANS[name];
  return { vport: VPORTS[name], name: DEVICES[name], mode: modeOf(name, modes), ...(vlan === undefined ? {} : { vlan }) };
}

async function attach(namespace: Namespace, interfaceName: string, pinnedProgram: string): Promise<void> {
  await namespace.run(['ip', 'link', 'set', 'dev', interfaceName, 'xdpdrv', 'pinned', pinnedProgram]);
}

/** Every figure of the forwarder against another one, and what it calls sent against what arrived. */
function expectBalance({ route, ports }: Account, sent: number): void {
  const accounts = Object.values(ports);
  const sum = (read: (port: (typeof accounts)[number]) => number | undefined): number => accounts.reduce((total, port) => total + (read(port) ?? 0), 0);
  expect(route.packets).toBe(sent);
  expect(route.expected).toBe(sent * accounts.length);
  expect(route.sent).toBe(sum((port) => port.sent));
  expect(route.sentBytes).toBe(route.sent * IP_BYTES);
  expect(route.failed).toBe(sum(({ drops }) => drops['xmit']));
  expect(route.dropped).toBe(sum(({ drops }) => (drops['too_big'] ?? 0) + (drops['ttl_out'] ?? 0)));
  for (const [name, port] of Object.entries(ports)) {
    const frameBytes = ETHERNET_BYTES + IP_BYTES + (VLANS[name as PortName] === undefined ? 0 : TAG_BYTES);
    expect({ name, ...port.arrived }).toMatchObject({ name, packets: port.sent, bytes: port.sent * frameBytes, behind: 0, strange: 0 });
  }
}

function expectComplete({ ports }: Account, names: readonly PortName[], packets: number): void {
  for (const name of names) expect({ name, ...ports[name] }).toMatchObject({ name, sent: packets, drops: {}, arrived: { packets, missing: 0, next: packets } });
}

let bed: TrunkBed | undefined;
afterEach(async () => {
  await bed?.lab.close();
  bed = undefined;
});

const MODES: readonly Pick<BedOptions, 'trunkMode' | 'lanMode'>[] = [
  { trunkMode: 'xdp', lanMode: 'xdp' },
  { trunkMode: 'xdp', lanMode: 'tc' },
  { trunkMode: 'tc', lanMode: 'tc' },
];

describe.each(MODES)('trunk in mode $trunkMode, the other port in $lanMode', (modes) => {
  test.each([
    { name: 'untagged from another device', from: 'up' },
    { name: 'from a VLAN of the trunk, back into the others', from: 'vlan100' },
    { name: 'untagged from the trunk', from: 'trunk' },
  ] as const)('$name', async ({ from }) => {
    bed = await TrunkBed.create({ ...modes, from });
    await bed.send(PACKETS);
    const healthy = await bed.account();
    expectBalance(healthy, PACKETS);
    expectComplete(healthy, bed.to, PACKETS);

    // A copy that stops on its way still takes its turn among the others of the device.
    await bed.forwarder.setPort({ ...portOf('vlan200', modes), ttlThreshold: 64 });
    await bed.forwarder.setPort({ ...portOf('vlan300', modes), mtu: IP_BYTES - 1 });
    await bed.send(PACKETS);
    const stopped = await bed.account();
    expectBalance(stopped, 2 * PACKETS);
    expect(stopped.ports.vlan200).toMatchObject({ sent: PACKETS, drops: { ttl_out: PACKETS }, arrived: { packets: PACKETS } });
    expect(stopped.ports.vlan300).toMatchObject({ sent: PACKETS, drops: { too_big: PACKETS }, arrived: { packets: PACKETS } });
    expectComplete(stopped, bed.to.filter((name) => name !== 'vlan200' && name !== 'vlan300'), 2 * PACKETS);
  });

  test('a trunk that cannot keep up: each VLAN has arrived what is counted as sent to it', async () => {
    bed = await TrunkBed.create({ ...modes, from: 'up' });
    // In a thread of its own: it keeps nobody else waiting. By `ip netns exec`, for its /sys shows the devices of the namespace.
    await run(['ip', 'netns', 'exec', bed.receivers.name, 'sh', '-c', 'echo 1 > /sys/class/net/far0/threaded']);
    for (const place of [placeOfVlan(100), placeOfVlan(300)]) await bed.forwarder.slow(place, 20_000);
    await bed.send(10 * PACKETS, { burst: 256, ratePps: 200_000 });
    const account = await bed.account();
    expectBalance(account, 10 * PACKETS);
    expectComplete(account, ['lan'], 10 * PACKETS);
    expect(account.route.failed).toBeGreaterThan(0);
  });

  test('the last VLAN leaves: the device is a trunk no more, and forwards untagged; VLANs come back', async () => {
    bed = await TrunkBed.create({ ...modes, from: 'up' });
    const { forwarder } = bed;
    const trunks = async (): Promise<number> => (JSON.parse(await run(['bpftool', '-j', 'map', 'dump', 'pinned', `${forwarder.pinPath}/current/xm_trunks`])) as unknown[]).length;
    expect(await trunks()).toBe(1);
    const vlans = (['vlan100', 'vlan200', 'vlan300'] as const).map((name) => ({ name, vport: VPORTS[name] }));
    const routeTo = (names: readonly PortName[]): Promise<void> =>
      forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS.up, outgoing: names.map((name) => VPORTS[name]) }]);
    await routeTo(['lan', 'trunk']);
    for (const { vport } of vlans) await forwarder.removePort(vport);
    expect(await trunks()).toBe(0);
    await bed.send(PACKETS);
    expectComplete(await bed.account(), ['lan', 'trunk'], PACKETS);
    for (const { name } of vlans) await forwarder.setPort(portOf(name, modes));
    await routeTo(bed.to);
    expect(await trunks()).toBe(1);
    await bed.send(PACKETS);
    const account = await bed.account();
    expectComplete(account, ['lan', 'trunk'], 2 * PACKETS);
    for (const { name } of vlans) expect({ name, ...account.ports[name] }).toMatchObject({ name, sent: PACKETS, arrived: { packets: PACKETS, behind: 0 } });
  });

  test('a VLAN leaves the trunk and comes back while the others go on', async () => {
    bed = await TrunkBed.create({ ...modes, from: 'up' });
    await bed.send(PACKETS);
    await bed.forwarder.removePort(VPORTS.vlan200);
    await bed.forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS.up, outgoing: bed.to.filter((name) => name !== 'vlan200').map((name) => VPORTS[name]) }]);
    await bed.send(PACKETS);
    const without = await bed.account();
    expect(without.ports.vlan200).toMatchObject({ sent: PACKETS, arrived: { packets: PACKETS } });
    expectComplete(without, bed.to.filter((name) => name !== 'vlan200'), 2 * PACKETS);
    await bed.forwarder.setPort(portOf('vlan200', modes));
    await bed.forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS.up, outgoing: bed.to.map((name) => VPORTS[name]) }]);
    await bed.send(PACKETS);
    const back = await bed.account();
    expect(back.ports.vlan200).toMatchObject({ sent: 2 * PACKETS, arrived: { packets: 2 * PACKETS, missing: PACKETS } });
    expectComplete(back, bed.to.filter((name) => name !== 'vlan200'), 3 * PACKETS);
  });
});

describe.each(['xdp', 'tc'] as const)('byte for byte in mode %s', (mode) => {
  /** Priority 5, may be dropped first. */
  const PRIORITY = 0xb000;
  let lab: Lab;
  let router: Namespace;
  let outside: Namespace;
  let forwarder: XdpForwarder;

  beforeEach(async () => {
    lab = await Lab.create('tags');
    [router, outside] = [await lab.namespace('router'), await lab.namespace('outside')];
    await lab.link({ between: [router, 'lan0', '10.1.0.1/24'], and: [outside, 'rx0'] });
    await lab.link({ between: [router, 'trunk0', '10.1.1.1/24'], and: [outside, 'far0'] });
    const ports = (['lan', 'trunk', 'vlan100', 'vlan200'] as const).map((name) => portOf(name, { trunkMode: mode, lanMode: mode }));
    forwarder = await XdpForwarder.start(lab, router, ports);
  });
  afterEach(() => lab.close());

  test.each([
    { name: 'tagged: VLAN 100', tags: [{ tci: PRIORITY | 100 }], from: 'vlan100', priority: PRIORITY },
    { name: 'untagged', tags: [], from: 'trunk', priority: 0 },
    { name: 'with a priority tag', tags: [{ tci: PRIORITY }], from: 'trunk', priority: PRIORITY },
  ] as const)('$name', async ({ tags, from, priority }) => {
    const to = (['vlan100', 'lan', 'trunk', 'vlan200'] as const).filter((name) => name !== from);
    await forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS[from], outgoing: to.map((name) => VPORTS[name]) }]);
    const captures = await Promise.all(['rx0', 'far0'].map((name) => lab.capture(outside, name, { filter: 'not ether src 02:00:00:00:00:99' })));
    const injector = await lab.injector(outside, 'far0');
    await injector.send(frame({ tags }));
    const [lanMac, trunkMac] = (await interfacesOf(router, ['lan0', 'trunk0'])).map(({ mac }) => mac);
    const copy = (mac: string | undefined, ...outTags: readonly { readonly tci: number }[]): string => {
      const bytes = hopped(frame());
      bytes.set((mac ?? '').split(':').map((octet) => Number.parseInt(octet, 16)), 6);
      return Buffer.from(tagged(bytes, ...outTags)).toString('hex');
    };
    const expected = [[copy(lanMac)], to.filter((name) => name !== 'lan').map((name) => copy(trunkMac, ...(VLANS[name] === undefined ? [] : [{ tci: priority | VLANS[name] }])))];
    const seen = async (i: number): Promise<string[]> => (await captures[i]!.frames()).map(({ bytes }) => Buffer.from(bytes).toString('hex'));
    for (const [i, frames] of expected.entries()) await eventually(async () => (await seen(i)).length >= frames.length, { what: `copies on ${['rx0', 'far0'][i]}` });
    for (const capture of captures) await capture.stop();
    expect([await seen(0), await seen(1)]).toEqual(expected);
  });

  test('a VLAN without a port is not forwarded, and no port counts it', async () => {
    await forwarder.addRoutes([{ source: SOURCE, group: GROUP, incoming: VPORTS.trunk, outgoing: [VPORTS.lan, VPORTS.vlan100] }]);
    const injector = await lab.injector(outside, 'far0');
    await injector.send(frame({ tags: [{ tci: 999 }] }));
    await injector.send(frame({ tags: [{ tci: 100 }, { tci: 200 }] }));
    await injector.send(frame());
    await eventually(async () => (await forwarder.counters()).routes[`${SOURCE} ${GROUP}`]?.sent === 2, { what: 'the untagged packet has left' });
    const { ports } = await forwarder.counters();
    expect(ports[VPORTS.trunk]).toMatchObject({ received: 1, drops: {} });
    expect(ports[VPORTS.vlan100]).toMatchObject({ received: 1, drops: { stacked_tag: 1 } });
  });
});

test('tags stay in the frame while XDP has the device, and come off as before when it goes', async () => {
  const lab = await Lab.create('offload');
  try {
    const [router, outside] = [await lab.namespace('router'), await lab.namespace('outside')];
    await lab.link({ between: [router, 'trunk0', '10.1.1.1/24'], and: [outside, 'far0'] });
    await router.run(['ethtool', '-K', 'trunk0', 'rxvlan', 'on']);
    const isOn = async (): Promise<boolean> => /^rx-vlan-offload: on/m.test(await router.run(['ethtool', '-k', 'trunk0']));
    expect(await isOn()).toBe(true);
    const forwarder = await XdpForwarder.start(lab, router, [{ vport: 1, name: 'trunk0', vlan: 100, mode: 'xdp' }]);
    expect(await isOn()).toBe(false);
    await forwarder.removePort(1);
    expect(await isOn()).toBe(true);
  } finally {
    await lab.close();
  }
});
