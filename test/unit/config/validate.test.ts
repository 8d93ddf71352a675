/**
 * What a configuration may say: each rule with the value just outside it, and the last ones inside.
 */
import { xmcast } from '#proto';
import { checkConfigText } from '../../../control/config/check';
import { validateConfig } from '../../../control/config/validate';

/** YAML of one interface with this under it, or of the file with this beside it. */
const onInterface = (yaml: string): string => `interfaces: [{name: eth0, ${yaml}}]`;
const inFile = (yaml: string): string => `interfaces: [{name: eth0}]\n${yaml}`;

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
  ['limits.routes', '16', '15', '1048576', '1048577'],
  ['limits.replication_groups', '16', '15', '65536', '65537'],
  ['limits.source_idle_timeout', '10s', '9.999s', '86400s', '86400.001s'],
  ['dataplane.counter_interval', '0.1s', '0.099s', '60s', '60.001s'],
];
test.each(RANGES)('%s: %s and not %s, %s and not %s', (key, min, below, max, above) => {
  const [section, field] = key.split('.');
  const problems = (value: string): string[] => problemsOf(inFile(`${section}: {${field}: ${value}}`));
  expect([...problems(min), ...problems(max)]).toEqual([]);
  expect(problems(below)).toEqual([`${key}: is ${below}; allowed is ${min} to ${max}`]);
  expect(problems(above)).toEqual([`${key}: is ${above}; allowed is ${min} to ${max}`]);
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
  ['a socket path of 107 bytes', inFile(`api: {socket: /${'s'.repeat(106)}}`)],
];
test.each(GOOD)('allowed: %s', (_, yaml) => expect(problemsOf(yaml)).toEqual([]));

const notPlain = 'must not have empty, "." or ".." parts, nor end with "/"';
const listen = 'is neither "off" nor address:port such as "127.0.0.1:9469" or "[::1]:9469", port 1 to 65535';
const linuxName = 'is no interface name; Linux allows no space, "/" or ":" in it, nor "." or ".." for all of it';

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
    'interfaces: [{name: a}, {name: b, upstream: true}, {name: c, upstream: true}]',
    'interfaces[2].upstream: "b" (interfaces[1]) is upstream already; at most one may be',
  ],
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
