/**
 * The fold of kernel facts: which changes each one makes, in what order, and what the tables hold afterwards.
 */
import { InterfaceTable, type KernelChange } from '../../../control/kernel/interface-table';
import { decodeDatagram, type KernelFact } from '../../../control/kernel/netlink/decode';
import { formatIpv4, parseIpv4 } from '../../../control/protocol/packet/address';
import * as build from './netlink-builder';
import { datagramsOf, readVectors } from './rtnetlink-vectors';

function factsOf(datagram: Uint8Array): readonly KernelFact[] {
  return decodeDatagram(datagram).messages.flatMap(({ content }) =>
    content.kind === 'link' || content.kind === 'address' || content.kind === 'route' ? [content] : [],
  );
}

class Scenario {
  readonly table = new InterfaceTable();
  uncertain = false;

  feed(...datagrams: readonly Uint8Array[]): readonly string[] {
    const changes: KernelChange[] = [];
    for (const fact of datagrams.flatMap(factsOf)) {
      const result = this.table.apply(fact, 'event');
      changes.push(...result.changes);
      this.uncertain ||= result.routesUncertain;
    }
    return changes.map(describeChange);
  }

  link(options: build.LinkOptions): readonly string[] {
    return this.feed(build.message(build.NEWLINK, build.linkPayload(options)));
  }

  unlink(ifindex: number, options: Partial<build.LinkOptions> = {}): readonly string[] {
    return this.feed(build.message(build.DELLINK, build.linkPayload({ ifindex, ...options })));
  }

  address(options: build.AddressOptions): readonly string[] {
    return this.feed(build.message(build.NEWADDR, build.addressPayload(options)));
  }

  dropAddress(options: build.AddressOptions): readonly string[] {
    return this.feed(build.message(build.DELADDR, build.addressPayload(options)));
  }

  route(options: build.RouteOptions, flags = 0x600): readonly string[] {
    return this.feed(build.message(build.NEWROUTE, build.routePayload(options), { flags }));
  }

  dropRoute(options: build.RouteOptions): readonly string[] {
    return this.feed(build.message(build.DELROUTE, build.routePayload(options)));
  }

  via(address: string): string {
    const found = this.table.lookupRoute(parseIpv4(address)!);
    if (found === undefined) return 'none';
    return `${found.gateway === undefined ? 'link' : formatIpv4(found.gateway)} dev ${found.ifindex} /${found.prefixLength}`;
  }

  addresses(ifindex: number): readonly string[] {
    return this.table.linkByIndex(ifindex)!.addresses.map(({ address, length }) => `${formatIpv4(address)}/${length}`);
  }
}

function describeChange(change: KernelChange): string {
  switch (change.kind) {
    case 'link-changed': {
      const { link, previous } = change;
      const told = [`${change.kind} ${previous.name}`];
      if (link.name !== previous.name) told.push(`name=${link.name}`);
      if (link.mtu !== previous.mtu) told.push(`mtu=${link.mtu}`);
      if (link.up !== previous.up) told.push(`up=${link.up}`);
      if (Buffer.compare(link.macAddress, previous.macAddress) !== 0)
        told.push(`mac=${Buffer.from(link.macAddress).toString('hex')}`);
      return told.join(' ');
    }
    case 'addresses-changed':
      return `${change.kind} ${change.link.name} ${change.link.addresses.map(({ address }) => formatIpv4(address)).join(',')}`.trim();
    case 'routes-changed':
      return change.kind;
    case 'link-added':
    case 'link-removed':
      return `${change.kind} ${change.link.name}`;
  }
}

describe('links', () => {
  test('appear, are found by name and index, and a repetition changes nothing', () => {
    const scenario = new Scenario();
    expect(scenario.link({ ifindex: 4, name: 'uplink' })).toEqual(['link-added uplink']);
    expect(scenario.table.link('uplink')).toBe(scenario.table.linkByIndex(4));
    expect(scenario.link({ ifindex: 4, name: 'uplink' })).toEqual([]);
  });

  test.each<[string, Partial<build.LinkOptions>, string]>([
    ['another MTU', { mtu: 9000 }, 'link-changed eth4 mtu=9000'],
    ['another MAC address', { mac: [2, 9, 9, 9, 9, 9] }, 'link-changed eth4 mac=020909090909'],
    ['loss of carrier', { flags: 0x1 }, 'link-changed eth4 up=false'],
    ['dormant: carrier but not operational', { flags: 0x10001 }, 'link-changed eth4 up=false'],
    ['another name', { name: 'lan' }, 'link-changed eth4 name=lan'],
  ])('%s is one change', (_, difference, expected) => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    expect(scenario.link({ ifindex: 4, ...difference })).toEqual([expected]);
  });

  test('a renamed link is found by its new name only, and keeps its addresses', () => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.link({ ifindex: 4, name: 'lan' });
    expect(scenario.table.link('eth4')).toBeUndefined();
    expect(scenario.addresses(scenario.table.link('lan')!.ifindex)).toEqual(['10.0.0.1/24']);
  });

  test('two links that swap names by way of a third end up swapped', () => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4, name: 'a' });
    scenario.link({ ifindex: 5, name: 'b' });
    scenario.link({ ifindex: 4, name: 'spare' });
    scenario.link({ ifindex: 5, name: 'a' });
    scenario.link({ ifindex: 4, name: 'b' });
    expect([scenario.table.link('a')?.ifindex, scenario.table.link('b')?.ifindex, scenario.table.link('spare')]).toEqual([
      5,
      4,
      undefined,
    ]);
  });

  test('removal takes addresses and routes along, and an index that comes back is a new link without them', () => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.route({ network: '10.8.0.0', length: 16, hops: [{ ifindex: 4, gateway: '10.0.0.9' }] });
    expect(scenario.unlink(4)).toEqual(['link-removed eth4', 'routes-changed']);
    expect(scenario.via('10.8.1.1')).toBe('none');
    expect(scenario.link({ ifindex: 4, name: 'other' })).toEqual(['link-added other']);
    expect(scenario.addresses(4)).toEqual([]);
    expect(scenario.table.link('eth4')).toBeUndefined();
  });

  test('an index that suddenly names another kind of device is a removal and an addition', () => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4, kind: 'veth' });
    expect(scenario.link({ ifindex: 4, name: 'br0', kind: 'bridge' })).toEqual(['link-removed eth4', 'link-added br0']);
  });

  test('records of other families and nameless ones say nothing about the link', () => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    expect(scenario.unlink(4, { family: 7 })).toEqual([]);
    expect(scenario.link({ ifindex: 4, family: 7, mtu: 1 })).toEqual([]);
    expect(scenario.link({ ifindex: 4, name: '' })).toEqual([]);
    expect(scenario.unlink(99)).toEqual([]);
    expect(scenario.table.link('eth4')?.mtu).toBe(1500);
  });
});

describe('addresses', () => {
  const withLink = (): Scenario => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    return scenario;
  };

  test('stay in the order of the kernel: primary ones first, in order of coming', () => {
    const scenario = withLink();
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.address({ ifindex: 4, address: '10.0.0.2', secondary: true });
    scenario.address({ ifindex: 4, address: '10.1.0.1' });
    expect(scenario.addresses(4)).toEqual(['10.0.0.1/24', '10.1.0.1/24', '10.0.0.2/24']);
  });

  test('a link-local scope address goes before a global one, as in the kernel', () => {
    const scenario = withLink();
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.address({ ifindex: 4, address: '169.254.1.1', length: 16, scope: 253 });
    expect(scenario.addresses(4)).toEqual(['169.254.1.1/16', '10.0.0.1/24']);
  });

  test('a promoted secondary becomes a primary at its place', () => {
    const scenario = withLink();
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.address({ ifindex: 4, address: '10.0.0.2', secondary: true });
    scenario.address({ ifindex: 4, address: '10.0.0.3', secondary: true });
    scenario.dropAddress({ ifindex: 4, address: '10.0.0.1' });
    expect(scenario.address({ ifindex: 4, address: '10.0.0.2' })).toEqual(['addresses-changed eth4 10.0.0.2,10.0.0.3']);
    expect(scenario.table.linkByIndex(4)?.addresses.map(({ secondary }) => secondary)).toEqual([false, true]);
  });

  test('the same address with another prefix length is another address', () => {
    const scenario = withLink();
    scenario.address({ ifindex: 4, address: '10.0.0.1', length: 24 });
    scenario.address({ ifindex: 4, address: '10.0.0.1', length: 32 });
    expect(scenario.dropAddress({ ifindex: 4, address: '10.0.0.1', length: 24 })).toEqual(['addresses-changed eth4 10.0.0.1']);
    expect(scenario.addresses(4)).toEqual(['10.0.0.1/32']);
  });

  test('repetitions, strangers and addresses of unknown links change nothing', () => {
    const scenario = withLink();
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    expect(scenario.address({ ifindex: 4, address: '10.0.0.1' })).toEqual([]);
    expect(scenario.dropAddress({ ifindex: 4, address: '10.0.0.7' })).toEqual([]);
    expect(scenario.address({ ifindex: 5, address: '10.0.0.1' })).toEqual([]);
    scenario.link({ ifindex: 5 });
    expect(scenario.addresses(5)).toEqual([]);
  });
});

describe('routes', () => {
  const withLinks = (): Scenario => {
    const scenario = new Scenario();
    scenario.link({ ifindex: 4 });
    scenario.link({ ifindex: 5 });
    return scenario;
  };
  const over = (ifindex: number, gateway?: string): readonly { ifindex: number; gateway?: string }[] => [
    gateway === undefined ? { ifindex } : { ifindex, gateway },
  ];

  test('the longest prefix wins over metric, and a host route over all', () => {
    const scenario = withLinks();
    scenario.route({ network: '0.0.0.0', length: 0, hops: over(4, '10.0.0.1'), metric: 1 });
    scenario.route({ network: '172.16.0.0', length: 12, hops: over(5), metric: 900 });
    scenario.route({ network: '172.16.3.4', length: 32, hops: over(4, '10.0.0.3'), metric: 1000 });
    expect(['172.16.3.4', '172.16.3.5', '172.32.0.1', '223.255.255.255'].map((address) => scenario.via(address))).toEqual([
      '10.0.0.3 dev 4 /32',
      'link dev 5 /12',
      '10.0.0.1 dev 4 /0',
      '10.0.0.1 dev 4 /0',
    ]);
  });

  test('of equal prefixes the lowest metric wins, and the next one takes over when it goes', () => {
    const scenario = withLinks();
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.1'), metric: 100 });
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(5, '10.0.0.2'), metric: 50 });
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.2 dev 5 /16');
    expect(scenario.dropRoute({ network: '10.8.0.0', length: 16, hops: over(5, '10.0.0.2'), metric: 50 })).toEqual([
      'routes-changed',
    ]);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.1 dev 4 /16');
  });

  test('replace takes the place of the first, append stands behind it, prepend before it', () => {
    const scenario = withLinks();
    const to = (gateway: string): build.RouteOptions => ({ network: '10.8.0.0', length: 16, hops: over(4, gateway) });
    scenario.route(to('10.0.0.1'));
    scenario.route(to('10.0.0.2'), 0xc00);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.1 dev 4 /16');
    scenario.route(to('10.0.0.3'), 0x400);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.3 dev 4 /16');
    scenario.route(to('10.0.0.4'), 0x100);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.4 dev 4 /16');
    scenario.dropRoute(to('10.0.0.4'));
    scenario.dropRoute(to('10.0.0.1'));
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.2 dev 4 /16');
  });

  test('of a multipath route the first hop counts, then the second when the link of the first goes', () => {
    const scenario = withLinks();
    scenario.route({ network: '10.8.0.0', length: 16, hops: [...over(4, '10.0.0.1'), ...over(5, '10.0.1.1')] });
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.1 dev 4 /16');
    expect(scenario.link({ ifindex: 4, flags: 0 })).toEqual(['link-changed eth4 up=false', 'routes-changed']);
    expect(scenario.via('10.8.0.1')).toBe('10.0.1.1 dev 5 /16');
    scenario.dropRoute({ network: '10.8.0.0', length: 16, hops: [...over(4, '10.0.0.1'), ...over(5, '10.0.1.1')] });
    expect(scenario.via('10.8.0.1')).toBe('none');
  });

  test.each([6, 7, 8, 9])('a route of type %i hides the default route', (type) => {
    const scenario = withLinks();
    scenario.route({ network: '0.0.0.0', length: 0, hops: over(4, '10.0.0.1') });
    scenario.route({ network: '10.8.0.0', length: 16, type });
    expect([scenario.via('10.8.0.1'), scenario.via('10.9.0.1')]).toEqual(['none', '10.0.0.1 dev 4 /0']);
  });

  test.each<[string, Partial<build.RouteOptions>]>([
    ['another table', { table: 100 }],
    ['table local', { table: 255 }],
    ['type local', { type: 2 }],
    ['type multicast', { type: 5 }],
    ['a type of service', { typeOfService: 8 }],
    ['a cached exception', { flags: 0x200 }],
  ])('%s is not looked at', (_, difference) => {
    const scenario = withLinks();
    expect(scenario.route({ network: '10.8.0.0', length: 16, hops: over(4), ...difference })).toEqual([]);
    expect(scenario.via('10.8.0.1')).toBe('none');
  });

  test('routes over a link that is set down go at once: the kernel flushes them in silence', () => {
    const scenario = withLinks();
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.1') });
    scenario.uncertain = false;
    expect(scenario.link({ ifindex: 4, flags: 0 })).toEqual(['link-changed eth4 up=false', 'routes-changed']);
    expect([scenario.via('10.8.0.1'), scenario.uncertain]).toEqual(['none', true]);
  });

  test('a lost carrier leaves them', () => {
    const scenario = withLinks();
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.1') });
    expect(scenario.link({ ifindex: 4, flags: 1 })).toEqual(['link-changed eth4 up=false']);
    expect([scenario.via('10.8.0.1'), scenario.uncertain]).toEqual(['10.0.0.1 dev 4 /16', false]);
  });

  test('a link set up costs no route', () => {
    const scenario = withLinks();
    scenario.link({ ifindex: 4, flags: 0 });
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.1') });
    expect(scenario.link({ ifindex: 4 })).toEqual(['link-changed eth4 up=true']);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.1 dev 4 /16');
  });

  test('the last address of a link takes the routes over it along', () => {
    const scenario = withLinks();
    scenario.address({ ifindex: 4, address: '10.0.0.1' });
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.9') });
    expect(scenario.dropAddress({ ifindex: 4, address: '10.0.0.1' })).toEqual(['addresses-changed eth4', 'routes-changed']);
    expect(scenario.via('10.8.0.1')).toBe('none');
  });

  test('an address takes the routes that prefer it as source along, unless another link still has it', () => {
    const scenario = withLinks();
    for (const address of ['10.0.0.1', '10.0.0.2']) scenario.address({ ifindex: 4, address });
    scenario.address({ ifindex: 5, address: '10.0.0.2' });
    scenario.route({ network: '10.8.0.0', length: 16, hops: over(4, '10.0.0.9'), preferredSource: '10.0.0.2' });
    expect(scenario.dropAddress({ ifindex: 4, address: '10.0.0.2' })).toEqual(['addresses-changed eth4 10.0.0.1']);
    expect(scenario.via('10.8.0.1')).toBe('10.0.0.9 dev 4 /16');
    expect(scenario.dropAddress({ ifindex: 5, address: '10.0.0.2' })).toEqual(['addresses-changed eth5', 'routes-changed']);
    expect(scenario.via('10.8.0.1')).toBe('none');
  });

  test('look-ups agree with a plain search over many routes', () => {
    const scenario = withLinks();
    const routes: { network: number; length: number; gateway: number }[] = [];
    let seed = 12345;
    const next = (below: number): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % below;
    for (let count = 0; count < 400; count += 1) {
      const length = next(33);
      const mask = length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
      const network = ((0x0a000000 | next(4096)) & mask) >>> 0;
      if (routes.some((route) => route.network === network && route.length === length)) continue;
      routes.push({ network, length, gateway: 0xc0000200 + count });
      scenario.route({ network: formatIpv4(network), length, hops: over(4, formatIpv4(0xc0000200 + count)) });
    }
    for (let address = 0x0a000000; address < 0x0a001000; address += 7) {
      const matching = routes.filter(({ network, length }) => length === 0 || (address ^ network) >>> (32 - length) === 0);
      const best = matching.sort((a, b) => b.length - a.length)[0];
      expect(scenario.table.lookupRoute(address)?.gateway).toBe(best?.gateway);
    }
  });
});

describe('the life of a veth, as a real kernel told it', () => {
  const events = readVectors('events');
  const scenario = new Scenario();
  const step = (label: string): readonly string[] => scenario.feed(...datagramsOf(events, label));

  test('from its creation to its removal', () => {
    expect(step('add-veth')).toEqual(['link-added west-peer', 'link-added west']);
    expect(step('up').at(-1)).toBe('link-changed west up=true');
    expect(step('add-address')).toEqual(['addresses-changed west 10.2.0.1', 'routes-changed']);
    expect(scenario.via('10.2.0.77')).toBe(`link dev ${scenario.table.link('west')?.ifindex} /24`);
    expect(step('add-secondary')).toEqual(['addresses-changed west 10.2.0.1,10.2.0.2']);
    expect(step('add-route')).toEqual(['routes-changed']);
    expect(step('replace-route')).toEqual(['routes-changed']);
    expect(scenario.via('10.8.0.1')).toContain('10.2.0.10 ');
    expect(step('delete-route')).toEqual(['routes-changed']);
    expect(scenario.via('10.8.0.1')).toBe('none');
    expect(step('mtu')).toEqual(['link-changed west mtu=1400']);
    expect(step('mac')).toEqual(['link-changed west mac=02000000000a']);
    expect(step('add-static')).toEqual(['routes-changed']);
    expect(step('down')).toEqual(['link-changed west up=false', 'routes-changed', 'link-changed west-peer up=false']);
    expect(scenario.via('10.2.0.77')).toBe('none');
    expect(step('rename')).toEqual(['link-changed west name=wild']);
    expect(step('up-again')).toContain('link-changed wild up=true');
    expect(scenario.via('10.2.0.77')).toBe(`link dev ${scenario.table.link('wild')?.ifindex} /24`);
    expect(step('promote').filter((change) => change.startsWith('addresses'))).toEqual(
      Array(2).fill('addresses-changed wild 10.2.0.2'),
    );
    expect(step('bridge-join')).toContain('link-added hub');
    step('bridge-leave');
    expect(scenario.table.link('wild')).toBeDefined();
    expect(
      step('delete')
        .filter((change) => change.startsWith('link-removed'))
        .sort(),
    ).toEqual(['link-removed west-peer', 'link-removed wild']);
    expect(scenario.table.links().map(({ name }) => name)).toEqual(['hub']);
  });
});
