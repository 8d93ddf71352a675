/**
 * What each word of an igmpproxy.conf becomes. The words and their meaning are those of igmpproxy 0.4 (config.c, request.c, rttable.c).
 */
import { notesOfLines, translated } from './translated';

const SMALLEST = 'phyint eth0 upstream\nphyint eth1 downstream\n';

function yaml(text: string): string {
  const { yaml: found, problems } = translated('igmpproxy', text);
  expect(problems).toEqual([]);
  return found;
}

test('the file that igmpproxy brings along', () => {
  const text = `
##  Enable Quickleave mode (Sends Leave instantly)
quickleave

phyint eth0 upstream  ratelimit 0  threshold 1
        altnet 10.0.0.0/8
        altnet 192.168.0.0/24

phyint eth1 downstream  ratelimit 0  threshold 1
phyint eth2 disabled
`;
  expect(yaml(text)).toBe(`interfaces:
  - name: eth0
    upstream: true
    alternative_subnets:
      - 10.0.0.0/8
      - 192.168.0.0/24
  - name: eth1
igmp:
  quick_leave: tracked
`);
  expect(notesOfLines('igmpproxy', text)).toEqual([
    expect.stringMatching(/^line 3: info: quickleave: written as "tracked"/),
    expect.stringMatching(/^line 10: info: phyint "eth2": disabled, so left out/),
  ]);
});

test('words may stand on lines of their own, and a comment may begin anywhere', () => {
  expect(yaml('phyint\n eth0 # the provider\n upstream phyint eth1\tdownstream#hosts\r\n threshold\n 9')).toBe(`interfaces:
  - name: eth0
    upstream: true
  - name: eth1
    ttl_threshold: 9
`);
});

test('a subnet given twice is there once', () => {
  expect(yaml(`${SMALLEST} altnet 10.0.0.0/8 altnet 10.0.0.0/8`)).toContain('    alternative_subnets:\n      - 10.0.0.0/8\n');
  expect(yaml(`${SMALLEST} altnet 10.0.0.0/8 altnet 10.0.0.0/8`).match(/10\.0\.0\.0/g)).toHaveLength(1);
});

test('lists: the last match decides for igmpproxy, the first for xmcast, so the rules are turned round', () => {
  const text = `${SMALLEST} whitelist 239.0.0.0/8 blacklist 239.255.0.0/16 whitelist 239.255.255.250/32`;
  expect(yaml(text)).toContain(`    igmp:
      access:
        - action: permit
          group: 239.255.255.250/32
        - action: deny
          group: 239.255.0.0/16
        - action: permit
          group: 239.0.0.0/8
`);
});

test('blacklists alone leave everything else open', () => {
  expect(yaml(`${SMALLEST} blacklist 239.255.0.0/16`)).toContain(`      access:
        - action: deny
          group: 239.255.0.0/16
        - action: permit
`);
});

test('lists of an upstream are the groups it serves', () => {
  expect(yaml('phyint eth0 upstream whitelist 239.0.0.0/8 whitelist 232.1.1.1/32 phyint eth1 downstream'))
    .toContain(`    upstream_groups:
      - 232.1.1.1/32
      - 239.0.0.0/8
`);
  expect(notesOfLines('igmpproxy', 'phyint eth0 upstream whitelist 10.0.0.0/8 phyint eth1 downstream')).toEqual([
    expect.stringMatching(/^line 1: error: phyint "eth0": its lists let no group through/),
  ]);
});

test.each([
  ['hashtablesize 64', /^line 3: info: hashtablesize: not needed/],
  ['rescanvif', /^line 3: info: rescanvif: not needed/],
  ['defaultdown', /^line 3: warning: defaultdown: left out; name each downstream interface/],
  ['chroot /var/empty', /^line 3: warning: chroot: left out/],
  ['user nobody', /^line 3: warning: user: left out/],
  ['phyint eth2 downstream ratelimit 5000', /^line 3: warning: ratelimit "5000": left out/],
  ['phyint eth2 downstream threshold 16', /^line 3: info: threshold 16: copies leave as before; also, a packet received here/],
  ['phyint eth2 upstream', /^line 3: info: phyint "eth2": another upstream/],
  ['phyint eth2 upstream threshold 16', /^line 3: warning: threshold 16: .*check the TTL of the streams/],
  ['phyint eth2', /^line 3: warning: phyint "eth2": has no role, which means disabled; left out/],
  ['phyint eth1 disabled', /^line 3: error: phyint "eth1": given before; igmpproxy takes the first/],
  ['phyint eth2 downstream altnet 10.1.2.3/8', /^line 3: warning: altnet 10\.1\.2\.3\/8: bits behind the length cut off/],
])('%s: what is said of it', (text, note) => {
  expect(notesOfLines('igmpproxy', SMALLEST + text)).toContainEqual(expect.stringMatching(note));
  expect(translated('igmpproxy', SMALLEST + text).problems).toEqual([]);
});

test.each([
  ['phyint eth2 downstream treshold 5', /^line 3: error: "treshold" is not known here; did you mean "threshold"\?/],
  ['quikleave', /^line 3: error: "quikleave" is not known here; did you mean "quickleave"\?/],
  ['phyint', /^line 3: error: phyint: a value is missing/],
  ['phyint downstream', /^line 3: error: phyint: a value is missing/],
  ['phyint eth2 downstream threshold 256', /^line 3: error: threshold: "256" is no number from 1 to 255/],
  ['phyint eth2 downstream threshold quickleave', /^line 3: error: threshold: a value is missing/],
  ['phyint eth2 downstream altnet 10.0.0.0/33', /^line 3: error: altnet: "10\.0\.0\.0\/33" is no IPv4 address or prefix/],
  ['phyint eth2 downstream altnet 10/8', /^line 3: error: altnet: "10\/8" is no IPv4 address or prefix/],
  ['phyint eth2 downstream altnet 2001:db8::/32', /^line 3: error: altnet: .* is IPv6/],
  ['phyint eth2 downstream altnet 239.0.0.0/8', /^line 3: error: altnet: no host has an address in it/],
  ['phyint name-of-16-bytes downstream', /^line 3: error: phyint: "name-of-16-bytes" has 16 bytes; Linux allows 15; left out/],
  ['phyint a/b downstream', /^line 3: error: phyint: "a\/b" is no interface name/],
])('%s: not understood, said so, and the rest is translated', (text, note) => {
  expect(notesOfLines('igmpproxy', SMALLEST + text)).toContainEqual(expect.stringMatching(note));
  expect(yaml(SMALLEST + text)).toContain('- name: eth1');
});

test('a word nobody knows takes what follows it along: one slip, one note', () => {
  const text = `${SMALLEST} treshold 5 foo bar altnet 10.0.0.0/8`;
  expect(notesOfLines('igmpproxy', text)).toHaveLength(1);
  expect(yaml(text)).toContain('- 10.0.0.0/8');
});

test('options before the first phyint belong to none', () => {
  expect(notesOfLines('igmpproxy', `threshold 5 upstream ${SMALLEST}`)).toEqual([
    expect.stringMatching(/^line 1: error: threshold: belongs behind a phyint/),
    expect.stringMatching(/^line 1: error: upstream: belongs behind a phyint/),
  ]);
});

describe('defaultdown', () => {
  test('gives the interfaces behind it their role', () => {
    expect(yaml('phyint eth0 upstream defaultdown phyint eth1 threshold 3')).toContain('- name: eth1');
  });

  test('and not those before it', () => {
    expect(yaml('phyint eth0 upstream phyint eth1 defaultdown')).not.toContain('eth1');
  });
});

describe('an address label is an interface to igmpproxy', () => {
  test('disabled: left out', () => {
    expect(notesOfLines('igmpproxy', `${SMALLEST}phyint eth0:1 disabled`)).toEqual([
      expect.stringMatching(/^line 3: info: phyint "eth0:1": disabled/),
    ]);
  });

  test('alone: stands for its device', () => {
    expect(yaml('phyint eth0:1 upstream altnet 10.0.0.0/8 phyint eth1 downstream')).toBe(`interfaces:
  - name: eth0
    upstream: true
    alternative_subnets:
      - 10.0.0.0/8
  - name: eth1
`);
  });

  test('beside its device, of the same role: only its subnets are taken over, wherever it stands', () => {
    expect(yaml('phyint eth1:1 downstream altnet 10.1.0.0/16 phyint eth0 upstream phyint eth1 downstream'))
      .toContain(`- name: eth1
    alternative_subnets:
      - 10.1.0.0/16
`);
  });

  test('beside its device, of another role: cannot be', () => {
    const text = `${SMALLEST}phyint eth1:1 upstream`;
    expect(notesOfLines('igmpproxy', text)).toEqual([
      expect.stringMatching(
        /^line 3: error: phyint "eth1:1": an address of "eth1", which is downstream; an interface has one role/,
      ),
    ]);
    expect(yaml(text)).not.toContain('eth1:1');
  });
});

test('every file is told how queries differ; one without upstream or downstream is told what that means', () => {
  expect(translated('igmpproxy', SMALLEST).notes).toEqual([expect.stringMatching(/^info: igmpproxy asks with IGMPv2/)]);
  expect(translated('igmpproxy', 'phyint eth1 downstream').notes).toContainEqual(
    expect.stringMatching(/^warning: no phyint is upstream/),
  );
  expect(translated('igmpproxy', 'phyint eth1 upstream').notes).toContainEqual(
    expect.stringMatching(/^warning: no phyint is downstream/),
  );
});

test('a file of nothing makes no configuration, and says why', () => {
  expect(translated('igmpproxy', '# nothing\n').notes).toContainEqual('error: interfaces: none given; at least one is needed');
});
