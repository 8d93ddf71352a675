/** Routes, ports and policers over the wire and back, and what is refused on the way. */
import fc from 'fast-check';
import { xmcast } from '#proto';
import { PUNT_CLASSES } from '../../../control/dataplane/api';
import type { WantedRoute } from '../../../control/mrib/route';
import { attachmentMessage, changeMessage, isSameRoute, policersMessage, portMessage, readAttachment, readChange, readKey, readPolicers, readPort, readRoute, routeMessage } from '../../../control/remote/wire-route';
import { ip } from '../router/fakes';

const MAX_VPORT = 63;
const overTheWire = <Message>(codec: { encode(message: Message): { finish(): Uint8Array }; decode(bytes: Uint8Array): Message }, message: Message): Message =>
  codec.decode(codec.encode(message).finish());

const prefix = (base: number, bits: number) => fc.integer({ min: bits, max: 32 }).chain((length) => fc.nat(2 ** (length - bits) - 1).map((low) => ({ address: (base + low * 2 ** (32 - length)) >>> 0, length })));
const wanted: fc.Arbitrary<WantedRoute> = fc
  .record({
    isRange: fc.boolean(),
    source: fc.option(prefix(ip('10.0.0.0'), 8), { nil: undefined }),
    group: prefix(ip('239.0.0.0'), 8),
    incoming: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
    outgoing: fc.uniqueArray(fc.integer({ min: 9, max: MAX_VPORT }), { maxLength: 8 }),
    ttlThreshold: fc.nat(255),
    local: fc.uniqueArray(fc.integer({ min: 1, max: MAX_VPORT }), { maxLength: 3 }),
  })
  .map(({ isRange, source, group, ttlThreshold, local, outgoing, ...rest }) => ({
    source: source?.address ?? 0,
    group: group.address,
    ...(isRange ? { groupLength: group.length, ...(source === undefined ? {} : { sourceLength: source.length }) } : {}),
    ...rest,
    outgoing: [...outgoing].sort((a, b) => a - b),
    ...(ttlThreshold === 0 ? {} : { ttlThreshold }),
    ...(local.length > 0 ? { local: [...local].sort((a, b) => a - b) } : {}),
  }));

test('every route comes back as it was, from a change too', () => {
  fc.assert(
    fc.property(wanted, (route) => {
      const read = readRoute(overTheWire(xmcast.v1.DataplaneRoute as never, routeMessage(route)), MAX_VPORT);
      expect(read).toEqual(route);
      expect(isSameRoute(route, read as WantedRoute)).toBe(true);
      expect(readChange(changeMessage({ kind: 'set', route }), MAX_VPORT)).toEqual({ kind: 'set', route });
    }),
  );
});

test('a controller that knows only of the incoming interface is understood', () => {
  const key = { source: ip('10.0.0.1'), group: ip('239.1.1.1') };
  expect(readRoute({ key, incoming: 3, outgoing: [5], local: true }, MAX_VPORT)).toMatchObject({ local: [3] });
  expect(readRoute({ key, incoming: 0, outgoing: [5], local: true }, MAX_VPORT)).not.toHaveProperty('local');
  expect(readRoute({ key, incoming: 3, localVports: [MAX_VPORT + 1] }, MAX_VPORT)).toContain('is not within');
});

test('bytes of any kind are read or refused, and never throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      let message: xmcast.v1.RouteChange;
      try {
        message = xmcast.v1.RouteChange.decode(bytes);
      } catch {
        // The runtime refuses it before we see it.
        return;
      }
      const read = readChange(message, MAX_VPORT);
      expect(typeof read === 'string' || read.kind === 'set' || read.kind === 'remove').toBe(true);
    }),
  );
});

test.each<[Parameters<typeof readKey>[0], RegExp]>([
  [undefined, /no key/],
  [{ group: ip('10.0.0.1') }, /no multicast/],
  [{ group: ip('224.0.0.5') }, /never leaves its link/],
  [{ group: ip('239.1.1.1'), source: ip('239.1.1.2') }, /is a group/],
  [{ group: ip('239.1.1.1'), groupLength: 16 }, /behind the length/],
  [{ group: ip('239.0.0.0'), groupLength: 33 }, /group_length/],
  [{ group: ip('224.0.0.0'), groupLength: 3 }, /group_length/],
])('the key %j is refused', (key, reason) => {
  expect(readKey(key)).toMatch(reason);
});

test('ports, attachments and policers come back as they were', () => {
  const port = { vport: 7, name: 'lan7', ifindex: 9, macAddress: Uint8Array.of(2, 0, 0, 0, 0, 7), mtu: 9000, ttlThreshold: 255, mode: 'tc', kind: 'bridge', partOf: 'vrf', vlan: 4094 } as const;
  expect(readPort(portMessage(port), MAX_VPORT)).toEqual(port);
  expect(readPort(portMessage({ ...port, vlan: 100 }), MAX_VPORT)).toEqual({ ...port, vlan: 100 });
  expect(readPort({ ...portMessage(port), vlanId: 4095 }, MAX_VPORT)).toBe('vlan_id is above 4094');
  for (const attachment of [{ mode: 'xdp', reason: '', isFallback: false }, { mode: 'tc', reason: 'a bridge', isFallback: true }] as const) {
    expect(readAttachment(attachmentMessage(attachment))).toEqual(attachment);
  }
  const policers = Object.fromEntries(PUNT_CLASSES.map((name, i) => [name, { ratePps: i + 1, burst: i + 2, totalPps: i + 3 }])) as never;
  expect(readPolicers(policersMessage(policers))).toEqual(policers);
  expect(readPolicers({ policers: [{ class: 9 as never }] })).toMatch(/unknown/);
  expect(readPolicers({})).toMatch(/none for igmp_report/);
});
