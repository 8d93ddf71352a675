/**
 * What each line of an smcroute.conf becomes. The words and their meaning are those of smcroute 2.6 (conf.c, mroute.c, smcroute.conf(5)).
 */
import { notesOfLines, translated } from './translated';

function yaml(text: string): string {
  const { yaml: found, problems } = translated('smcroute', text);
  expect(problems).toEqual([]);
  return found;
}

describe('routes', () => {
  test('a group of one source from one interface to others', () => {
    expect(yaml('mroute from eth0 source 192.168.1.42 group 225.1.2.3 to eth1 eth2 # cameras')).toBe(`interfaces:
  - name: eth0
    upstream: true
  - name: eth1
  - name: eth2
igmp:
  access:
    - action: deny
static_routes:
  - group: 225.1.2.3
    source: 192.168.1.42
    upstream: eth0
    downstreams:
      - eth1
      - eth2
`);
    expect(notesOfLines('smcroute', 'mroute from eth0 group 225.1.2.3 to eth1')).toEqual([]);
  });

  test.each([
    ['no source', 'group 225.1.2.3'],
    ['0.0.0.0', 'source 0.0.0.0 group 225.1.2.3'],
    ['0.0.0.0/0', 'source 0.0.0.0/0 group 225.1.2.3'],
    ['another order of the words', 'group 225.1.2.3 source 0.0.0.0'],
  ])('every source: %s', (_, flow) => {
    expect(yaml(`mroute from eth0 ${flow} to eth1`)).toContain('  - group: 225.1.2.3\n    upstream: eth0\n');
  });

  test('ranges of groups and of sources', () => {
    const text = 'mroute from eth0 source 10.1.2.3/16 group 225.0.0.9/24 to eth1';
    expect(yaml(text)).toContain('  - group: 225.0.0.0/24\n    source: 10.1.0.0/16\n');
    expect(notesOfLines('smcroute', text)).toEqual([
      'line 1: info: group 225.0.0.9/24: bits behind the length cut off',
      'line 1: info: source 10.1.2.3/16: bits behind the length cut off',
    ]);
  });

  test('a second line for the same flow adds its interfaces', () => {
    expect(yaml('mroute from eth0 group 225.1.2.3 to eth1\nmroute from eth0 group 225.1.2.3 to eth2 eth1'))
      .toContain(`static_routes:
  - group: 225.1.2.3
    upstream: eth0
    downstreams:
      - eth1
      - eth2
`);
  });

  test('without a way out: dropped, which is said', () => {
    expect(notesOfLines('smcroute', 'mroute from eth0 group 225.1.2.3 to')).toEqual([
      expect.stringMatching(/^line 1: warning: mroute: goes nowhere/),
    ]);
    expect(yaml('mroute from eth0 group 225.1.2.3')).toContain('static_routes:\n  - group: 225.1.2.3\n    upstream: eth0\n');
  });

  test('never back to where it came from', () => {
    expect(yaml('mroute from eth0 group 225.1.2.3 to eth0 eth1')).toContain('    downstreams:\n      - eth1\n');
  });
});

describe('one group from several interfaces', () => {
  test('both ways between networks: memberships, and each source comes in where it is', () => {
    const text = 'mroute from eth0 group 225.1.2.3 to eth1\nmroute from eth1 group 225.1.2.3 to eth0';
    const found = yaml(text);
    expect(found).toBe(`interfaces:
  - name: eth0
    static_groups:
      - group: 225.1.2.3
  - name: eth1
    static_groups:
      - group: 225.1.2.3
igmp:
  access:
    - action: deny
`);
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: info: mroute of 225\.1\.2\.3 from "eth0", "eth1": memberships of "eth1", "eth0"/),
    ]);
  });

  test('a range cannot be said with memberships: the first line stands, the other is named', () => {
    const text = 'mroute from eth0 group 225.0.0.0/24 to eth2\nmroute from eth1 group 225.0.0.0/24 to eth2';
    expect(yaml(text)).toContain('static_routes:\n  - group: 225.0.0.0/24\n    upstream: eth0\n');
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 2: error: mroute of 225\.0\.0\.0\/24 from "eth1": left out; .* line 1 says "eth0"$/),
    ]);
  });

  test('nor can a group that another route covers', () => {
    const text =
      'mroute from eth0 group 225.0.0.1 to eth2\nmroute from eth1 group 225.0.0.1 to eth2\nmroute from eth0 group 225.0.0.0/24 to eth3';
    expect(yaml(text)).toContain('  - group: 225.0.0.1\n    upstream: eth0\n');
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 2: error: mroute of 225\.0\.0\.1\/32 from "eth1": left out/),
    ]);
  });

  test('routes that make a loop by ranges that overlap: the later one is left out', () => {
    const text = 'mroute from eth0 group 225.0.0.0/24 to eth1\nmroute from eth1 group 225.0.0.0/16 to eth0';
    expect(yaml(text)).not.toContain('225.0.0.0/16');
    expect(notesOfLines('smcroute', text)).toEqual([expect.stringMatching(/^line 2: error: route left out: .*a loop/)]);
  });
});

describe('joins', () => {
  test('become a static membership of an interface that the route leads to', () => {
    const text = 'mgroup from eth0 group 225.1.2.3\nmroute from eth0 group 225.1.2.3 to eth1 eth2';
    expect(yaml(text)).toContain('  - name: eth1\n    static_groups:\n      - group: 225.1.2.3\n  - name: eth2\nigmp');
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: info: mgroup 225\.1\.2\.3\/32 on "eth0": written as a static membership/),
    ]);
  });

  test('of sources: those sources; of several lines: all of theirs', () => {
    const text = ['source 10.0.0.4/31', 'source 10.0.0.9']
      .map((source) => `ssmgroup from eth0 ${source} group 232.1.2.3`)
      .join('\n');
    expect(yaml(`${text}\nmroute from eth0 group 232.1.2.3 to eth1`)).toContain(`    static_groups:
      - group: 232.1.2.3
        sources:
          - 10.0.0.4
          - 10.0.0.5
          - 10.0.0.9
`);
  });

  test('of every source: more than any list of them, whichever comes first', () => {
    const [one, all] = ['mgroup from eth0 source 10.0.0.4 group 225.1.2.3', 'mgroup from eth0 group 225.1.2.3'];
    for (const joins of [`${one}\n${all}`, `${all}\n${one}`]) {
      expect(yaml(`${joins}\nmroute from eth0 group 225.1.2.3 to eth1`)).toContain(
        'static_groups:\n      - group: 225.1.2.3\nigmp',
      );
    }
  });

  test('of a range: each of its addresses', () => {
    expect(yaml('mgroup from eth0 group 225.0.0.0/30\nmroute from eth0 group 225.0.0.0/24 to eth1')).toContain(
      ['static_groups:', ...[0, 1, 2, 3].map((i) => `      - group: 225.0.0.${i}`), 'igmp:'].join('\n'),
    );
  });

  test('of a group that has become a membership already', () => {
    const text =
      'mroute from eth0 group 225.1.2.3 to eth2\nmroute from eth1 group 225.1.2.3 to eth2\nmgroup from eth0 group 225.1.2.3';
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: info: mroute of/),
      expect.stringMatching(/^line 3: info: mgroup .* written as a static membership/),
    ]);
  });

  test('of too large a range: left out', () => {
    const text = 'mgroup from eth0 group 225.0.0.0/21\nmroute from eth0 group 225.0.0.0/8 to eth1';
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: warning: mgroup 225\.0\.0\.0\/21 on "eth0": left out; .*too many/),
    ]);
    expect(yaml(text)).not.toContain('static_groups');
  });

  test('in the source-specific range without sources: those of the route, else it cannot be', () => {
    expect(yaml('mgroup from eth0 group 232.1.2.3\nmroute from eth0 source 10.0.0.7 group 232.1.2.3 to eth1')).toContain(
      '        sources:\n          - 10.0.0.7\n',
    );
    expect(notesOfLines('smcroute', 'mgroup from eth0 group 232.1.2.3\nmroute from eth0 group 232.1.2.3 to eth1')).toEqual([
      expect.stringMatching(/^line 1: error: .*in 232\.0\.0\.0\/8 a join names its sources/),
    ]);
  });

  test('without a route: nothing is wanted behind it', () => {
    expect(notesOfLines('smcroute', 'mgroup from eth0 group 225.1.2.3\nmroute from eth0 group 225.9.9.9 to eth1')).toEqual([
      expect.stringMatching(/^line 1: warning: mgroup 225\.1\.2\.3\/32 on "eth0": left out where no mroute leads/),
    ]);
  });

  test('on an interface that streams go out of: it is no upstream', () => {
    const text =
      'mgroup from eth0 group 225.1.2.3\nmroute from eth0 group 225.1.2.3 to eth1\nmroute from eth1 group 225.7.7.7 to eth0';
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: warning: mgroup .* left out; streams go out there too/),
    ]);
    expect(yaml(text)).not.toContain('upstream: true');
  });
});

test('of several upstreams each serves the groups that come from it', () => {
  expect(
    yaml(
      'mgroup from eth0 group 225.1.0.0/30\nmroute from eth0 group 225.1.0.0/16 to eth2\nmroute from eth1 group 225.2.2.2 to eth2',
    ),
  ).toContain(`  - name: eth0
    upstream: true
    upstream_groups:
      - 225.1.0.0/30
      - 225.1.0.0/16
  - name: eth2
    static_groups:
`);
});

describe('phyint', () => {
  test('a threshold is one here too, and looks at what comes in as well', () => {
    const text = 'phyint eth0 enable ttl-threshold 11\nphyint eth1 ttl-threshold 3\nmroute from eth0 group 225.1.2.3 to eth1';
    expect(yaml(text)).toContain(
      '  - name: eth0\n    upstream: true\n    ttl_threshold: 11\n  - name: eth1\n    ttl_threshold: 3\n',
    );
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: warning: ttl-threshold 11: .*check the TTL/),
      expect.stringMatching(/^line 2: info: ttl-threshold 3: copies leave as before/),
    ]);
  });

  test('disabled: left out, unless something names it', () => {
    const text = 'phyint eth1 disable\nphyint eth2 disable\nmroute from eth0 group 225.1.2.3 to eth1';
    expect(yaml(text)).not.toContain('eth2');
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 1: warning: phyint "eth1": disabled, but named/),
      expect.stringMatching(/^line 2: info: phyint "eth2": disabled, so left out/),
    ]);
  });
});

describe('patterns', () => {
  test('stand for the interfaces that the file names', () => {
    const text = 'phyint eth1\nphyint eth2\nmroute from tun0 group 225.1.2.3 to eth+';
    expect(yaml(text)).toContain('    upstream: tun0\n    downstreams:\n      - eth1\n      - eth2\n');
    expect(notesOfLines('smcroute', text)).toEqual([
      expect.stringMatching(/^line 3: warning: "eth\+": xmcast has no patterns; it stands for "eth1", "eth2"/),
    ]);
  });

  test('of no interface: left out', () => {
    expect(notesOfLines('smcroute', 'mroute from tun+ group 225.1.2.3 to eth0')).toEqual([
      expect.stringMatching(/"tun\+": .* matches no interface this file names/),
    ]);
  });

  test('line after line of them on both sides comes to an end', () => {
    const names = Array.from({ length: 1000 }, (_, i) => `phyint e${i}`);
    const routes = Array.from({ length: 1000 }, (_, i) => `mroute from e+ group 225.${i >> 8}.${i & 255}.1 to e+`);
    const started = performance.now();
    expect(notesOfLines('smcroute', [...names, ...routes].join('\n'))).toContainEqual(
      expect.stringMatching(/error: mroute: left out; all routes together/),
    );
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

test.each([
  ['include /etc/smcroute.d/*.conf', /^line 1: warning: include "\/etc\/smcroute\.d\/\*\.conf": not followed/],
  ['phyint eth0 mrdisc', /^line 1: warning: mrdisc: left out/],
  ['phyint eth0 ttl-treshold 3', /^line 1: warning: phyint: "ttl-treshold" is not known here; did you mean "ttl-threshold"\?/],
  ['phyint eth0 ttl-threshold 0', /^line 1: error: ttl-threshold: "0" is no number from 1 to 255/],
  ['phyint', /^line 1: error: phyint: a name is missing/],
  ['mruote from eth0 group 225.1.2.3 to eth1', /^line 1: error: "mruote" is not known here; did you mean "mroute"\?/],
  ['mroute form eth0 group 225.1.2.3 to eth1', /^line 1: warning: "form" is not known here; did you mean "from"\?/],
  ['mroute from eth0 to eth1', /^line 1: error: mroute: "from NAME" and "group ADDRESS" are needed/],
  ['mgroup from eth0', /^line 1: error: mgroup: "from NAME" and "group ADDRESS" are needed/],
  ['mroute from eth0 group 10.1.2.3 to eth1', /^line 1: error: group 10\.1\.2\.3: not within 224\.0\.0\.0\/4/],
  [
    'mroute from eth0 group 224.0.0.5 to eth1',
    /^line 1: error: group 224\.0\.0\.5: within 224\.0\.0\.0\/24, which is never routed/,
  ],
  [
    'mroute from eth0 group 225.1.2.3 source 127.0.0.1 to eth1',
    /^line 1: error: source 127\.0\.0\.1: no host has such an address/,
  ],
  [
    'mroute from eth0 source 2001:db8::1 group ff2e::42 to eth1',
    /^line 1: warning: group: "ff2e::42" is IPv6, which xmcast does not route yet/,
  ],
  ['mroute from eth0 group 225.1.2.3 to a/b', /^line 1: error: "a\/b" is no interface name/],
])('%s: what is said of it', (text, note) => {
  expect(notesOfLines('smcroute', text)).toContainEqual(expect.stringMatching(note));
});

test('every file is told that hosts cannot join, and that there are queries now', () => {
  expect(translated('smcroute', 'mroute from eth0 group 225.1.2.3 to eth1').notes).toEqual([
    expect.stringMatching(/^info: smcroute forwards by its routes alone, so igmp\.access keeps the joins of hosts out/),
    expect.stringMatching(/^info: on interfaces that are no upstream xmcast takes part in IGMP/),
  ]);
});
