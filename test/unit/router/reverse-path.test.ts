import type { Port } from '../../../control/router/port';
import { RouterReversePath, type UnicastLookup } from '../../../control/router/reverse-path';
import { parsePrefix } from '../../../control/protocol/packet/address';
import { ip } from './fakes';

interface PortOptions {
  readonly upstream?: boolean | { readonly groups?: readonly string[]; readonly sources?: readonly string[]; readonly priority?: number };
  readonly prefix?: [string, number];
  readonly alternative?: string;
  readonly boundary?: string;
  readonly usable?: boolean;
}

const G = ip('239.1.1.1');

function prefixes(texts: readonly string[] = []) {
  return texts.map((text) => parsePrefix(text));
}

function port(vport: number, { prefix, upstream = false, alternative, boundary, usable = true }: PortOptions): Port {
  const { groups, sources, priority = 100 } = typeof upstream === 'boolean' ? {} : upstream;
  return {
    vport,
    usable,
    settings: {
      upstream: upstream === false ? undefined : { groups: prefixes(groups), sources: prefixes(sources), priority },
      alternativeSubnets: prefixes(alternative === undefined ? [] : [alternative]),
      boundaries: prefixes(boundary === undefined ? [] : [boundary]),
    },
    link: { ifindex: 100 + vport },
    addresses: prefix === undefined ? [] : [{ address: ip(prefix[0]), length: prefix[1] }],
  } as unknown as Port;
}

const UPSTREAM = port(1, { upstream: true, prefix: ['10.100.0.1', 24] });
const LAN = port(2, { prefix: ['10.1.0.1', 16] });
const PART = port(3, { prefix: ['10.1.9.1', 24] });

function lookup(found?: { ifindex: number; prefixLength: number }): UnicastLookup {
  return () => found;
}

const incoming = (ports: readonly Port[], source: string, route?: { ifindex: number; prefixLength: number }, group = G) =>
  new RouterReversePath(() => ports, lookup(route)).incomingFor(ip(source), group);

test('a connected subnet decides, the longest one', () => {
  expect(incoming([UPSTREAM, LAN, PART], '10.1.2.3')).toEqual([2]);
  expect(incoming([UPSTREAM, LAN, PART], '10.1.9.9')).toEqual([3]);
});

test('an alternative subnet counts as connected, but not that of every address', () => {
  const far = port(2, { prefix: ['10.1.0.1', 16], alternative: '172.16.0.0/12' });
  const any = port(3, { prefix: ['10.2.0.1', 16], alternative: '0.0.0.0/0' });
  expect(incoming([UPSTREAM, far, any], '172.16.0.1')).toEqual([2]);
  expect(incoming([UPSTREAM, far, any], '192.0.2.1')).toEqual([1]);
});

test('a unicast route leads to the interface the kernel names, not to a VLAN on top of it that the kernel does not know', () => {
  const vlan = { ...port(3, { prefix: ['10.3.0.1', 16] }), link: { ifindex: 102, trunk: { ifindex: 102, name: 'eth0', kind: '', vlan: 7 } } } as unknown as Port;
  expect(incoming([UPSTREAM, LAN, vlan], '172.16.0.1', { ifindex: 102, prefixLength: 8 })).toEqual([2]);
  expect(incoming([UPSTREAM, vlan, LAN], '172.16.0.1', { ifindex: 102, prefixLength: 8 })).toEqual([2]);
  expect(incoming([UPSTREAM, LAN, vlan], '10.3.0.9')).toEqual([3]);
});

test('a unicast route through a downstream interface comes before the upstream', () => {
  expect(incoming([UPSTREAM, LAN], '172.16.0.1', { ifindex: 102, prefixLength: 8 })).toEqual([2]);
});

test('a default route does not: whatever is unknown is upstream', () => {
  expect(incoming([UPSTREAM, LAN], '172.16.0.1', { ifindex: 102, prefixLength: 0 })).toEqual([1]);
});

test('a route through an interface that is not ours leaves it to the upstream', () => {
  expect(incoming([UPSTREAM, LAN], '172.16.0.1', { ifindex: 7, prefixLength: 8 })).toEqual([1]);
});

test('without an upstream the default route decides, if it is through an interface of ours', () => {
  expect(incoming([LAN], '172.16.0.1', { ifindex: 102, prefixLength: 0 })).toEqual([2]);
  expect(incoming([LAN], '172.16.0.1', { ifindex: 7, prefixLength: 0 })).toEqual([]);
  expect(incoming([LAN], '172.16.0.1')).toEqual([]);
});

test('an interface that is away counts for nothing', () => {
  const away = port(1, { upstream: true, prefix: ['10.100.0.1', 24], usable: false });
  const path = new RouterReversePath(() => [away, LAN], lookup({ ifindex: 101, prefixLength: 24 }));
  expect(path.upstreams(G)).toEqual([]);
  expect(path.incomingFor(ip('10.100.0.9'), G)).toEqual([]);
});

describe('several upstreams', () => {
  const [first, second] = [1, 2].map((vport) => port(vport, { upstream: true, prefix: [`10.${vport}.0.1`, 16] }));
  const both = [first, second].filter((one) => one !== undefined);

  test('of the same rank serve together', () => {
    const path = new RouterReversePath(() => [...both, LAN], lookup());
    expect(path.upstreams(G)).toEqual([1, 2]);
    expect(path.incomingFor(ip('192.0.2.1'), G)).toEqual([1, 2]);
  });

  test('a subnet or a unicast route, also the default one, tells which of them it is', () => {
    expect(incoming(both, '10.2.0.9')).toEqual([2]);
    expect(incoming(both, '192.0.2.1', { ifindex: 101, prefixLength: 8 })).toEqual([1]);
    expect(incoming(both, '192.0.2.1', { ifindex: 102, prefixLength: 0 })).toEqual([2]);
  });

  test('the longest prefix of the group serves it, whatever unicast routing says; when it is down the next one does', () => {
    const special = (usable: boolean) => port(1, { upstream: { groups: ['239.1.0.0/16'], priority: 200 }, usable });
    const general = port(2, { upstream: { priority: 1 } });
    expect(incoming([special(true), general], '192.0.2.1', { ifindex: 102, prefixLength: 8 })).toEqual([1]);
    expect(new RouterReversePath(() => [special(true), general], lookup()).upstreams(ip('239.2.0.1'))).toEqual([2]);
    expect(incoming([special(false), general], '192.0.2.1')).toEqual([2]);
  });

  test('the lowest priority is used while it is up', () => {
    const main = (usable: boolean) => port(1, { upstream: { priority: 10 }, usable });
    const spare = port(2, { upstream: { priority: 20 } });
    expect(new RouterReversePath(() => [main(true), spare], lookup()).upstreams(G)).toEqual([1]);
    expect(new RouterReversePath(() => [main(false), spare], lookup()).upstreams(G)).toEqual([2]);
  });

  test('prefixes of sources tell them apart, and a group without named sources is asked for at each', () => {
    const ten = port(1, { upstream: { sources: ['10.0.0.0/8'] } });
    const rest = port(2, { upstream: true });
    const path = new RouterReversePath(() => [ten, rest], lookup());
    expect(path.upstreams(G)).toEqual([1, 2]);
    expect(path.upstreams(G, ip('10.9.9.9'))).toEqual([1]);
    expect(path.upstreams(G, ip('192.0.2.1'))).toEqual([2]);
    expect(path.incomingFor(ip('192.0.2.1'), G)).toEqual([2]);
  });

  test('none serves a group that is not among their groups', () => {
    const iptv = port(1, { upstream: { groups: ['239.0.0.0/8'] } });
    expect(incoming([iptv], '192.0.2.1', undefined, ip('232.1.1.1'))).toEqual([]);
  });

  test('RFC 2365: not across a boundary, though its packets are still known to come from there', () => {
    const closed = port(1, { upstream: true, boundary: '239.0.0.0/8' });
    const path = new RouterReversePath(() => [closed], lookup());
    expect(path.upstreams(G)).toEqual([]);
    expect(path.incomingFor(ip('192.0.2.1'), G)).toEqual([1]);
  });
});
