/**
 * What the tc program does with one packet. Run by the kernel (BPF_PROG_TEST_RUN), which sends the copies for real: by the loopback
 * device.
 */
import { CASES, G, S } from './cases';
import { Forwarder, PORT_MAC, TC, VPORT, XDP } from './forwarder';
import { ETHERNET_BYTES, frame, hopped } from './packet';

const IP_BYTES = 128n;
const SOURCE_MAC = 6;

let forwarder: Forwarder;
beforeEach(async () => {
  forwarder = await Forwarder.load();
  forwarder.setVport({ hasXdp: false });
});
afterEach(() => forwarder.close());

test.each(CASES)('as XDP would: $name', ({ frame: options, route, ttlThreshold, verdict, drops = {}, punts = {}, rx = 1, accepted = 0 }) => {
  if (ttlThreshold !== undefined) forwarder.setVport({ ttlThreshold, hasXdp: false });
  if (route !== undefined) forwarder.setRoute(route.source, G, { viaTc: true, ...route.options });
  expect(forwarder.runTc(frame(options)).verdict).toBe(verdict === XDP.PASS ? TC.NEXT : TC.SHOT);
  expect(forwarder.drops()).toEqual(drops);
  expect(forwarder.punts()).toEqual(punts);
  expect(Number(forwarder.vport().rxPackets)).toBe(rx);
  expect(Number(forwarder.route().packets)).toBe(accepted);
});

test('every copy is counted as sent, with its bytes; the packet itself goes no further', () => {
  forwarder.fillGroup(0, 2);
  forwarder.setRoute(S, G, { viaTc: true });
  const data = frame({ padding: 10 });
  const { verdict, out } = forwarder.runTc(data);
  expect(verdict).toBe(TC.SHOT);
  const copy = Buffer.from(hopped(data));
  copy.set(PORT_MAC, SOURCE_MAC);
  // What is left is the last copy.
  expect(Buffer.from(out)).toEqual(copy);
  expect(forwarder.route()).toMatchObject({ packets: 1n, bytes: IP_BYTES, expected: 2n, copies: 2n, copyBytes: 2n * IP_BYTES, failed: 0n, dropped: 0n });
  expect(forwarder.vport()).toMatchObject({ rxPackets: 1n, acceptedPackets: 1n, txPackets: 2n, txBytes: 2n * IP_BYTES });
});

test('a slot without device is passed over', () => {
  forwarder.fillGroup(0, 1);
  forwarder.setRoute(S, G, { viaTc: true, copies: 3 });
  forwarder.runTc(frame());
  expect(forwarder.route()).toMatchObject({ expected: 3n, copies: 1n, failed: 0n, dropped: 0n });
});

test.each([
  { name: 'by a route with copies', copies: 2 },
  { name: 'by a route without', copies: 0 },
])('the machine itself gets the packet as it came: $name', ({ copies }) => {
  forwarder.fillGroup(0, copies);
  forwarder.setRoute(S, G, { viaTc: true, local: true, copies });
  forwarder.addMember(VPORT);
  for (let i = 0; i < 64; i++) {
    const data = frame({ ttl: 2 + 3 * i, identification: i * 997 });
    const { verdict, out } = forwarder.runTc(data);
    expect(verdict).toBe(TC.NEXT);
    expect(Buffer.from(out)).toEqual(Buffer.from(data));
  }
  expect(forwarder.route()).toMatchObject({ packets: 64n, copies: BigInt(64 * copies) });
  expect(forwarder.drops()).toEqual({});
});

test('the machine itself gets what has no hop left, too, which is forwarded nowhere', () => {
  forwarder.fillGroup(0, 2);
  forwarder.setRoute(S, G, { viaTc: true, local: true });
  forwarder.addMember(VPORT);
  expect(forwarder.runTc(frame({ ttl: 1 })).verdict).toBe(TC.NEXT);
  expect(forwarder.drops()).toEqual({ ttl_in: 1 });
  expect(forwarder.route()).toMatchObject({ packets: 0n, copies: 0n, ttlDrops: 1n });
});

test('the machine itself gets what comes in where it is a member, by the interface of the route or not', () => {
  forwarder.setRoute(S, G, { viaTc: true, local: true, incoming: 2 });
  forwarder.addMember(2);
  expect(forwarder.runTc(frame()).verdict).toBe(TC.SHOT);
  forwarder.addMember(VPORT);
  const data = frame();
  const { verdict, out } = forwarder.runTc(data);
  expect(verdict).toBe(TC.NEXT);
  expect(Buffer.from(out)).toEqual(Buffer.from(data));
  expect(forwarder.drops()).toEqual({ wrong_interface: 2 });
});

test('the machine itself gets what is a question too, and the controller hears that it has it', () => {
  forwarder.setRoute('*', G, { viaTc: true, local: true, learn: true, incoming: 2 });
  forwarder.addMember(VPORT);
  expect(forwarder.runTc(frame()).verdict).toBe(TC.NEXT);
  expect(forwarder.punts()).toEqual({ no_route: 1 });
});

describe('what the machine itself sends', () => {
  const own = (): Uint8Array => {
    const data = frame();
    data.set(PORT_MAC, SOURCE_MAC);
    return data;
  };

  test('is forwarded as if it had come in, and leaves as it was', () => {
    forwarder.fillGroup(0, 2);
    forwarder.setRoute(S, G, {});
    const { verdict, out } = forwarder.runOriginated(own());
    expect(verdict).toBe(TC.NEXT);
    expect(Buffer.from(out)).toEqual(Buffer.from(own()));
    expect(forwarder.route()).toMatchObject({ packets: 1n, bytes: IP_BYTES, expected: 2n, copies: 2n });
    expect(forwarder.vport()).toMatchObject({ rxPackets: 0n, originatedPackets: 1n, acceptedPackets: 1n, txPackets: 2n });
  });

  test.each([
    { name: 'without a route', drops: {}, punts: { no_route: 1 } },
    { name: 'that nobody else wants', route: { copies: 0 }, drops: {}, punts: {} },
    { name: 'by another interface than its source is at', route: { incoming: 2 }, drops: { wrong_interface: 1 }, punts: { wrong_interface: 1 } },
  ])('leaves all the same: $name', ({ route, drops, punts }) => {
    if (route !== undefined) forwarder.setRoute(S, G, route);
    expect(forwarder.runOriginated(own()).verdict).toBe(TC.NEXT);
    expect(forwarder.drops()).toEqual(drops);
    expect(forwarder.punts()).toEqual(punts);
    expect(forwarder.vport().originatedPackets).toBe(1n);
  });

  test('is not what stations behind the same port send, nor what was forwarded', () => {
    forwarder.setRoute(S, G, {});
    expect(forwarder.runOriginated(frame()).verdict).toBe(TC.NEXT);
    expect(forwarder.vport()).toMatchObject({ originatedPackets: 0n, acceptedPackets: 0n });
  });

  test('is announced when it is a report of IGMP, but no query', () => {
    for (const firstByte of [0x22, 0x16, 0x11]) {
      const data = frame({ protocol: 2, firstByte });
      data.set(PORT_MAC, SOURCE_MAC);
      expect(forwarder.runOriginated(data).verdict).toBe(TC.NEXT);
    }
    expect(forwarder.punts()).toEqual({ igmp_report: 2 });
  });
});

test('a copy needs a TTL above the threshold of its port', () => {
  forwarder.fillGroup(0, 2);
  forwarder.setRoute(S, G, { viaTc: true });
  forwarder.setVport({ ttlThreshold: 8, hasXdp: false });
  forwarder.runTc(frame({ ttl: 8 }));
  expect(forwarder.route()).toMatchObject({ packets: 1n, expected: 2n, copies: 0n, dropped: 2n, ttlDrops: 2n });
  expect(forwarder.drops()).toEqual({ ttl_out: 2 });
  forwarder.runTc(frame({ ttl: 9 }));
  expect(forwarder.route()).toMatchObject({ expected: 4n, copies: 2n, dropped: 2n });
});

test('a copy must fit the MTU of its port', () => {
  forwarder.fillGroup(0, 1);
  forwarder.setRoute(S, G, { viaTc: true, copies: 1 });
  forwarder.setVport({ mtu: 128, hasXdp: false });
  forwarder.runTc(frame({ payload: 100 }));
  forwarder.runTc(frame({ payload: 101 }));
  expect(forwarder.route()).toMatchObject({ expected: 2n, copies: 1n, dropped: 1n });
  expect(forwarder.drops()).toEqual({ too_big: 1 });
});

test('what (*,G) forwards is counted by source, copies too', () => {
  forwarder.fillGroup(0, 2);
  forwarder.setRoute('*', G, { viaTc: true, learn: true });
  for (let i = 0; i < 3; i++) forwarder.runTc(frame());
  expect(forwarder.recent(S, G)).toMatchObject({ packets: 3n, bytes: 3n * IP_BYTES, expected: 6n, copies: 6n, copyBytes: 6n * IP_BYTES });
  expect(forwarder.punts()).toEqual({ new_source: 1 });
});

test('behind XDP: what XDP has seen to is neither announced nor counted again', () => {
  forwarder.setVport({ hasXdp: true });
  for (const options of [{ protocol: 2, firstByte: 0x16 }, { protocol: 103, group: '224.0.0.13' }, { ipOptions: [7, 4, 4, 0] }]) expect(forwarder.runTc(frame(options)).verdict).toBe(TC.NEXT);
  expect(forwarder.punts()).toEqual({});
  expect(forwarder.drops()).toEqual({});
  expect(forwarder.vport().rxPackets).toBe(0n);
});

test('behind XDP: a packet too large for XDP is forwarded by the route of all others', () => {
  forwarder.setVport({ mtu: 9000, hasXdp: true });
  forwarder.fillGroup(0, 2);
  forwarder.setRoute(S, G, {});
  const data = frame({ payload: 3401 - ETHERNET_BYTES - 28 });
  expect(forwarder.run(data).verdict).toBe(XDP.PASS);
  expect(forwarder.runTc(data).verdict).toBe(TC.SHOT);
  expect(forwarder.vport()).toMatchObject({ rxPackets: 1n, acceptedPackets: 1n, txPackets: 2n });
});

test('the first packet, sent on when its route is there, is not received twice', () => {
  forwarder.fillGroup(0, 2);
  forwarder.runTc(frame());
  forwarder.setRoute(S, G, {});
  forwarder.resend(frame());
  expect(forwarder.vport()).toMatchObject({ rxPackets: 1n, resentPackets: 1n, acceptedPackets: 1n, txPackets: 2n });
  expect(forwarder.route()).toMatchObject({ packets: 1n, copies: 2n });
});

test('the first packet is not sent on when a later one has gone before it, but where others than its stream go by the route', () => {
  forwarder.fillGroup(0, 2);
  forwarder.setRoute(S, G, { viaTc: true });
  forwarder.runTc(frame());
  forwarder.resend(frame());
  expect(forwarder.route()).toMatchObject({ packets: 1n, copies: 2n });
  expect(forwarder.vport()).toMatchObject({ rxPackets: 1n, resentPackets: 1n, acceptedPackets: 1n });
  expect(forwarder.drops()).toEqual({ no_route: 1 });
  forwarder.setRoute('*', G, { viaTc: true, learn: true });
  forwarder.resend(frame({ source: '10.100.0.77' }));
  expect(forwarder.route()).toMatchObject({ packets: 2n });
});

test('a port that is not ours passes everything', () => {
  forwarder.removePort();
  forwarder.setRoute(S, G, { viaTc: true });
  expect(forwarder.runTc(frame()).verdict).toBe(TC.NEXT);
  expect(forwarder.runTc(frame({ protocol: 2 })).verdict).toBe(TC.NEXT);
});

test('any bytes: a verdict of ours, and every data packet is accounted for', () => {
  forwarder.fillGroup(0, 1);
  forwarder.setRoute('*', G, { viaTc: true, learn: true, copies: 1 });
  let seed = 1;
  const random = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let i = 0; i < 3000; i++) {
    const data = frame({ payload: random(200) });
    for (let flips = random(6); flips > 0; flips--) data[random(60)] = random(256);
    const end = random(4) === 0 ? 34 + random(data.length - 33) : data.length;
    expect([TC.NEXT, TC.SHOT]).toContain(forwarder.runTc(data.subarray(0, end)).verdict);
  }
  const { rxPackets, acceptedPackets, txPackets, drops } = forwarder.vport();
  const ttlOut = BigInt(forwarder.drops()['ttl_out'] ?? 0);
  expect(acceptedPackets).toBeGreaterThan(500n);
  expect(txPackets + ttlOut).toBe(acceptedPackets);
  expect(drops.reduce((sum, count) => sum + count, 0n) - ttlOut + acceptedPackets + BigInt(forwarder.punts()['no_route'] ?? 0)).toBe(rxPackets);
});
