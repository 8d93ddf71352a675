/** What the ingress program does with one packet: verdict, counters, punts. The kernel runs the real program (BPF_PROG_TEST_RUN). */
import { RingBufferReader } from '#bindings';
import { CASES, G, S } from './cases';
import { Forwarder, XDP } from './forwarder';
import { ETHERNET_BYTES, frame, hopped } from './packet';

const IP_BYTES = 128n;

let forwarder: Forwarder;
beforeEach(async () => {
  forwarder = await Forwarder.load();
});
afterEach(() => forwarder.close());

test.each(CASES)('$name', ({ frame: options, route, ttlThreshold, verdict, drops = {}, punts = {}, rx = 1, accepted = 0 }) => {
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

test('a frame too large to be cloned is left to the tc program, uncounted', () => {
  forwarder.setRoute(S, G, {});
  expect(forwarder.run(frame({ payload: 3400 - ETHERNET_BYTES - 28 })).verdict).toBe(XDP.REDIRECT);
  expect(forwarder.run(frame({ payload: 3401 - ETHERNET_BYTES - 28 })).verdict).toBe(XDP.PASS);
  expect(forwarder.vport().rxPackets).toBe(1n);
});

test('so is what takes a route that XDP cannot serve', () => {
  forwarder.setRoute(S, G, { viaTc: true });
  const data = frame();
  const { verdict, out } = forwarder.run(data);
  expect(verdict).toBe(XDP.PASS);
  expect(Buffer.from(out)).toEqual(Buffer.from(data));
  expect(forwarder.vport().rxPackets).toBe(0n);
  expect(forwarder.route()).toMatchObject({ packets: 0n, expected: 0n });
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
  for (const program of [forwarder.ingress, forwarder.egress, forwarder.tc]) {
    expect(program.info.translatedInstructions).toBeGreaterThan(100);
    expect(program.info.verifiedInstructions).toBeGreaterThan(0);
    expect(program.info.verifiedInstructions).toBeLessThan(200_000);
  }
});
