/**
 * The same packets through xmcast and through the kernel's multicast forwarder: what leaves every port must be the same frames in the
 * same order, but for the differences that are listed, with their reasons, in forwarder-differences.ts.
 *
 *                       ┌─ up0, alt0 [xmcast] lan1 … lan4 ── peers: captured
 *     injector, twice ──┤
 *                       └─ up0, alt0 [kernel] lan1 … lan4 ── peers: captured
 *
 * A failure names the seed; XMCAST_SEED runs it again.
 */
import { readFileSync } from 'node:fs';
import type { Capture } from '../lab/capture';
import { eventually } from '../lab/eventually';
import { Host } from '../lab/host';
import type { Injector } from '../lab/injector';
import { KernelForwarder } from '../lab/kernel-forwarder';
import { Lab } from '../lab/lab';
import { macFor } from '../lab/link';
import type { Namespace } from '../lab/namespace';
import { inRepository } from '../lab/repository';
import { XdpForwarder } from '../lab/xdp-forwarder';
import { DIFFERENCES, differencesOf, OWN_ADDRESSES, type EgressPort } from './forwarder-differences';
import { RandomPackets, seededRandom, type PacketSpec, type PacketWorld, type RandomPacket } from './random-packets';

jest.setTimeout(90_000);

const SEED = Number(process.env['XMCAST_SEED'] ?? 1);
const BATCHES = 20;
const PACKETS_PER_BATCH = 250;
const ETHERNET_BYTES = 14;
const INCOMING = ['up0', 'alt0'] as const;
const PORTS: readonly EgressPort[] = [
  { name: 'lan1', mtu: 1500, ttlThreshold: 1 },
  { name: 'lan2', mtu: 1500, ttlThreshold: 16 },
  { name: 'lan3', mtu: 1500, ttlThreshold: 64 },
  { name: 'lan4', mtu: 900, ttlThreshold: 1 },
];
const SOURCE = '10.100.0.10';
const EVERYWHERE = '239.1.1.1';
const ONLY_LAN2 = '239.1.1.3';
/** The last of them never leaves its link, route or not. 239.1.1.1 and 239.129.1.1 share an Ethernet address. */
const OUTGOING: Readonly<Record<string, readonly string[]>> = {
  [EVERYWHERE]: ['lan1', 'lan2', 'lan3', 'lan4'],
  '239.1.1.2': ['lan1', 'lan3'],
  [ONLY_LAN2]: ['lan2'],
  '232.5.5.5': ['lan2', 'lan4'],
  '224.0.1.129': ['lan1', 'lan4'],
  '239.129.1.1': ['lan3'],
  '224.0.0.251': ['lan1', 'lan2', 'lan3', 'lan4'],
};
const WORLD: PacketWorld = {
  sources: [SOURCE, '192.0.2.7', '10.100.0.255'],
  oddSources: ['0.0.0.1', '127.0.0.5', '224.1.1.1', '240.0.0.1', '255.255.255.255', ...OWN_ADDRESSES],
  groups: Object.keys(OUTGOING),
  unroutedSources: ['10.100.0.99', '0.0.0.0'],
  unroutedGroups: ['239.9.9.9', '224.0.0.18', '224.0.0.1'],
  routerMac: Uint8Array.from(macFor('10.100.0.1', 0).split(':'), (octet) => Number.parseInt(octet, 16)),
};

/** One of the two, with its feeders and the captures behind its ports. */
class Router {
  readonly namespace: Namespace;
  readonly peers: Namespace;
  readonly #lab: Lab;
  readonly #injectors: readonly Injector[];
  readonly #captures: Capture[] = [];

  private constructor(lab: Lab, parts: { namespace: Namespace; peers: Namespace; injectors: readonly Injector[] }) {
    this.#lab = lab;
    this.namespace = parts.namespace;
    this.peers = parts.peers;
    this.#injectors = parts.injectors;
  }

  static async create(lab: Lab, label: string, feeder: Namespace): Promise<Router> {
    const namespace = await lab.namespace(label);
    const peers = await lab.namespace(`${label}-peers`);
    for (const [i, name] of INCOMING.entries()) {
      await lab.link({ between: [namespace, name, `10.10${i}.0.1/24`], and: [feeder, `${label}-${name}`] });
    }
    for (const [i, { name, mtu }] of PORTS.entries()) {
      await lab.link({ between: [namespace, name, `10.1.${i + 1}.1/24`], and: [peers, name, `10.1.${i + 1}.10/24`], mtu });
    }
    const injectors = await Promise.all(INCOMING.map((name) => lab.injector(feeder, `${label}-${name}`)));
    return new Router(lab, { namespace, peers, injectors });
  }

  async capture(filter: string): Promise<void> {
    this.#captures.push(...(await Promise.all(PORTS.map(({ name }) => this.#lab.capture(this.peers, name, { filter })))));
  }

  async inject({ spec, frame }: RandomPacket): Promise<void> {
    await this.#injectors[spec.isWrongInterface ? 1 : 0]?.send(frame);
  }

  /** Resolves when this packet has left these ports. */
  async hasLeft(marker: PacketSpec, ports: readonly EgressPort[] = PORTS): Promise<void> {
    for (const port of ports) {
      const capture = this.#captures[PORTS.indexOf(port)];
      const hasMarker = async (): Promise<boolean> =>
        (await capture?.frames())?.some(({ bytes }) => identificationOf(bytes) === marker.identification) === true;
      await eventually(hasMarker, { what: `the marker of ${this.namespace.label} has left by ${port.name}` });
    }
  }

  /** Frames by port. */
  async stopCaptures(): Promise<readonly (readonly Buffer[])[]> {
    const captures = await Promise.all(this.#captures.splice(0).map((capture) => capture.stop()));
    return captures.map((frames) => frames.map(({ bytes }) => Buffer.from(bytes)));
  }
}

let lab: Lab;
let xmcast: Router;
let kernel: Router;
let feeder: Namespace;
let packets: RandomPackets;

const ALL_SOURCES = [...WORLD.sources, ...WORLD.oddSources];

async function forwardByXmcast(mode: 'xdp' | 'tc'): Promise<void> {
  const names = [...INCOMING, ...PORTS.map(({ name }) => name)];
  const vportOf = (name: string): number => names.indexOf(name) + 1;
  const thresholdOf = (name: string): number => PORTS.find((port) => port.name === name)?.ttlThreshold ?? 1;
  const forwarder = await XdpForwarder.start(
    lab,
    xmcast.namespace,
    names.map((name) => ({ name, vport: vportOf(name), ttlThreshold: thresholdOf(name), mode })),
  );
  const routes = Object.entries(OUTGOING).flatMap(([group, outgoing]) =>
    ALL_SOURCES.map((source) => ({ source, group, incoming: vportOf('up0'), outgoing: outgoing.map(vportOf) })),
  );
  await forwarder.addRoutes(routes);
}

async function forwardByKernel(): Promise<void> {
  const vifs = [...INCOMING.map((name) => ({ name })), ...PORTS.map(({ name, ttlThreshold }) => ({ name, ttlThreshold }))];
  const forwarder = await KernelForwarder.start(lab, kernel.namespace, vifs);
  for (const [group, outgoing] of Object.entries(OUTGOING)) {
    for (const source of ALL_SOURCES) await forwarder.addRoute({ source, group, incoming: 'up0', outgoing });
  }
}

function identificationOf(frame: Uint8Array): number {
  return ((frame[ETHERNET_BYTES + 4] ?? 0) << 8) | (frame[ETHERNET_BYTES + 5] ?? 0);
}

/** The frame without what is behind the IP packet. */
function withoutTrailer(frame: Buffer): Buffer {
  return frame.subarray(0, ETHERNET_BYTES + frame.readUInt16BE(ETHERNET_BYTES + 2));
}

/** To both at the same time; resolves when all of it has left. */
async function sendThroughBoth(batch: readonly RandomPacket[]): Promise<RandomPacket> {
  const marker = packets.plain({ source: SOURCE, group: EVERYWHERE, payloadBytes: 8 });
  await Promise.all(
    [xmcast, kernel].map(async (router) => {
      for (const packet of [...batch, marker]) await router.inject(packet);
      await router.hasLeft(marker.spec);
    }),
  );
  return marker;
}

interface Outcome {
  readonly port: EgressPort;
  readonly xmcast: readonly Buffer[];
  readonly kernel: readonly Buffer[];
}

/** Frames that no difference explains; what a difference forbids fails here. */
function unexplained(
  { port, ...frames }: Outcome,
  specs: ReadonlyMap<number, PacketSpec>,
  seen: Set<string>,
): { xmcast: string[]; kernel: string[] } {
  const remain = (who: 'xmcast' | 'kernel'): string[] =>
    frames[who]
      .filter((frame) => {
        const spec = specs.get(identificationOf(frame));
        if (spec === undefined) throw new Error(`${who} sent by ${port.name} what nobody sent to it: ${frame.toString('hex')}`);
        const differences = differencesOf(spec, port);
        for (const { name, onlyForwarder, because } of differences) {
          if (onlyForwarder !== who)
            throw new Error(`${who} let out by ${port.name}, against "${name}" (${because}): ${JSON.stringify(spec)}`);
          seen.add(name);
        }
        return differences.length === 0;
      })
      .map((frame) => withoutTrailer(frame).toString('hex'));
  return { xmcast: remain('xmcast'), kernel: remain('kernel') };
}

/** The first packet in which they part, with what it was: an equal list says nothing. */
function firstMismatch(
  mine: readonly string[],
  theirs: readonly string[],
  specs: ReadonlyMap<number, PacketSpec>,
): object | undefined {
  const at = mine.findIndex((frame, i) => frame !== theirs[i]);
  const place = at < 0 && mine.length < theirs.length ? mine.length : at;
  if (place < 0) return undefined;
  const describe = (frame: string | undefined): object => ({
    frame,
    spec: frame === undefined ? undefined : specs.get(identificationOf(Buffer.from(frame, 'hex'))),
  });
  return { place, xmcast: describe(mine[place]), kernel: describe(theirs[place]) };
}

describe.each(['xdp', 'tc'] as const)('ports in mode %s', (mode) => {
  beforeAll(async () => {
    lab = await Lab.create('diff');
    feeder = await lab.namespace('feeder');
    [xmcast, kernel] = await Promise.all([Router.create(lab, 'xmcast', feeder), Router.create(lab, 'kernel', feeder)]);
    await feeder.run(['ip', 'address', 'add', `${SOURCE}/24`, 'dev', 'xmcast-up0']);
    await Promise.all([forwardByXmcast(mode), forwardByKernel()]);
  });
  afterAll(async () => lab?.close());
  beforeEach(async () => {
    packets = new RandomPackets(seededRandom(SEED), WORLD);
    // A capture is empty but for what a router lets out: no host behind a port speaks.
    await Promise.all([xmcast, kernel].map((router) => router.capture('not arp and not ip6')));
  });
  afterEach(async () => {
    await Promise.all([xmcast, kernel].map((router) => router.stopCaptures()));
  });

  test(`${BATCHES * PACKETS_PER_BATCH} random packets leave both routers alike (seed ${SEED})`, async () => {
    const sent: RandomPacket[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const random = packets.take(PACKETS_PER_BATCH);
      sent.push(...random, await sendThroughBoth(random));
    }
    const specs = new Map(sent.map(({ spec }) => [spec.identification, spec]));
    const [mine, theirs] = await Promise.all([xmcast.stopCaptures(), kernel.stopCaptures()]);
    const seen = new Set<string>();
    PORTS.forEach((port, i) => {
      const alike = unexplained({ port, xmcast: mine[i] ?? [], kernel: theirs[i] ?? [] }, specs, seen);
      expect({ port: port.name, mismatch: firstMismatch(alike.xmcast, alike.kernel, specs) }).toEqual({
        port: port.name,
        mismatch: undefined,
      });
      // Otherwise two routers that forward nothing would agree.
      expect(alike.kernel.length).toBeGreaterThan(BATCHES * 20);
    });
    // A difference nobody sees is no difference.
    expect([...seen].sort()).toEqual(DIFFERENCES.map(({ name }) => name).sort());
  });

  test('every difference is told in the documentation', () => {
    const text = readFileSync(inRepository('docs/architecture.md'), 'utf8');
    for (const { name, onlyForwarder } of DIFFERENCES) expect(text).toContain(`| ${name} | ${onlyForwarder} |`);
  });

  test('padding travels with its packet and changes nothing in it', async () => {
    const lengths = [20, 21, 28, 29, 45, 46];
    const padded = lengths.map((bytes) =>
      packets.plain({ source: SOURCE, group: EVERYWHERE, payloadBytes: bytes - 20, trailingBytes: 46 - bytes }),
    );
    const marker = await sendThroughBoth(padded);
    for (const frames of await xmcast.stopCaptures()) {
      expect(frames.map((frame) => [frame.length, frame.readUInt16BE(ETHERNET_BYTES + 2)])).toEqual([
        ...lengths.map((bytes) => [60, bytes]),
        [42, 28],
      ]);
      frames
        .slice(0, -1)
        .forEach((frame, i) => expect(frame.subarray(34).equals(padded[i]?.frame.subarray(34) ?? Buffer.of())).toBe(true));
      expect(identificationOf(frames.at(-1) ?? Buffer.of())).toBe(marker.spec.identification);
    }
  });

  test('DSCP and ECN are kept: all 256 values', async () => {
    await sendThroughBoth(
      Array.from({ length: 256 }, (_, typeOfService) =>
        packets.plain({ source: SOURCE, group: EVERYWHERE, payloadBytes: 100, typeOfService }),
      ),
    );
    for (const frames of await xmcast.stopCaptures()) {
      expect(frames.slice(0, -1).map((frame) => frame.readUInt8(ETHERNET_BYTES + 1))).toEqual(
        Array.from({ length: 256 }, (_, value) => value),
      );
    }
  });

  test('a datagram of 9,000 bytes travels in fragments and is whole again behind the router', async () => {
    const count = 50;
    const receiver = await lab.receiver(new Host(xmcast.peers, 'lan2', '10.1.2.10'), { joins: [ONLY_LAN2] });
    const sender = await lab.sender(new Host(feeder, 'xmcast-up0', SOURCE), {
      group: ONLY_LAN2,
      source: SOURCE,
      count,
      rate: 200,
      size: 9000,
    });
    expect((await sender.finished()).sent).toBe(count);
    const flow = await eventually(
      async () => {
        const found = await receiver.flow({ group: ONLY_LAN2, streamId: sender.streamId });
        return found.received === count ? found : undefined;
      },
      { what: 'every datagram is whole' },
    );
    expect(flow).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0, reordered: 0, ttlMin: 63, ttlMax: 63 });
  });
});
