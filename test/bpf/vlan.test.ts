/**
 * Tagged frames, one at a time: which port they are of, what the programs make of them, byte for byte. The kernel runs the real programs;
 * what leaves by tc is its last copy. Several copies side by side are test/netns/trunk.test.ts.
 */
import { RingBufferReader } from '#bindings';
import { CASES, G, S } from './cases';
import { Forwarder, PORT_MAC, TC, VLAN, VLAN_MAC, VLAN_VPORT, VPORT, XDP } from './forwarder';
import { frame, hopped, tagged } from './packet';

const IP_BYTES = 128n;
const SOURCE_MAC = 6;
/** Priority 5, may be dropped first. */
const PRIORITY = 0xb000;
const PROVIDER = 0x88a8;
const inVlan = { tags: [{ tci: PRIORITY | VLAN }] };

let forwarder: Forwarder;
beforeEach(async () => {
  forwarder = await Forwarder.load();
  forwarder.setVlan(VLAN);
});
afterEach(() => forwarder.close());

test.each(CASES)('as untagged ones are: $name', ({ frame: options, route, ttlThreshold, verdict, drops = {}, punts = {}, rx = 1, accepted = 0 }) => {
  if (ttlThreshold !== undefined) forwarder.setVlan(VLAN, { ttlThreshold });
  if (route !== undefined) forwarder.setRoute(route.source, G, { incoming: VLAN_VPORT, ...route.options });
  const data = frame(options);
  const result = forwarder.run(tagged(data, ...inVlan.tags));
  expect(result.verdict).toBe(verdict);
  // What goes on has lost its tag; what does not is as it came.
  expect(Buffer.from(result.out)).toEqual(Buffer.from(verdict === XDP.REDIRECT ? hopped(data) : tagged(data, ...inVlan.tags)));
  expect(forwarder.drops(VLAN_VPORT)).toEqual(drops);
  expect(forwarder.punts(VLAN_VPORT)).toEqual(punts);
  expect(Number(forwarder.vport(VLAN_VPORT).rxPackets)).toBe(rx);
  expect(Number(forwarder.route().packets)).toBe(accepted);
  expect(forwarder.vport(VPORT)).toMatchObject({ rxPackets: 0n, acceptedPackets: 0n });
});

test('a priority tag names no VLAN: the frame is of the untagged port', () => {
  forwarder.setRoute(S, G, {});
  const { verdict, out } = forwarder.run(frame({ tags: [{ tci: PRIORITY }] }));
  expect(verdict).toBe(XDP.REDIRECT);
  expect(Buffer.from(out)).toEqual(Buffer.from(hopped(frame())));
  expect(forwarder.vport(VPORT)).toMatchObject({ rxPackets: 1n, rxBytes: IP_BYTES, acceptedPackets: 1n });
});

test('a VLAN without a port of its own is left to the host, uncounted', () => {
  forwarder.setRoute(S, G, {});
  const data = frame({ tags: [{ tci: 101 }] });
  const { verdict, out } = forwarder.run(data);
  expect(verdict).toBe(XDP.PASS);
  expect(Buffer.from(out)).toEqual(Buffer.from(data));
  expect(forwarder.run(frame({ tags: [{ tci: 101 }], protocol: 2, firstByte: 0x16 })).verdict).toBe(XDP.PASS);
  for (const vport of [VPORT, VLAN_VPORT]) expect(forwarder.vport(vport)).toMatchObject({ rxPackets: 0n, punts: [0n, 0n, 0n, 0n, 0n, 0n] });
});

test.each([
  { name: 'two tags', tags: [{ tci: VLAN }, { tci: 7 }], vport: VLAN_VPORT },
  { name: 'a provider tag', tags: [{ tci: VLAN, type: PROVIDER }], vport: VPORT },
  { name: 'a tag behind that of a provider', tags: [{ tci: VLAN, type: PROVIDER }, { tci: VLAN }], vport: VPORT },
  { name: 'a tag behind a priority tag', tags: [{ tci: PRIORITY }, { tci: VLAN }], vport: VPORT },
])('$name: left to the host and counted', ({ tags, vport }) => {
  forwarder.setRoute(S, G, { incoming: vport });
  const data = frame({ tags });
  const { verdict, out } = forwarder.run(data);
  expect(verdict).toBe(XDP.PASS);
  expect(Buffer.from(out)).toEqual(Buffer.from(data));
  expect(forwarder.drops(vport)).toEqual({ stacked_tag: 1 });
  expect(forwarder.vport(vport)).toMatchObject({ rxPackets: 1n, rxBytes: IP_BYTES, acceptedPackets: 0n });
});

test('more tags than two, and tags with nothing behind them, are left to the host', () => {
  const tag = { tci: VLAN };
  for (const data of [frame({ tags: [tag, tag, tag] }), frame({ tags: [tag] }).subarray(0, 16), frame({ tags: [tag] }).subarray(0, 18), frame({ tags: [tag, tag] }).subarray(0, 22)]) {
    expect(forwarder.run(data).verdict).toBe(XDP.PASS);
  }
  expect(forwarder.vport(VLAN_VPORT).rxPackets).toBe(0n);
});

test.each([
  { name: 'from the frame, where XDP has it', send: (data: Uint8Array) => void forwarder.run(data) },
  { name: 'from beside the frame, where tc has it', send: (data: Uint8Array) => void forwarder.resend(data) },
])('the controller gets a frame with its tag: $name', async ({ send }) => {
  const data = frame({ ...inVlan, payload: 301 });
  const [record] = await new Promise<Uint8Array[]>((resolve) => {
    const reader = new RingBufferReader(forwarder.puntMap(), (records) => {
      reader.close();
      resolve(records);
    });
    send(data);
  });
  const punt = forwarder.abi.readPunt(record!);
  expect(punt).toMatchObject({ class: 'no_route', vport: VLAN_VPORT, frameBytes: data.length });
  expect(Buffer.from(punt?.frame ?? [])).toEqual(Buffer.from(data));
});

test('any bytes behind a tag: a verdict of ours, and every data packet is accounted for', () => {
  forwarder.setRoute('*', G, { incoming: VLAN_VPORT, learn: true });
  let redirected = 0n;
  let seed = 1;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let i = 0; i < 3000; i++) {
    const data = frame({ payload: random(200), tags: random(4) === 0 ? [{ tci: VLAN }, { tci: random(65536) }] : [{ tci: random(2) * PRIORITY | VLAN }] });
    for (let flips = random(4); flips > 0; flips--) data[random(64)] = random(256);
    const { verdict } = forwarder.run(random(2) === 0 ? data : data.subarray(0, 14 + random(data.length - 13)));
    expect([XDP.PASS, XDP.DROP, XDP.REDIRECT]).toContain(verdict);
    if (verdict === XDP.REDIRECT) redirected++;
  }
  const ports = [VPORT, VLAN_VPORT].map((vport) => forwarder.vport(vport));
  const sum = (values: readonly bigint[]): bigint => values.reduce((total, value) => total + value, 0n);
  const noRoute = sum([VPORT, VLAN_VPORT].map((vport) => BigInt(forwarder.punts(vport)['no_route'] ?? 0)));
  expect(forwarder.vport(VLAN_VPORT).rxPackets).toBeGreaterThan(500n);
  expect(redirected).toBeGreaterThan(100n);
  expect(sum(ports.map(({ acceptedPackets }) => acceptedPackets))).toBe(redirected);
  expect(sum(ports.map(({ drops }) => sum(drops))) + redirected + noRoute).toBe(sum(ports.map(({ rxPackets }) => rxPackets)));
});

describe('tc', () => {
  test.each([
    { name: 'in untagged, out untagged', from: VPORT, to: [VPORT], mac: PORT_MAC },
    { name: 'in untagged, out tagged', from: VPORT, to: [VLAN_VPORT], mac: VLAN_MAC },
    { name: 'in tagged, out untagged', from: VLAN_VPORT, to: [VPORT], mac: PORT_MAC },
    { name: 'in tagged, out by the same VLAN', from: VLAN_VPORT, to: [VLAN_VPORT], mac: VLAN_MAC },
    { name: 'out by both', from: VLAN_VPORT, to: [VPORT, VLAN_VPORT], mac: VLAN_MAC },
  ])('$name', ({ from, to, mac }) => {
    forwarder.fillTrunkGroup(0, to);
    forwarder.setRoute(S, G, { viaTc: true, incoming: from, copies: to.length, toVlans: to.includes(VLAN_VPORT) });
    const { verdict, out } = forwarder.resend(from === VLAN_VPORT ? frame(inVlan) : frame());
    expect(verdict).toBe(TC.SHOT);
    const copy = Buffer.from(hopped(frame()));
    copy.set(mac, SOURCE_MAC);
    // The tag is beside the frame until a driver wants it.
    expect(Buffer.from(out)).toEqual(copy);
    const copies = BigInt(to.length);
    expect(forwarder.route()).toMatchObject({ packets: 1n, bytes: IP_BYTES, expected: copies, copies, copyBytes: copies * IP_BYTES, failed: 0n, dropped: 0n });
    for (const vport of [VPORT, VLAN_VPORT]) {
      expect(forwarder.vport(vport)).toMatchObject({ resentPackets: vport === from ? 1n : 0n, acceptedPackets: vport === from ? 1n : 0n, txPackets: to.includes(vport) ? 1n : 0n });
    }
  });

  test('each copy has the TTL threshold and the MTU of its own port', () => {
    forwarder.fillTrunkGroup(0, [VPORT, VLAN_VPORT]);
    forwarder.setRoute(S, G, { viaTc: true, toVlans: true });
    forwarder.setVlan(VLAN, { ttlThreshold: 8, mtu: 128 });
    forwarder.runTc(frame({ ttl: 8 }));
    forwarder.runTc(frame({ payload: 101 }));
    forwarder.runTc(frame());
    expect(forwarder.drops(VLAN_VPORT)).toEqual({ ttl_out: 1, too_big: 1 });
    expect(forwarder.route()).toMatchObject({ expected: 6n, copies: 4n, dropped: 2n, ttlDrops: 1n });
    expect([forwarder.vport(VPORT).txPackets, forwarder.vport(VLAN_VPORT).txPackets]).toEqual([3n, 1n]);
  });

  test('a slot whose port is not known sends nothing, least of all untagged', () => {
    forwarder.fillGroup(0, 1);
    forwarder.setRoute(S, G, { viaTc: true, copies: 1, toVlans: true });
    forwarder.resend(frame());
    expect(forwarder.route()).toMatchObject({ expected: 1n, copies: 0n, failed: 0n, dropped: 0n });
  });
});

test('in XDP a route to VLANs takes along which group its copies are of', () => {
  forwarder.fillTrunkGroup(0, [VPORT, VLAN_VPORT]);
  forwarder.setRoute(S, G, { incoming: VLAN_VPORT, toVlans: true });
  const { verdict, out } = forwarder.run(frame(inVlan));
  expect(verdict).toBe(XDP.REDIRECT);
  expect(Buffer.from(out)).toEqual(Buffer.from(hopped(frame())));
});
