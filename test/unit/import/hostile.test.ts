/**
 * Whatever the file: no exception, no control characters, bounded, and either a configuration that holds or a note that says why not.
 */
import fc from 'fast-check';
import { checkConfigText } from '../../../control/config/check';
import { importConfig, MAX_IMPORT_BYTES } from '../../../control/import/import-config';
import { IMPORT_FORMATS } from '../../../control/import/import-result';

const WORDS = `
  phyint upstream downstream disabled ratelimit threshold altnet whitelist blacklist quickleave
  hashtablesize defaultdown rescanvif chroot user mgroup ssmgroup mroute include from source group to
  enable disable mrdisc ttl-threshold eth0 eth1 eth0:1 eth+ + 225.1.2.3 225.1.2.0/30 232.1.2.3 0.0.0.0
  0.0.0.0/0 10.0.0.0/8 10.0.0.1 224.0.0.1 225.0.0.0/4 999 7 #
`
  .trim()
  .split(/\s+/)
  .concat('\n', '\n', '\n');

const address = (i: number): string => `225.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

const wordy = fc
  .array(fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...WORDS) }, fc.string()), { maxLength: 80 })
  .map((words) => words.join(' '));
const format = fc.constantFrom(...IMPORT_FORMATS);

test('any words and any text', () => {
  fc.assert(
    fc.property(format, fc.oneof({ weight: 4, arbitrary: wordy }, fc.string({ unit: 'binary', maxLength: 300 })), (one, text) => {
      const { notes, yaml } = importConfig(one, text);
      expect(yaml.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
      const { problems } = checkConfigText(yaml);
      if (problems.length > 0) expect(notes.map(({ severity }) => severity)).toContain('error');
      const lines = text.split('\n').length;
      for (const { line } of notes) expect(line >= 0 && line <= lines).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('every byte an attacker may write into a name is shown harmlessly', () => {
  const { yaml, notes } = importConfig('igmpproxy', 'phyint e\u001b[31m\u202eth0 downstream \u0007');
  expect(yaml).not.toMatch(/[\u001b\u0007\u202e]/);
  expect(notes.some(({ text }) => text.includes('\\u001b'))).toBe(true);
});

test('too large a file is refused unread', () => {
  const { config, notes, yaml } = importConfig('smcroute', 'x'.repeat(MAX_IMPORT_BYTES + 1));
  expect({ config, yaml }).toEqual({ config: {}, yaml: '' });
  expect(notes).toEqual([
    { line: 0, severity: 'error', text: `the file has ${MAX_IMPORT_BYTES + 1} bytes; allowed are ${MAX_IMPORT_BYTES}` },
  ]);
});

test.each([
  ['interfaces', (i: number) => `phyint e${i}`, /^1025 interfaces; at most 1024 are possible$/, 1025],
  ['routes', (i: number) => `mroute from a group ${address(i)} to b`, /^16385 routes; at most 16384 are possible$/, 16_385],
])('more %s than can be: refused as a whole', (_, line, reason, count) => {
  const { notes, yaml } = importConfig('smcroute', Array.from({ length: count }, (__, i) => line(i)).join('\n'));
  expect(yaml).toBe('');
  expect(notes).toContainEqual({ line: 0, severity: 'error', text: expect.stringMatching(reason) });
});

test('more notes than anybody reads are counted', () => {
  const { notes } = importConfig('smcroute', 'nonsense\n'.repeat(1000));
  expect(notes.length).toBeLessThan(300);
  expect(notes.at(-1)).toMatchObject({ severity: 'error', text: expect.stringMatching(/^and \d+ notes more$/) });
});

/** As many as fit. */
function fill(line: (index: number) => string): string {
  const lines: string[] = [];
  for (let bytes = 0, i = 0; ; i++) {
    const next = line(i);
    bytes += next.length + 1;
    if (bytes > MAX_IMPORT_BYTES) return lines.join('\n');
    lines.push(next);
  }
}

test.each([
  ['igmpproxy', 'upstream lists', fill((i) => (i === 0 ? 'phyint eth0 upstream' : `blacklist ${address(i * 2)}/32`))],
  ['igmpproxy', 'interfaces', fill((i) => `phyint e${i} downstream`)],
  ['igmpproxy', 'labels', fill((i) => `phyint e0:${i} downstream altnet 10.0.0.0/8`)],
  ['smcroute', 'routes', fill((i) => `mroute from a group ${address(i % 4_096)} to b c d e${i & 255}`)],
  ['smcroute', 'routes of one group from two sides', fill((i) => `mroute from a${i & 1} group ${address(i >> 1)} to b`)],
  [
    'smcroute',
    'sources of one group',
    fill((i) => `mroute from a source 10.${i >> 16}.${(i >> 8) & 255}.${i & 255} group 225.1.1.1 to b`),
  ],
  [
    'smcroute',
    'joins of ranges',
    `mroute from a group 225.0.0.0/8 to b\n${fill((i) => `mgroup from a source 10.0.0.0/25 group ${address(i * 1024)}/22`).slice(0, -200)}`,
  ],
  [
    'smcroute',
    'one line of interfaces',
    `mroute from a group 225.1.1.1 to ${fill((i) => `e${i}`)
      .replaceAll('\n', ' ')
      .slice(0, -200)}`,
  ],
] as const)(
  '%s: a file full of %s takes seconds, not minutes',
  (one, _, text) => {
    const started = performance.now();
    importConfig(one, text);
    expect(performance.now() - started).toBeLessThan(20_000);
  },
  60_000,
);
