/** What the ingress program does with one packet: verdict, counters, punts. The kernel runs the real program (BPF_PROG_TEST_RUN). */
import { RingBufferReader } from '#bindings';
import type { InstalledRoute } from '../../control/dataplane/abi';
import { Forwarder, XDP } from './forwarder';
import { ETHERNET_BYTES, frame, hopped, type FrameOptions } from './packet';

const S = '10.100.0.10';
const G = '239.1.1.1';
const IP_BYTES = 128n;

let forwarder: Forwarder;
beforeEach(async () => {
  forwarder = await Forwarder.load();
});
afterEach(() => forwarder.close());

interface Case {
  readonly name: string;
  readonly frame: FrameOptions;
  readonly route?: { readonly source: string; readonly options: Partial<InstalledRoute> };
  readonly ttlThreshold?: number;
  readonly verdict: number;
  readonly drops?: Record<string, number>;
  readonly punts?: Record<string, number>;
  /** Multicast data packets counted on the port. Default: 1 when anything is expected to be dropped or redirected. */
  readonly rx?: number;
  readonly accepted?: number;
}

const toMembers = { source: S, options: {} };
const cases: readonly Case[] = [
  { name: 'not IPv4', frame: { etherType: 0x86dd }, verdict: XDP.PASS, rx: 0 },
  { name: 'unicast IPv4', frame: { group: '10.1.1.1', destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 1) }, verdict: XDP.PASS, rx: 0 },
  { name: '224.0.0.0/24 stays on the link', frame: { group: '224.0.0.251' }, route: toMembers, verdict: XDP.PASS, rx: 0 },
  { name: 'IGMP report', frame: { protocol: 2, firstByte: 0x16 }, verdict: XDP.PASS, punts: { igmp_report: 1 }, rx: 0 },
  { name: 'IGMP query', frame: { protocol: 2, firstByte: 0x11, group: '224.0.0.1' }, verdict: XDP.PASS, punts: { igmp_query: 1 }, rx: 0 },
  { name: 'PIM hello', frame: { protocol: 103, group: '224.0.0.13' }, verdict: XDP.PASS, punts: { pim: 1 }, rx: 0 },
  { name: 'IGMP with options finds its type behind them', frame: { protocol: 2, firstByte: 0x11, headerLength: 6 }, verdict: XDP.PASS, punts: { igmp_query: 1 }, rx: 0 },
  { name: 'IGMP to a group that has a route is not forwarded', frame: { protocol: 2, firstByte: 0x16 }, route: toMembers, verdict: XDP.PASS, punts: { igmp_report: 1 }, rx: 0 },
  { name: '(S,G)', frame: {}, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'padding behind a short packet', frame: { payload: 4, padding: 14 }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'no route', frame: {}, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: 'a route of another source', frame: { source: '10.100.0.11' }, route: toMembers, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(*,G) announces the source', frame: {}, route: { source: '*', options: { learn: true } }, verdict: XDP.REDIRECT, accepted: 1, punts: { new_source: 1 } },
  { name: '(*,G) by another interface is a question', frame: {}, route: { source: '*', options: { learn: true, incoming: 2 } }, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(*,G) without incoming interface is a question', frame: {}, route: { source: '*', options: { learn: true, incoming: undefined } }, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(S,G) by another interface', frame: {}, route: { source: S, options: { incoming: 2 } }, verdict: XDP.DROP, drops: { wrong_interface: 1 }, punts: { wrong_interface: 1 } },
  { name: 'everybody excludes the source', frame: {}, route: { source: S, options: { copies: 0 } }, verdict: XDP.DROP, drops: { no_receivers: 1 }, accepted: 1 },
  { name: 'a group that is not there', frame: {}, route: { source: S, options: { group: 63 } }, verdict: XDP.DROP, drops: { no_group: 1 }, accepted: 1 },
  { name: 'TTL 2 is enough by default', frame: { ttl: 2 }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'TTL 1 goes no further', frame: { ttl: 1 }, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL 0', frame: { ttl: 0 }, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL below the threshold', frame: { ttl: 15 }, ttlThreshold: 16, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL at the threshold', frame: { ttl: 16 }, ttlThreshold: 16, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'TTL not above the threshold of the route', frame: { ttl: 20 }, route: { source: S, options: { ttlThreshold: 20 } }, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL above the threshold of the route', frame: { ttl: 21 }, route: { source: S, options: { ttlThreshold: 20 } }, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'IP header checksum', frame: { checksum: 0x1234 }, route: toMembers, verdict: XDP.DROP, drops: { bad_checksum: 1 } },
  { name: 'IP version 5', frame: { version: 5 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'header of 16 bytes', frame: { headerLength: 4 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'total length below the header', frame: { totalLength: 19 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'total length beyond the frame', frame: { totalLength: 129 }, route: toMembers, verdict: XDP.DROP, drops: { truncated: 1 } },
  { name: 'IP options are left to the host', frame: { headerLength: 6 }, route: toMembers, verdict: XDP.PASS, drops: { ip_options: 1 } },
  { name: 'source 0.0.0.0', frame: { source: '0.0.0.0' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source 127.0.0.1', frame: { source: '127.0.0.1' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source of class D', frame: { source: '224.1.1.1' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source 255.255.255.255', frame: { source: '255.255.255.255' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'MAC of another group', frame: { destinationMac: Uint8Array.of(1, 0, 0x5e, 1, 1, 2) }, route: toMembers, verdict: XDP.DROP, drops: { mac_mismatch: 1 } },
  { name: 'unicast MAC', frame: { destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 1) }, route: toMembers, verdict: XDP.DROP, drops: { mac_mismatch: 1 } },
];

test.each(cases)('$name', ({ frame: options, route, ttlThreshold, verdict, drops = {}, punts = {}, rx = 1, accepted = 0 }) => {
  if (ttlThreshold !== undefined) forwarder.setVport({ ttlThreshold });
  if (route !== undefined) forwarder.setRoute(route.source, G, route.options);
  const data = frame(options);
  const result = forwarder.run(data);
  expect(result.verdict).toBe(verdict);
  // What goes on has one hop behind it; what does not is as it came.
  expect(Buffer.from(result.out)).toEqual(Buffer.from(verdict === XDP.REDIRECT ? hopped(data) : data));
  expect(forwarder.drops()).toEqual(drops);
  expect(forwarder.punts()).toEqual(punts);
  expect(Number(forwarder.vport().rxPackets)).toBe(rx);
  expect(Number(forwarder.route().packets)).toBe(accepted);
});

test('the checksum is right for any TTL and any checksum before', () => {
  forwarder.setRoute(S, G, {});
  for (let i = 0; i < 4096; i++) {
    const data = frame({ ttl: 2 + (i % 254), identification: (i * 0x9e37) & 0xffff });
    expect(Buffer.from(forwarder.run(data).out).equals(Buffer.from(hopped(data)))).toBe(true);
  }
});

test('bytes are those of the IP packet, without Ethernet header and padding', () => {
  forwarder.setRoute(S, G, {});
  forwarder.run(frame({ padding: 40 }));
  expect(forwarder.route().bytes).toBe(IP_BYTES);
  expect(forwarder.vport().rxBytes).toBe(IP_BYTES);
});

test('one copy needs no broadcast; when its slot is empty nothing leaves', () => {
  forwarder.setRoute(S, G, { copies: 1 });
  expect(forwarder.run(frame()).verdict).toBe(XDP.DROP);
  expect(forwarder.route()).toMatchObject({ packets: 1n, expected: 1n, copies: 0n });
});

test('a frame too large to be cloned is dropped', () => {
  forwarder.setRoute(S, G, {});
  expect(forwarder.run(frame({ payload: 3400 - ETHERNET_BYTES - 28 })).verdict).toBe(XDP.REDIRECT);
  expect(forwarder.run(frame({ payload: 3401 - ETHERNET_BYTES - 28 })).verdict).toBe(XDP.DROP);
  expect(forwarder.drops()).toEqual({ too_big: 1 });
});

test.each([
  { name: 'both in the index', sg: true, star: true },
  { name: '(*,G) in the index', sg: false, star: true },
  { name: '(S,G) in the index', sg: true, star: false },
  { name: 'none in the index', sg: false, star: false },
])('(S,G) goes before (*,G): $name', ({ sg, star }) => {
  forwarder.setRoute('*', G, { learn: true, counter: 1, indexed: star });
  forwarder.setRoute(S, G, { counter: 2, indexed: sg });
  forwarder.run(frame());
  forwarder.run(frame({ source: '10.100.0.11' }));
  expect([forwarder.route(1).packets, forwarder.route(2).packets]).toEqual([1n, 1n]);
});

test('every route is found, in its bucket or beyond it', () => {
  const sources = Array.from({ length: 1000 }, (_, i) => `10.${(i * 37) % 200}.${(i * i) % 251}.${(i * 101) % 253}`);
  sources.forEach((source, counter) => forwarder.setRoute(source, G, { counter }));
  for (const source of sources) forwarder.run(frame({ source }));
  expect(sources.map((_, counter) => Number(forwarder.route(counter).packets))).toEqual(sources.map(() => 1));
  expect(forwarder.indexed).toBeGreaterThan(800);
  expect(forwarder.indexed).toBeLessThan(1000);
});

test('a port that is not ours passes everything', () => {
  forwarder.removePort();
  forwarder.setRoute(S, G, {});
  expect(forwarder.run(frame()).verdict).toBe(XDP.PASS);
  expect(forwarder.run(frame({ protocol: 2 })).verdict).toBe(XDP.PASS);
});

test('a stream without route is announced once a second, not with every packet', () => {
  for (let i = 0; i < 50; i++) forwarder.run(frame());
  // The first is with the controller, the others are lost.
  expect(forwarder.punts()).toEqual({ no_route: 1 });
  expect(forwarder.drops()).toEqual({ no_route: 49 });
});

test('what (*,G) forwards is counted by source', () => {
  forwarder.setRoute('*', G, { learn: true });
  for (let i = 0; i < 3; i++) forwarder.run(frame());
  forwarder.run(frame({ source: '10.100.0.11' }));
  expect(forwarder.recent(S, G)).toMatchObject({ packets: 3n, bytes: 3n * IP_BYTES });
  expect(forwarder.recent('10.100.0.11', G)).toMatchObject({ packets: 1n });
  expect(forwarder.punts()).toEqual({ new_source: 2 });
});

test('each class has a policer of its own: a flood of reports starves no query', () => {
  forwarder.setPolicer(0, 1, 5);
  for (let i = 0; i < 20; i++) forwarder.run(frame({ protocol: 2, firstByte: 0x16 }));
  forwarder.run(frame({ protocol: 2, firstByte: 0x11 }));
  expect(forwarder.punts()).toEqual({ igmp_report: 5, igmp_query: 1 });
  expect(forwarder.policed()).toEqual({ igmp_report: 15 });
});

test('the policer of all ports together holds back what the port would admit, and only its own class', () => {
  forwarder.setTotalPolicer(0, 1, 3);
  for (let i = 0; i < 20; i++) forwarder.run(frame({ protocol: 2, firstByte: 0x16 }));
  forwarder.run(frame({ protocol: 2, firstByte: 0x11 }));
  expect(forwarder.punts()).toEqual({ igmp_report: 3, igmp_query: 1 });
  expect(forwarder.policed()).toEqual({ igmp_report: 17 });
});

test('a packet sent on by the controller is not received twice', () => {
  forwarder.run(frame());
  forwarder.setRoute(S, G, {});
  expect(forwarder.resend(frame()).verdict).toBe(XDP.REDIRECT);
  expect(forwarder.vport()).toMatchObject({ rxPackets: 1n, resentPackets: 1n, acceptedPackets: 1n });
  expect(forwarder.route().packets).toBe(1n);
});

test('a punt carries the packet as it came, with its true length', async () => {
  const sent = [frame({ protocol: 2, firstByte: 0x16, payload: 1300 }), frame({ protocol: 2, firstByte: 0x16, payload: 7 }), frame({ payload: 2000, protocol: 2 })];
  const records = await new Promise<Uint8Array[]>((resolve) => {
    const seen: Uint8Array[] = [];
    const reader = new RingBufferReader(forwarder.puntMap(), (batch) => {
      seen.push(...batch);
      if (seen.length < sent.length) return;
      reader.close();
      resolve(seen);
    });
    for (const data of sent) forwarder.run(data);
  });
  const punts = records.map((record) => forwarder.abi.readPunt(record));
  const limit = forwarder.abi.constant('XM_PUNT_BYTES');
  punts.forEach((punt, i) => {
    const data = sent[i] ?? new Uint8Array();
    expect(punt).toMatchObject({ class: 'igmp_report', vport: 1, frameBytes: data.length });
    expect(Buffer.from(punt?.frame ?? [])).toEqual(Buffer.from(data.subarray(0, limit)));
  });
});

test('when the ring is full the loss is counted', () => {
  forwarder.setPolicer(0, 1_000_000, 10_000);
  // Large ones, of which 4 MiB hold some 2,700.
  for (let i = 0; i < 3000; i++) forwarder.run(frame({ protocol: 2, firstByte: 0x16, payload: 1000 }));
  const { punts, puntsLost } = forwarder.vport();
  expect(puntsLost[0]).toBeGreaterThan(0n);
  expect((punts[0] ?? 0n) + (puntsLost[0] ?? 0n)).toBe(3000n);
});

test('any bytes: a verdict of ours, and every data packet is accounted for', () => {
  forwarder.setRoute('*', G, { learn: true });
  let redirected = 0n;
  let seed = 1;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let i = 0; i < 5000; i++) {
    const data = frame({ payload: random(200) });
    for (let flips = random(6); flips > 0; flips--) data[random(60)] = random(256);
    const { verdict } = forwarder.run(data.subarray(0, 14 + random(data.length - 13)));
    expect([XDP.PASS, XDP.DROP, XDP.REDIRECT]).toContain(verdict);
    if (verdict === XDP.REDIRECT) redirected++;
  }
  const { rxPackets, acceptedPackets, drops } = forwarder.vport();
  expect(rxPackets).toBeGreaterThan(1000n);
  expect(acceptedPackets).toBe(redirected);
  expect(drops.reduce((sum, count) => sum + count, 0n) + redirected + BigInt(forwarder.punts()['no_route'] ?? 0)).toBe(rxPackets);
});

test('the verifier has far to go to its limit of a million', () => {
  for (const program of [forwarder.ingress, forwarder.egress]) {
    expect(program.info.translatedInstructions).toBeGreaterThan(100);
    expect(program.info.verifiedInstructions).toBeGreaterThan(0);
    expect(program.info.verifiedInstructions).toBeLessThan(200_000);
  }
});
