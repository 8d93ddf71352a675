/**
 * What a configuration may say: each rule with the value just outside it, and the last ones inside.
 */
import { xmcast } from '#proto';
import { checkConfigText } from '../../../control/config/check';
import { validateConfig } from '../../../control/config/validate';

/** YAML of one interface with this under it, or of the file with this beside it. */
const onInterface = (yaml: string): string => `interfaces: [{name: eth0, ${yaml}}]`;
const inFile = (yaml: string): string => `interfaces: [{name: eth0}]\n${yaml}`;

const mapping = (yaml: string): string => inFile(`ssm_mapping: {${yaml}}`);
const route = (yaml: string): string => inFile(`static_routes: [{${yaml}}]`);
const rule = (yaml: string): string => inFile(`igmp: {access: [{${yaml}}]}`);
const addresses = (count: number): string => Array.from({ length: count }, (_, n) => `10.1.${n >> 8}.${n & 255}`).join(', ');
const LONG_DOMAIN = `${'a'.repeat(59)}.${'b'.repeat(59)}.${'c'.repeat(59)}.${'d'.repeat(57)}`;

function problemsOf(yaml: string): string[] {
  return checkConfigText(yaml).problems.map(({ path, message }) => `${path}: ${message}`);
}

const RANGES: [key: string, min: string, below: string, max: string, above: string][] = [
  ['igmp.version', '1', '0', '3', '4'],
  ['igmp.robustness', '1', '0', '7', '8'],
  ['igmp.last_member_query_interval', '0.1s', '0.099s', '25.5s', '25.501s'],
  ['igmp.last_member_query_count', '1', '0', '7', '8'],
  ['igmp.startup_query_count', '1', '0', '7', '8'],
  ['igmp.max_groups', '1', '0', '131072', '131073'],
  ['igmp.max_sources_per_group', '1', '0', '4096', '4097'],
  ['igmp.max_groups_per_host', '1', '0', '131072', '131073'],
  ['igmp.max_tracked_hosts', '1', '0', '1048576', '1048577'],
  ['limits.memberships', '1', '0', '1048576', '1048577'],
  ['limits.static_entries', '1', '0', '1048576', '1048577'],
  ['limits.routes', '16', '15', '1048576', '1048577'],
  ['limits.replication_groups', '16', '15', '65536', '65537'],
  ['limits.source_idle_timeout', '10s', '9.999s', '86400s', '86400.001s'],
  ['dataplane.counter_interval', '0.1s', '0.099s', '60s', '60.001s'],
  ['dataplane.verify_interval', '1s', '0.999s', '60s', '60.001s'],
];
test.each(RANGES)('%s: %s and not %s, %s and not %s', (key, min, below, max, above) => {
  const [section, field] = key.split('.');
  const problems = (value: string): string[] => problemsOf(inFile(`${section}: {${field}: ${value}}`));
  expect([...problems(min), ...problems(max)]).toEqual([]);
  expect(problems(below)).toEqual([`${key}: is ${below}; allowed is ${min} to ${max}`]);
  expect(problems(above)).toEqual([`${key}: is ${above}; allowed is ${min} to ${max}`]);
});

const HOST_RANGES: [key: string, min: string, below: string, max: string, above: string][] = [
  ['upstream_priority', '0', '-', '255', '256'],
  ['igmp_host.version', '1', '0', '3', '4'],
  ['igmp_host.robustness', '1', '0', '7', '8'],
  ['igmp_host.unsolicited_report_interval', '0.1s', '0.099s', '25.5s', '25.501s'],
  ['igmp_host.older_version_querier_timeout', '10s', '9.999s', '31744s', '31744.001s'],
];
test.each(HOST_RANGES)('of an upstream %s: %s and not %s, %s and not %s', (key, min, below, max, above) => {
  const [field = '', nested] = key.split('.');
  const written = (value: string): string => (nested === undefined ? `${field}: ${value}` : `${field}: {${nested}: ${value}}`);
  const problems = (value: string): string[] => problemsOf(onInterface(`upstream: true, ${written(value)}`));
  expect([...problems(min), ...problems(max)]).toEqual([]);
  const outside = below === '-' ? [above] : [below, above];
  for (const value of outside)
    expect(problems(value)).toEqual([`interfaces[0].${key}: is ${value}; allowed is ${min} to ${max}`]);
});

const GOOD: [name: string, yaml: string][] = [
  ['the shortest query interval', inFile('igmp: {query_interval: 1s, query_response_interval: 0.1s}')],
  ['the longest', inFile('igmp: {query_interval: 31744s, query_response_interval: 3174s, startup_query_interval: 31744s}')],
  ['the longest response of version 2', inFile('igmp: {version: 2, query_response_interval: 25.5s}')],
  [
    'an interface that mends what is common',
    'interfaces: [{name: a, igmp: {version: 3}}]\nigmp: {version: 3, query_response_interval: 26s}',
  ],
  ['a name of 15 bytes', 'interfaces: [{name: enp101s0f1np1.x}]'],
  ['a name of three', 'interfaces: [{name: "..."}]'],
  ['thresholds at both ends', 'interfaces: [{name: a, ttl_threshold: 1}, {name: b, ttl_threshold: 255}]'],
  ['all of multicast source-specific', inFile('igmp: {ssm_range: 224.0.0.0/4}')],
  ['one source-specific group', inFile('igmp: {ssm_range: 239.1.1.1}')],
  ['metrics on IPv6', inFile('metrics: {listen: "[::]:1"}')],
  ['metrics on every address', inFile('metrics: {listen: "0.0.0.0:65535"}')],
  ['no metrics', inFile('metrics: {listen: off}')],
  ['the domain of 237 bytes that a group still fits in front of', mapping(`dns_domain: ${LONG_DOMAIN}`)],
  ['a domain with its dot at the end', mapping('dns_domain: a.example.')],
  ['a domain of one part, of services', mapping('dns_domain: _ssm')],
  ['every alternative subnet', onInterface('alternative_subnets: [0.0.0.0/0]')],
  ['the half of all addresses that has multicast in it', onInterface('alternative_subnets: [128.0.0.0/1]')],
  ['a rule for hosts without address', inFile('igmp: {access: [{action: deny, reporter: 0.0.0.0}]}')],
  ['a rule for groups that nobody can join', inFile('igmp: {access: [{action: deny, group: 224.0.0.0/24}]}')],
  ['empty texts in a rule, as if left out', inFile('igmp: {access: [{action: permit, group: "", source: "", reporter: ""}]}')],
  ['64 sources for a group', mapping(`static: [{group: 232.1.1.1, sources: [${addresses(64)}]}]`)],
  ['a mapping outside the source-specific range, of no effect', mapping('static: [{group: 239.1.1.1, sources: [10.0.0.1]}]')],
  ['name servers that nobody will ask', mapping('dns_servers: [192.0.2.1]')],
  ['a socket path of 107 bytes', inFile(`api: {socket: /${'s'.repeat(106)}}`)],
];
test.each(GOOD)('allowed: %s', (_, yaml) => expect(problemsOf(yaml)).toEqual([]));

const notPlain = 'must not have empty, "." or ".." parts, nor end with "/"';
const listen = 'is neither "off" nor address:port such as "127.0.0.1:9469" or "[::1]:9469", port 1 to 65535';
const linuxName = 'is no interface name; Linux allows no space, "/" or ":" in it, nor "." or ".." for all of it';

const noPrefix = 'is no IPv4 prefix; write it such as "232.0.0.0/8", bits behind the length zero';
const noUnicastPrefix = 'is no IPv4 prefix; write it such as "10.0.0.0/8", bits behind the length zero';
const noHosts = 'has no address of a host (0/8, 127/8 and 224/3 have none)';
const noHost = 'is no address of a host (0/8, 127/8 and 224/3 are none)';
const neverRouted = 'is within 224.0.0.0/24, which is never routed';
const needed = 'is empty or left out; it is needed';
const domain = 'is no domain name; write it such as "ssm.example.net", each part of 1 to 63 letters, digits, "-" or "_"';
const server =
  'is neither an address nor address:port such as "192.0.2.53", "192.0.2.53:5353" or "[2001:db8::53]:5353", port 1 to 65535';

const BAD: [yaml: string, problem: string][] = [
  [onInterface('ttl_threshold: 0'), 'interfaces[0].ttl_threshold: is 0; allowed is 1 to 255'],
  [onInterface('ttl_threshold: 256'), 'interfaces[0].ttl_threshold: is 256; allowed is 1 to 255'],
  [onInterface('igmp: {robustness: 0}'), 'interfaces[0].igmp.robustness: is 0; allowed is 1 to 7'],
  ['interfaces: [{upstream: true}]', 'interfaces[0].name: a name is needed, as the kernel has it, such as "eth1"'],
  ['interfaces: [{name: ""}]', 'interfaces[0].name: a name is needed, as the kernel has it, such as "eth1"'],
  ['interfaces: [{name: sixteen-letters-}]', 'interfaces[0].name: "sixteen-letters-" has 16 bytes; Linux allows 15'],
  ['interfaces: [{name: ääääääää}]', 'interfaces[0].name: "ääääääää" has 16 bytes; Linux allows 15'],
  ['interfaces: [{name: eth 0}]', `interfaces[0].name: "eth 0" ${linuxName}`],
  ['interfaces: [{name: eth/0}]', `interfaces[0].name: "eth/0" ${linuxName}`],
  ['interfaces: [{name: "eth0:1"}]', `interfaces[0].name: "eth0:1" ${linuxName}`],
  ['interfaces: [{name: ..}]', `interfaces[0].name: ".." ${linuxName}`],
  ['interfaces: [{name: "a\\0"}]', `interfaces[0].name: "a\\u0000" ${linuxName}`],
  ['interfaces: [{name: a}, {name: b}, {name: a}]', 'interfaces[2].name: "a" is already interfaces[0]'],
  [
    `interfaces: [${Array.from({ length: 1025 }, (_, n) => `{name: e${n}}`).join(', ')}]`,
    'interfaces: 1025 given; at most 1024 are allowed',
  ],
  [inFile('igmp: {query_interval: 0s}'), 'igmp.query_interval: is 0s; allowed is 1s to 31744s'],
  [inFile('igmp: {query_interval: 0.999s}'), 'igmp.query_interval: is 0.999s; allowed is 1s to 31744s'],
  [inFile('igmp: {query_interval: 31744.001s}'), 'igmp.query_interval: is 31744.001s; allowed is 1s to 31744s'],
  [inFile('igmp: {query_interval: -125s}'), 'igmp.query_interval: is -125s; allowed is 1s to 31744s'],
  [
    inFile('igmp: {query_interval: 60.0005s}'),
    'igmp.query_interval: is 60.0005s; nothing finer than a millisecond (0.001s) is kept',
  ],
  [inFile('igmp: {query_response_interval: 0.05s}'), 'igmp.query_response_interval: is 0.05s; allowed is 0.1s to 3174s'],
  [inFile('igmp: {startup_query_interval: 0.5s}'), 'igmp.startup_query_interval: is 0.5s; allowed is 1s to 31744s'],
  [
    inFile('igmp: {query_interval: 10s}'),
    'igmp.query_interval: query_response_interval (10s, the default) must be less than query_interval (10s)',
  ],
  [
    inFile('igmp: {query_response_interval: 125s}'),
    'igmp.query_response_interval: query_response_interval (125s) must be less than query_interval (125s, the default)',
  ],
  [
    inFile('igmp: {startup_query_interval: 31s, query_interval: 30s}'),
    'igmp.startup_query_interval: startup_query_interval (31s) must not be more than query_interval (30s)',
  ],
  [
    inFile('igmp: {version: 2, query_response_interval: 26s}'),
    'igmp.query_response_interval: query_response_interval (26s) must not be more than 25.5s in queries of version 2',
  ],
  [
    'interfaces: [{name: a, igmp: {query_interval: 20s}}]\nigmp: {query_response_interval: 20s}',
    'interfaces[0].igmp.query_interval: query_response_interval (20s) must be less than query_interval (20s)',
  ],
  [
    'interfaces: [{name: a, igmp: {version: 2}}]\nigmp: {query_response_interval: 26s}',
    'interfaces[0].igmp.version: query_response_interval (26s) must not be more than 25.5s in queries of version 2',
  ],
  [inFile('igmp: {ssm_range: 10.0.0.0/8}'), 'igmp.ssm_range: "10.0.0.0/8" is not within 224.0.0.0/4'],
  [inFile('igmp: {ssm_range: 224.0.0.0/3}'), 'igmp.ssm_range: "224.0.0.0/3" is not within 224.0.0.0/4'],
  [inFile('igmp: {ssm_range: 224.0.0.0/24}'), 'igmp.ssm_range: "224.0.0.0/24" is within 224.0.0.0/24, which is never routed'],
  [inFile('igmp: {ssm_range: 224.0.0.22}'), 'igmp.ssm_range: "224.0.0.22" is within 224.0.0.0/24, which is never routed'],
  [
    inFile('igmp: {ssm_range: 232.0.0.1/8}'),
    'igmp.ssm_range: "232.0.0.1/8" is no IPv4 prefix; write it such as "232.0.0.0/8", bits behind the length zero',
  ],
  [onInterface('boundaries: [10.0.0.0/8]'), 'interfaces[0].boundaries[0]: "10.0.0.0/8" is not within 224.0.0.0/4'],
  [onInterface('alternative_subnets: [10.0.0.1/8]'), `interfaces[0].alternative_subnets[0]: "10.0.0.1/8" ${noUnicastPrefix}`],
  [onInterface('alternative_subnets: [0.0.0.0]'), `interfaces[0].alternative_subnets[0]: "0.0.0.0" ${noHosts}`],
  [onInterface('alternative_subnets: [127.0.0.0/8]'), `interfaces[0].alternative_subnets[0]: "127.0.0.0/8" ${noHosts}`],
  [onInterface('alternative_subnets: [224.0.0.0/3]'), `interfaces[0].alternative_subnets[0]: "224.0.0.0/3" ${noHosts}`],
  [
    onInterface('upstream: true, upstream_groups: [10.0.0.0/8]'),
    'interfaces[0].upstream_groups[0]: "10.0.0.0/8" is not within 224.0.0.0/4',
  ],
  [
    onInterface('upstream: true, upstream_groups: [224.0.0.0/24]'),
    `interfaces[0].upstream_groups[0]: "224.0.0.0/24" ${neverRouted}`,
  ],
  [onInterface('upstream: true, upstream_sources: [239.0.0.0/8]'), `interfaces[0].upstream_sources[0]: "239.0.0.0/8" ${noHosts}`],
  [onInterface('join_groups: [{}]'), `interfaces[0].join_groups[0].group: ${needed}`],
  [
    onInterface(`join_groups: [{group: 239.1.1.1, sources: [${addresses(11)}]}]`),
    'interfaces[0].join_groups[0].sources: 11 given; at most 10 are allowed',
  ],
  [onInterface('static_groups: [{}]'), `interfaces[0].static_groups[0].group: ${needed}`],
  [
    onInterface('static_groups: [{group: 239.0.0.0/8}]'),
    'interfaces[0].static_groups[0].group: "239.0.0.0/8" is no IPv4 address; write it such as "239.1.1.1"',
  ],
  [
    onInterface('static_groups: [{group: 10.0.0.1}]'),
    'interfaces[0].static_groups[0].group: "10.0.0.1" is not within 224.0.0.0/4',
  ],
  [onInterface('static_groups: [{group: 224.0.0.5}]'), `interfaces[0].static_groups[0].group: "224.0.0.5" ${neverRouted}`],
  [
    onInterface('static_groups: [{group: 239.1.1.1, sources: [10.0.0.1, 239.1.1.1]}]'),
    `interfaces[0].static_groups[0].sources[1]: "239.1.1.1" ${noHost}`,
  ],
  [
    onInterface('static_groups: [{group: 239.1.1.1, sources: ["fe80::1"]}]'),
    'interfaces[0].static_groups[0].sources[0]: "fe80::1" is no IPv4 address; write it such as "10.0.0.1"',
  ],
  [
    onInterface(`static_groups: [{group: 239.1.1.1, sources: [${addresses(4097)}]}]`),
    'interfaces[0].static_groups[0].sources: 4097 given; at most 4096 are allowed',
  ],
  [
    inFile('igmp: {quick_leave: traked}'),
    'igmp.quick_leave: is "traked"; allowed are off, tracked, always; did you mean "tracked"?',
  ],
  [onInterface('igmp: {quick_leave: "yes"}'), 'interfaces[0].igmp.quick_leave: is "yes"; allowed are off, tracked, always'],
  [inFile('igmp: {limit_exceptions: [224.0.0.1]}'), `igmp.limit_exceptions[0]: "224.0.0.1" ${neverRouted}`],
  [inFile('igmp: {queriers: [0.0.0.0]}'), `igmp.queriers[0]: "0.0.0.0" ${noHosts}`],
  [inFile(`igmp: {queriers: [${addresses(4097)}]}`), 'igmp.queriers: 4097 given; at most 4096 are allowed'],
  [rule('group: 239.0.0.0/8'), 'igmp.access[0].action: is empty or left out; allowed are permit, deny'],
  [rule('action: permitt'), 'igmp.access[0].action: is "permitt"; allowed are permit, deny; did you mean "permit"?'],
  [rule('action: deny, group: all'), `igmp.access[0].group: "all" ${noPrefix}`],
  [rule('action: deny, source: 224.0.0.0/4'), `igmp.access[0].source: "224.0.0.0/4" ${noHosts}`],
  [rule('action: deny, source: 0.0.0.0'), `igmp.access[0].source: "0.0.0.0" ${noHosts}`],
  [rule('action: deny, reporter: 10.0.0.1/24'), `igmp.access[0].reporter: "10.0.0.1/24" ${noUnicastPrefix}`],
  [
    inFile(`igmp: {access: [${Array.from({ length: 4097 }, () => '{action: deny}').join(', ')}]}`),
    'igmp.access: 4097 given; at most 4096 are allowed',
  ],
  [route('upstream: eth0'), `static_routes[0].group: ${needed}`],
  [route('group: 239.1.1.1'), `static_routes[0].upstream: ${needed}`],
  [route('group: 239.1.1.1/24, upstream: eth0'), `static_routes[0].group: "239.1.1.1/24" ${noPrefix}`],
  [route('group: 224.0.0.128/25, upstream: eth0'), `static_routes[0].group: "224.0.0.128/25" ${neverRouted}`],
  [route('group: 239.1.1.1, source: 239.1.1.1, upstream: eth0'), `static_routes[0].source: "239.1.1.1" ${noHosts}`],
  [route('group: 239.1.1.1, upstream: eth/0'), `static_routes[0].upstream: "eth/0" ${linuxName}`],
  [route('group: 239.1.1.1, upstream: eth0, ttl_threshold: 0'), 'static_routes[0].ttl_threshold: is 0; allowed is 1 to 255'],
  [route('group: 239.1.1.1, upstream: eth0, ttl_threshold: 256'), 'static_routes[0].ttl_threshold: is 256; allowed is 1 to 255'],
  [
    inFile(`static_routes: [${'{group: 239.1.1.1, upstream: eth0}, '.repeat(16_385)}]`),
    'static_routes: 16385 given; at most 16384 are allowed',
  ],
  [mapping('static: [{sources: [10.0.0.1]}]'), `ssm_mapping.static[0].group: ${needed}`],
  [mapping('static: [{group: 232.1.1.1}]'), 'ssm_mapping.static[0].sources: none given; allowed are 1 to 64'],
  [mapping('static: [{group: 232.1.1.1, sources: [0.0.0.0]}]'), `ssm_mapping.static[0].sources[0]: "0.0.0.0" ${noHost}`],
  [
    mapping(`static: [{group: 232.1.1.1, sources: [${addresses(65)}]}]`),
    'ssm_mapping.static[0].sources: 65 given; at most 64 are allowed',
  ],
  [mapping('dns_domain: ""'), `ssm_mapping.dns_domain: "" ${domain}`],
  [mapping('dns_domain: .'), `ssm_mapping.dns_domain: "." ${domain}`],
  [mapping('dns_domain: a..b'), `ssm_mapping.dns_domain: "a..b" ${domain}`],
  [mapping('dns_domain: .example'), `ssm_mapping.dns_domain: ".example" ${domain}`],
  [mapping('dns_domain: -a.example'), `ssm_mapping.dns_domain: "-a.example" ${domain}`],
  [mapping('dns_domain: "a b.example"'), `ssm_mapping.dns_domain: "a b.example" ${domain}`],
  [mapping(`dns_domain: ${'a'.repeat(64)}`), `ssm_mapping.dns_domain: "${'a'.repeat(60)}…" ${domain}`],
  [
    mapping(`dns_domain: ${LONG_DOMAIN}x`),
    `ssm_mapping.dns_domain: "${'a'.repeat(59)}.…" has 238 bytes; allowed are 237, for the group goes in front`,
  ],
  ...['dns.example', '192.0.2.1:0', '192.0.2.1:65536', '192.0.2', '[192.0.2.1]:53', '[2001:db8::1', 'fe80::1%eth0', ''].map(
    (text): [string, string] => [mapping(`dns_servers: ["${text}"]`), `ssm_mapping.dns_servers[0]: "${text}" ${server}`],
  ),
  [mapping(`dns_servers: [${addresses(9)}]`), 'ssm_mapping.dns_servers: 9 given; at most 8 are allowed'],
  [inFile('dataplane: {pin_path: bpf/xmcast}'), 'dataplane.pin_path: "bpf/xmcast" is not an absolute path'],
  [inFile('dataplane: {pin_path: /sys/fs/bpf/../x}'), `dataplane.pin_path: "/sys/fs/bpf/../x" ${notPlain}`],
  [inFile('dataplane: {pin_path: /sys/fs/bpf/}'), `dataplane.pin_path: "/sys/fs/bpf/" ${notPlain}`],
  [inFile('dataplane: {pin_path: /}'), `dataplane.pin_path: "/" ${notPlain}`],
  [inFile('dataplane: {pin_path: "/a\\0b"}'), 'dataplane.pin_path: "/a\\u0000b" has a control character'],
  [
    inFile('dataplane: {policers: {no_route: {burst: 5}}}'),
    'dataplane.policers.no_route.rate: is 0 or left out; allowed is 1 to 1000000',
  ],
  [
    inFile('dataplane: {policers: {no_route: {rate: 1000001}}}'),
    'dataplane.policers.no_route.rate: is 1000001; allowed is 1 to 1000000',
  ],
  [
    inFile('dataplane: {policers: {igmp_query: {rate: 1, burst: 1000001}}}'),
    'dataplane.policers.igmp_query.burst: is 1000001; allowed is 0 to 1000000',
  ],
  [inFile('api: {socket: ""}'), 'api.socket: "" is not an absolute path'],
  [inFile('api: {socket: "@xmcast"}'), 'api.socket: "@xmcast" is not an absolute path'],
  [inFile(`api: {socket: /${'s'.repeat(107)}}`), `api.socket: "/${'s'.repeat(59)}…" has 108 bytes; allowed are 107`],
  ...[
    '9469',
    ':9469',
    'localhost:9469',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '127.0.0.1:080',
    '1.2.3:80',
    '::1:9469',
    '[::g]:1',
    'OFF',
  ].map((text): [string, string] => [inFile(`metrics: {listen: "${text}"}`), `metrics.listen: "${text}" ${listen}`]),
  [inFile('log_level: INFO'), 'log_level: is "INFO"; allowed are trace, debug, info, warn, error; did you mean "info"?'],
];
test.each(BAD)('%.70s', (yaml, problem) => expect(problemsOf(yaml)).toEqual([problem]));

test('one problem with what is common is told once, however many interfaces inherit it', () => {
  const yaml = 'interfaces: [{name: a}, {name: b, igmp: {robustness: 3}}]\nigmp: {query_interval: 5s}';
  expect(problemsOf(yaml)).toHaveLength(1);
});

test('messages of an API client are checked too, with no place in a file', () => {
  const config = xmcast.v1.Config.create({ interfaces: [{ name: 'a', igmp: { queryInterval: { seconds: 5, nanos: -1 } } }] });
  const message = 'is not a valid duration (seconds and nanos of one sign, nanos below a second); allowed is 1s to 31744s';
  expect(validateConfig(config)).toEqual([{ path: 'interfaces[0].igmp.query_interval', line: 0, column: 0, message }]);
});

test('a message from the wire, with its 64-bit seconds, is judged like any other', () => {
  const decode = (seconds: number): xmcast.v1.Config => {
    const config = { interfaces: [{ name: 'a' }], igmp: { queryInterval: { seconds } } };
    return xmcast.v1.Config.decode(xmcast.v1.Config.encode(xmcast.v1.Config.fromObject(config)).finish());
  };
  expect(validateConfig(decode(60))).toEqual([]);
  expect(validateConfig(decode(2 ** 50))).toEqual([expect.objectContaining({ path: 'igmp.query_interval' })]);
});

describe('the API over TCP', () => {
  const tls = 'tls: {certificate: /a, key: /b, client_ca: /c}';
  const api = (yaml: string): string[] => problemsOf(inFile(`api: {${yaml}}`));

  test.each([
    'listen: ["0.0.0.0:9470", "[::]:9470"], tls: {certificate: /a, key: /b, client_ca: /c, crl: /d}',
    tls,
    'roles: [{match: "spiffe://x/*", role: viewer}, {match: "*.a.b", role: operator}, {match: "CN=Lisa Simpson", role: admin}]',
    'limits: {connections: 1, connections_per_client: 4096, requests_per_second: 1000000, unix_connections: 4096, watchers: 1, streams_per_connection: 10000, request_bytes: 16777216}',
    'socket_group: ops',
    'socket_group: "0"',
  ])('fine: %s', (yaml) => expect(api(yaml)).toEqual([]));

  test.each([
    ['listen: ["127.0.0.1:1"]', 'api.tls: is left out; api.listen needs it, for there is no TCP without certificates'],
    [`listen: ["off"], ${tls}`, 'api.listen[0]: "off" is no address:port such as'],
    [`listen: ["host:9470"], ${tls}`, 'api.listen[0]: "host:9470" is no address:port such as'],
    [`listen: ["1.2.3.4:1", "1.2.3.4:1"], ${tls}`, 'api.listen[1]: "1.2.3.4:1" is already api.listen[0]'],
    ['tls: {certificate: /a, key: /b}', 'api.tls.client_ca: is empty or left out; it is needed'],
    ['tls: {certificate: a, key: /b, client_ca: /c}', 'api.tls.certificate: "a" is not an absolute path'],
    [`tls: {certificate: /a, key: /b, client_ca: /c, crl: ""}`, 'api.tls.crl: "" is not an absolute path'],
    ['roles: [{role: admin}]', 'api.roles[0].match: is empty or left out; it is needed'],
    ['roles: [{match: "a b", role: admin}]', 'api.roles[0].match: "a b" is neither a URI'],
    ['roles: [{match: a, role: root}]', 'api.roles[0].role: is "root"; allowed are viewer, operator, admin'],
    ['limits: {connections: 0}', 'api.limits.connections: is 0; allowed is 1 to 4096'],
    ['limits: {request_bytes: 65535}', 'api.limits.request_bytes: is 65535; allowed is 65536 to 16777216'],
    ['limits: {watchers: 4097}', 'api.limits.watchers: is 4097; allowed is 1 to 4096'],
    ['socket_group: "a b"', 'api.socket_group: "a b" is neither the name of a group nor its number'],
  ])('%s', (yaml, words) => expect(api(yaml)).toEqual([expect.stringContaining(words)]));
});
