/**
 * Rules between values that are right one by one: sides of the router, entries given twice, names that must exist, and routes that
 * lead back.
 */
import fc from 'fast-check';
import { checkConfigText } from '../../../control/config/check';
import { toSettings } from '../../../control/config/defaults';
import { OverlapIndex, type FlowPrefix } from '../../../control/config/overlap-index';
import { validateConfig } from '../../../control/config/validate';
import { formatIpv4, formatPrefix, prefixContains, prefixMask, type Ipv4Prefix } from '../../../control/protocol/packet/address';

function problemsOf(yaml: string): string[] {
  return checkConfigText(yaml).problems.map(({ path, message }) => `${path}: ${message}`);
}

describe('the two sides of the router', () => {
  const onlyUpstream = 'only an upstream has it; give "upstream: true" beside it, or leave it out';

  test.each(['upstream_groups: [239.0.0.0/8]', 'upstream_sources: [10.0.0.0/8]', 'upstream_priority: 0', 'igmp_host: {}'])(
    '%s is for an upstream',
    (yaml) => {
      expect(problemsOf(`interfaces: [{name: a, upstream: true, ${yaml}}]`)).toEqual([]);
      expect(problemsOf(`interfaces: [{name: a, ${yaml}}]`)).toEqual([`interfaces[0].${yaml.split(':')[0]}: ${onlyUpstream}`]);
    },
  );

  test('static groups are for a downstream', () => {
    const message = 'only a downstream interface has memberships; upstream is true here';
    expect(problemsOf('interfaces: [{name: a, upstream: true, static_groups: [{group: 239.1.1.1}]}]')).toEqual([
      `interfaces[0].static_groups: ${message}`,
    ]);
  });

  test('several upstreams may overlap in groups, sources and priority', () => {
    const upstream = (name: string): string =>
      `{name: ${name}, upstream: true, upstream_groups: [239.0.0.0/8], upstream_priority: 5}`;
    expect(problemsOf(`interfaces: [${upstream('a')}, ${upstream('b')}, {name: c}]`)).toEqual([]);
  });
});

describe('a trunk and its VLANs', () => {
  test('a VLAN is one, whichever way its number is written', () => {
    expect(problemsOf('interfaces: [{name: eth0.7}, {name: eth0.0007}, {name: eth1.7}, {name: eth0.70}]')).toEqual(['interfaces[1].name: VLAN 7 of "eth0" is already interfaces[0]']);
    expect(problemsOf('interfaces: [{name: eth0.7}, {name: eth0.7}]')).toEqual(['interfaces[1].name: "eth0.7" is already interfaces[0]']);
  });

  test('only a VLAN is given its addresses', () => {
    expect(problemsOf('interfaces: [{name: br.lan.4094, addresses: [10.1.0.1/24, 10.2.0.1/32]}]')).toEqual([]);
    for (const name of ['eth0', 'eth0.0', 'eth0.4095', 'eth0.1a']) {
      expect(problemsOf(`interfaces: [{name: ${name}, addresses: [10.1.0.1/24]}]`)).toEqual([
        `interfaces[0].addresses: only a VLAN is given its addresses here, one named such as "eth0.100" with a number of 1 to 4094; the kernel knows those of "${name}"`,
      ]);
    }
  });

  test.each([
    ['10.1.0.1', 'is no address with the length of its subnet; write it such as "10.1.100.1/24"'],
    ['10.1.0.1/0', 'is no address with the length of its subnet; write it such as "10.1.100.1/24"'],
    ['10.1.0.1/33', 'is no address with the length of its subnet; write it such as "10.1.100.1/24"'],
    ['10.1.0/24', 'is no address with the length of its subnet; write it such as "10.1.100.1/24"'],
  ])('%s is no address of an interface', (address, words) => {
    expect(problemsOf(`interfaces: [{name: eth0.100, addresses: ["${address}"]}]`)).toEqual([`interfaces[0].addresses[0]: "${address}" ${words}`]);
  });

  test('nor is that of a group', () => {
    expect(problemsOf('interfaces: [{name: eth0.100, addresses: [239.1.1.1/24]}]')).toEqual(['interfaces[0].addresses[0]: "239.1.1.1" is no address of a host (0/8, 127/8 and 224/3 are none)']);
  });

  test('one device has one mode, which one entry may give for all', () => {
    expect(problemsOf('interfaces: [{name: eth0, mode: tc}, {name: eth0.1}, {name: eth0.2, mode: auto}, {name: eth0.3, mode: tc}, {name: eth1.1, mode: xdp}]')).toEqual([]);
    expect(problemsOf('interfaces: [{name: eth0.1}, {name: eth0, mode: tc}, {name: eth0.2, mode: xdp}]')).toEqual([
      'interfaces[2].mode: is xdp, but "eth0" on the same device is tc; give both the same, or only one',
    ]);
    const { interfaces } = toSettings({ interfaces: [{ name: 'eth0.1' }, { name: 'eth0', mode: 'tc' }, { name: 'eth1' }] });
    expect(interfaces.map(({ name, mode }) => [name, mode])).toEqual([['eth0.1', 'tc'], ['eth0', 'tc'], ['eth1', 'auto']]);
  });
});

describe('static groups', () => {
  const withGroups = (groups: string, igmp = ''): string =>
    `interfaces: [{name: a, static_groups: [${groups}], igmp: {${igmp}}}]`;

  test('each once on an interface', () => {
    expect(problemsOf(withGroups('{group: 239.1.1.1}, {group: 239.1.1.2}, {group: 239.1.1.1, sources: [10.0.0.1]}'))).toEqual([
      'interfaces[0].static_groups[2].group: "239.1.1.1" is already interfaces[0].static_groups[0]',
    ]);
    expect(problemsOf('interfaces: [{name: a, static_groups: &g [{group: 239.1.1.1}]}, {name: b, static_groups: *g}]')).toEqual(
      [],
    );
  });

  test('in the source-specific range need sources', () => {
    const message = (group: string, range: string): string =>
      `interfaces[0].static_groups[0].group: "${group}" is in the source-specific range ${range}; give its sources`;
    expect(problemsOf(withGroups('{group: 232.1.1.1}'))).toEqual([message('232.1.1.1', '232.0.0.0/8')]);
    expect(problemsOf(withGroups('{group: 232.1.1.1, sources: [10.0.0.1]}'))).toEqual([]);
  });

  test('the range is that of the interface', () => {
    expect(problemsOf(withGroups('{group: 232.1.1.1}', 'ssm_range: 239.232.0.0/16'))).toEqual([]);
    expect(problemsOf(withGroups('{group: 239.232.1.1}', 'ssm_range: 239.232.0.0/16'))).toHaveLength(1);
    expect(problemsOf(`${withGroups('{group: 239.232.1.1}')}\nigmp: {ssm_range: 239.232.0.0/16}`)).toHaveLength(1);
  });
});

test('SSM mappings: each group once, an address and its /32 being one', () => {
  const yaml = `interfaces: [{name: a}]
ssm_mapping:
  static:
    - {group: 232.1.1.1, sources: [10.0.0.1]}
    - {group: 232.1.1.0/24, sources: [10.0.0.1]}
    - {group: 232.1.1.1/32, sources: [10.0.0.2]}
`;
  expect(problemsOf(yaml)).toEqual(['ssm_mapping.static[2].group: "232.1.1.1/32" is already ssm_mapping.static[0]']);
});

const withRoutes = (...routes: string[]): string =>
  `interfaces: [{name: eth0}, {name: eth1}, {name: eth2}]\nstatic_routes:\n${routes.map((route) => `  - {${route}}\n`).join('')}`;

describe('names in static routes', () => {
  const unknown = 'is no name in interfaces[]; did you mean "eth1"?';
  const NAMES: [name: string, route: string, problems: string[]][] = [
    ['an upstream nobody knows', 'group: 239.1.1.1, upstream: eht1', [`static_routes[0].upstream: "eht1" ${unknown}`]],
    [
      'a downstream nobody knows',
      'group: 239.1.1.1, upstream: eth0, downstreams: [eth2, eht1]',
      [`static_routes[0].downstreams[1]: "eht1" ${unknown}`],
    ],
    ['a name unlike any', 'group: 239.1.1.1, upstream: wlan7', ['static_routes[0].upstream: "wlan7" is no name in interfaces[]']],
    [
      'the upstream as downstream',
      'group: 239.1.1.1, upstream: eth0, downstreams: [eth1, eth0]',
      ['static_routes[0].downstreams[1]: "eth0" is the upstream of this route; packets do not go back where they came from'],
    ],
    [
      'a downstream twice',
      'group: 239.1.1.1, upstream: eth0, downstreams: [eth1, eth2, eth1]',
      ['static_routes[0].downstreams[2]: "eth1" is given twice'],
    ],
    ['none at all: the route drops', 'group: 239.1.1.1, upstream: eth0', []],
  ];
  test.each(NAMES)('%s', (_, route, problems) => expect(problemsOf(withRoutes(route))).toEqual(problems));
});

describe('two static routes', () => {
  const ways = (first: string, second: string): string[] =>
    problemsOf(
      withRoutes(`${first}, upstream: eth0, downstreams: [eth2, eth1]`, `${second}, upstream: eth1, downstreams: [eth0]`),
    );
  const loop = (second: string, first: string): string[] => [
    `static_routes[1]: sends ${second} from "eth1" to "eth0", and static_routes[0] sends ${first} back: a loop; ` +
      'leave one of the two interfaces out of one of them',
  ];

  test('of the same group and source, however they are spelt', () => {
    const same = ['static_routes[1]: has the group and source of static_routes[0]'];
    expect(ways('group: 239.1.1.1, source: 10.0.0.0/8', 'group: 239.1.1.1/32, source: 10.0.0.0/8')).toEqual(same);
    expect(ways('group: 239.1.1.1', 'group: 239.1.1.1, source: 0.0.0.0/0')).toEqual(same);
  });

  const LOOPS: [first: string, second: string, firstText: string, secondText: string][] = [
    ['group: 239.0.0.0/8', 'group: 239.1.1.1', '239.0.0.0/8', '239.1.1.1'],
    ['group: 239.1.1.1', 'group: 239.0.0.0/8', '239.1.1.1', '239.0.0.0/8'],
    ['group: 239.1.1.1, source: 10.0.0.1', 'group: 239.1.1.1', '239.1.1.1 of 10.0.0.1', '239.1.1.1'],
    ['group: 239.1.1.1', 'group: 239.1.1.1, source: 10.0.0.1', '239.1.1.1', '239.1.1.1 of 10.0.0.1'],
    [
      'group: 239.0.0.0/8, source: 10.0.0.1',
      'group: 239.1.1.1, source: 10.0.0.0/8',
      '239.0.0.0/8 of 10.0.0.1',
      '239.1.1.1 of 10.0.0.0/8',
    ],
  ];
  test.each(LOOPS)('both ways between two interfaces: %s, %s', (first, second, firstText, secondText) =>
    expect(ways(first, second)).toEqual(loop(secondText, firstText)),
  );

  const NO_LOOPS: [first: string, second: string][] = [
    ['group: 239.1.1.1', 'group: 239.1.1.2'],
    ['group: 239.1.0.0/16', 'group: 239.2.0.0/16'],
    ['group: 239.1.1.1, source: 10.0.0.1', 'group: 239.1.1.1, source: 10.0.0.2'],
    ['group: 239.0.0.0/8, source: 10.0.0.0/8', 'group: 239.1.1.1, source: 11.0.0.0/8'],
  ];
  test.each(NO_LOOPS)('nothing in common: %s, %s', (first, second) => expect(ways(first, second)).toEqual([]));

  test('the same way are no loop', () => {
    const way = 'upstream: eth0, downstreams: [eth1, eth2]';
    expect(problemsOf(withRoutes(`group: 239.0.0.0/8, ${way}`, `group: 239.1.1.1, ${way}`))).toEqual([]);
  });
});

test('a route in many loops is told of once', () => {
  const there = ['239.0.0.0/8', '239.1.0.0/16', '239.1.1.0/24'].map(
    (group) => `group: ${group}, upstream: eth0, downstreams: [eth1, eth2]`,
  );
  expect(problemsOf(withRoutes(...there, 'group: 239.1.1.1, upstream: eth1, downstreams: [eth0]'))).toHaveLength(1);
});

const prefix = (base: number, bits: number): fc.Arbitrary<Ipv4Prefix> =>
  fc.tuple(fc.nat(2 ** bits - 1), fc.nat(bits)).map(([low, free]) => {
    const length = 32 - free;
    return { address: ((base + low) & prefixMask(length)) >>> 0, length };
  });
/** Few bits, so that many have something in common. */
const flow: fc.Arbitrary<FlowPrefix> = fc.record({
  group: prefix(0xef010100, 4),
  source: fc.oneof(prefix(0x0a000000, 4), fc.constant({ address: 0, length: 0 })),
});
const around = (outer: Ipv4Prefix, inner: Ipv4Prefix): boolean =>
  outer.length <= inner.length && prefixContains(outer, inner.address);

test('the index finds what comparing with every entry finds', () => {
  fc.assert(
    fc.property(fc.uniqueArray(flow, { selector: (entry) => JSON.stringify(entry), maxLength: 12 }), flow, (entries, asked) => {
      const meets = ({ group, source }: FlowPrefix): boolean =>
        around(group, asked.group) && (around(source, asked.source) || around(asked.source, source));
      const found = new OverlapIndex(entries).findAround(asked);
      expect(found === undefined).toBe(!entries.some(meets));
      if (found !== undefined) expect(meets(found)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('where comparing every pair of routes finds loops, and only there, routes are refused', () => {
  const names = ['a', 'b', 'c'];
  const route = fc.record({ flow, upstream: fc.nat(2), downstreams: fc.uniqueArray(fc.nat(2), { maxLength: 2 }) });
  const routes = fc.uniqueArray(route, { selector: (entry) => JSON.stringify(entry.flow), maxLength: 6 });
  fc.assert(
    fc.property(routes, (drawn) => {
      const all = drawn.map((entry) => ({ ...entry, downstreams: entry.downstreams.filter((name) => name !== entry.upstream) }));
      const staticRoutes = all.map(({ flow: { group, source }, upstream, downstreams }) => ({
        group: formatPrefix(group),
        source: formatPrefix(source),
        upstream: names[upstream]!,
        downstreams: downstreams.map((name) => names[name]!),
      }));
      const related = (one: Ipv4Prefix, other: Ipv4Prefix): boolean => around(one, other) || around(other, one);
      const looped = all.flatMap((later, index) => {
        const back = all
          .slice(0, index)
          .some(
            (earlier) =>
              later.downstreams.includes(earlier.upstream) &&
              earlier.downstreams.includes(later.upstream) &&
              related(later.flow.group, earlier.flow.group) &&
              related(later.flow.source, earlier.flow.source),
          );
        return back ? [`static_routes[${index}]`] : [];
      });
      const problems = validateConfig({ interfaces: names.map((name) => ({ name })), staticRoutes });
      expect(problems.length > 0).toBe(looped.length > 0);
      expect(looped).toEqual(expect.arrayContaining(problems.map(({ path }) => path)));
    }),
    { numRuns: 300 },
  );
});

describe('as much as may be', () => {
  const interfaces = Array.from({ length: 65 }, (_, n) => ({ name: `eth${n}` }));
  const others = (upstream: number, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `eth${(upstream + n + 1) % interfaces.length}`);
  const staticRoutes = (downstreams: number): { group: string; upstream: string; downstreams: string[] }[] =>
    Array.from({ length: 16_384 }, (_, n) => ({
      group: formatIpv4(0xef000000 + n),
      upstream: `eth${n % 65}`,
      downstreams: others(n % 65, downstreams),
    }));

  test('16,384 static routes with sixteen downstreams each', () => {
    expect(validateConfig({ interfaces, staticRoutes: staticRoutes(16) })).toEqual([]);
  }, 60_000);

  test('not seventeen', () => {
    expect(validateConfig({ interfaces, staticRoutes: staticRoutes(17) })).toEqual([
      { path: 'static_routes', line: 0, column: 0, message: '278528 downstreams in all; at most 262144 are allowed' },
    ]);
  });

  test('a file with every list at its longest is read', () => {
    const lines = (count: number, line: (n: number) => string): string =>
      Array.from({ length: count }, (_, n) => `  - ${line(n)}\n`).join('');
    const routes = lines(
      16_384,
      (n) => `{group: ${formatIpv4(0xef000000 + n)}, source: 10.0.0.1, upstream: a, downstreams: [b, c]}`,
    );
    const mappings = lines(16_384, (n) => `{group: ${formatIpv4(0xe8000000 + n)}, sources: [10.0.0.1]}`);
    const rules = lines(4096, (n) => `{action: permit, group: ${formatIpv4(0xef000000 + n)}, reporter: 10.0.0.0/8}`);
    const yaml = `interfaces: [{name: a}, {name: b}, {name: c}]\nstatic_routes:\n${routes}igmp:\n  access:\n${rules.replaceAll('  -', '    -')}`;
    expect(problemsOf(`${yaml}ssm_mapping:\n  static:\n${mappings.replaceAll('  -', '    -')}`)).toEqual([]);
  }, 120_000);
});
