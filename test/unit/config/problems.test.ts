/**
 * What a user is told about a bad file: place, key, and words that say how to put it right.
 */
import { checkConfigText } from '../../../control/config/check';

function problemsOf(text: string): string[] {
  return checkConfigText(text).problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

/** A file that is good but for the lines appended. */
const GOOD = 'interfaces: [{name: eth0}]\n';

const unknownTopLevel =
  'unknown key; known here: interfaces, igmp, limits, dataplane, api, metrics, log_level, static_routes, ssm_mapping';
const duration = 'expected a duration in seconds such as "125s" or "0.5s", found';
const number = 'expected a whole number from 0 to 4294967295, found';

const KEYS: [name: string, text: string, problems: string[]][] = [
  ['misspelt', 'interfaces:\n  - nmae: eth0\n    name: eth0\n', ['2:5 interfaces[0].nmae: unknown key; did you mean "name"?']],
  ['with a dash', `${GOOD}log-level: info\n`, ['2:1 log-level: unknown key; did you mean "log_level"?']],
  ['unlike any', `${GOOD}pim: {}\n`, [`2:1 pim: ${unknownTopLevel}`]],
  ['of another section', `${GOOD}robustness: 2\n`, ['2:1 robustness: unknown key here; it belongs under "igmp"']],
  ['given twice', 'interfaces:\n  - name: a\n    name: b\n', ['3:5 interfaces[0].name: duplicate key, first given in line 2']],
  ['in both spellings', `${GOOD}log_level: info\nlogLevel: warn\n`, ['3:1 log_level: duplicate key, first given in line 2']],
  ['that is a list', `${GOOD}? [a]\n: 1\n`, ['2:3 : a key must be a plain word, found a list']],
  ['that is a number', `${GOOD}7: 1\n`, [`2:1 7: ${unknownTopLevel}`]],
  [
    'of the prototype',
    `${GOOD}__proto__: {}\nconstructor: 1\n`,
    [`2:1 __proto__: ${unknownTopLevel}`, `3:1 constructor: ${unknownTopLevel}`],
  ],
  ['that would break the line of the message', `${GOOD}"a\\nb\\e[1m": 1\n`, [`2:1 "a\\nb\\u001b[1m": ${unknownTopLevel}`]],
  [
    'for merging',
    `${GOOD}<<: {}\n`,
    ['2:1 "<<": merge keys are not supported; give the keys themselves, or use an alias for the whole mapping'],
  ],
];
test.each(KEYS)('key %s', (_, text, problems) => expect(problemsOf(text)).toEqual(problems));

const TYPES: [name: string, text: string, problems: string[]][] = [
  ['a list for a mapping', `${GOOD}limits: [1]\n`, ['2:1 limits: expected a mapping of keys to values, found a list']],
  ['text for a mapping', `${GOOD}igmp: on\n`, ['2:7 igmp: expected a mapping of keys to values, found the text "on"']],
  ['a mapping for a list', 'interfaces:\n  name: eth0\n', ['1:1 interfaces: expected a list, found a mapping']],
  [
    'text in a list of mappings',
    'interfaces:\n  - eth0\n',
    ['2:5 interfaces[0]: expected a mapping of keys to values, found the text "eth0"'],
  ],
  ['an empty list entry', 'interfaces:\n  - name: a\n  -\n', ['3:4 interfaces[1]: empty list entry']],
  [
    'a number for text',
    'interfaces:\n  - name: 5\n',
    ['2:11 interfaces[0].name: expected text, found 5; write it in quotes: "5"'],
  ],
  ['text for a number', `${GOOD}igmp:\n  robustness: two\n`, [`3:15 igmp.robustness: ${number} the text "two"`]],
  ['a negative number', `${GOOD}igmp:\n  robustness: -1\n`, [`3:15 igmp.robustness: ${number} -1`]],
  ['a fraction', `${GOOD}igmp:\n  robustness: 2.5\n`, [`3:15 igmp.robustness: ${number} 2.5`]],
  ['a number no uint32 holds', `${GOOD}limits: {routes: 4294967296}\n`, [`2:18 limits.routes: ${number} 4294967296`]],
  ['not a number', `${GOOD}limits: {routes: .nan}\n`, [`2:18 limits.routes: ${number} .nan`]],
  [
    'yes for a boolean',
    'interfaces: [{name: a, upstream: yes}]',
    ['1:34 interfaces[0].upstream: expected true or false, found the text "yes"; write true'],
  ],
  ['one for a boolean', 'interfaces: [{name: a, upstream: 1}]', ['1:34 interfaces[0].upstream: expected true or false, found 1']],
  [
    'a duration without unit',
    `${GOOD}igmp:\n  query_interval: 125\n`,
    [`3:19 igmp.query_interval: ${duration} 125; write "125s"`],
  ],
  [
    'a duration in minutes',
    `${GOOD}igmp:\n  query_interval: 2m5s\n`,
    [`3:19 igmp.query_interval: ${duration} the text "2m5s"; write "125s"`],
  ],
  [
    'a duration in ms',
    `${GOOD}igmp:\n  query_interval: 1500ms\n`,
    [`3:19 igmp.query_interval: ${duration} the text "1500ms"; write "1.5s"`],
  ],
  ['no duration at all', `${GOOD}igmp:\n  query_interval: soon\n`, [`3:19 igmp.query_interval: ${duration} the text "soon"`]],
  ['an alias of nothing', 'interfaces: [{name: *x}]', ['1:21 interfaces[0].name: alias *x has no anchor before it']],
  [
    'an alias of what comes later',
    'interfaces: [{name: *x}, {name: &x b}]',
    ['1:21 interfaces[0].name: alias *x has no anchor before it'],
  ],
];
test.each(TYPES)('%s', (_, text, problems) => expect(problemsOf(text)).toEqual(problems));

const FILES: [name: string, text: string, problems: (string | RegExp)[]][] = [
  ['nothing', '', ['1:1 : the file is empty; at least one interface is needed']],
  ['only a comment', '# later\n', ['1:1 : the file is empty; at least one interface is needed']],
  ['a number', '5\n', ['1:1 : expected a mapping of keys to values, found 5']],
  ['a list', '- name: eth0\n', ['1:1 : expected a mapping of keys to values, found a list']],
  ['no interface', 'igmp: {}\n', ['1:1 interfaces: none given; at least one is needed']],
  ['an empty list of interfaces', 'igmp: {}\ninterfaces: []\n', ['2:1 interfaces: none given; at least one is needed']],
  ['two documents', `${GOOD}---\n${GOOD}`, ['2:1 : more than one YAML document; a configuration is one']],
  ['a tab before a key', 'interfaces:\n\t- name: eth0\n', ['2:1 : not YAML: Tabs are not allowed as indentation']],
  ['a bracket left open', 'interfaces: [{name: eth0}', [/^1:26 : not YAML: Flow sequence .* must .* end with a \]$/]],
  ['a tag nobody knows', 'interfaces: !secret [{name: eth0}]', ['1:13 : not YAML: Unresolved tag: !secret']],
  ['brackets without end', '['.repeat(5000), ['1:1 : nested too deeply']],
  ['brackets 100 deep', '['.repeat(100) + ']'.repeat(100), ['1:1 : expected a mapping of keys to values, found a list']],
  ['brackets hidden behind a word of JavaScript', `[constructor, __proto__, ${'['.repeat(5000)}`, ['1:1 : nested too deeply']],
  ['dashes without end', '- '.repeat(5000), [/^1:\d+ : nested too deeply$/]],
  ['more tokens than are read', 'a,'.repeat(800_000).replace(/^/, '['), ['1:1 : the file has more than 1500000 YAML tokens']],
  [
    'more bytes than are read',
    `${GOOD}# ${'x'.repeat(4 * 1024 * 1024)}`,
    ['1:1 : the file has 4194333 bytes; allowed are 4194304'],
  ],
];
test.each(FILES)('a file of %s', (_, text, problems) => {
  const found = problemsOf(text);
  expect(found).toHaveLength(problems.length);
  for (const [index, expected] of problems.entries()) expect(found[index]).toEqual(expect.stringMatching(asPattern(expected)));
});

function asPattern(expected: string | RegExp): RegExp {
  return typeof expected === 'string' ? new RegExp(`^${expected.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`) : expected;
}

test('all problems of form and value at once, in the order of the file', () => {
  const text = [
    'metrics: {listen: ":9469"}',
    'interfaces:',
    '  - name: a/b',
    '    ttl_threshold: 0',
    '  - name: eth1',
    '    ttl: 4',
    'igmp:',
    '  robustness: many',
    '  version: 4',
  ].join('\n');
  expect(problemsOf(text).map((problem) => problem.split(': ')[0])).toEqual([
    '1:19 metrics.listen',
    '3:11 interfaces[0].name',
    '4:20 interfaces[0].ttl_threshold',
    '6:5 interfaces[1].ttl',
    '8:15 igmp.robustness',
    '9:12 igmp.version',
  ]);
});

test('a value that could not be read is not reported as missing too', () => {
  expect(problemsOf('interfaces:\n  - name: [eth0]\n')).toEqual(['2:5 interfaces[0].name: expected text, found a list']);
});

test('of a section given twice no value is judged before it is clear which is meant', () => {
  const text = 'interfaces: [{name: a, ttl_threshold: 0}]\ninterfaces: [{name: a}]\n';
  expect(problemsOf(text)).toEqual(['2:1 interfaces: duplicate key, first given in line 1']);
});

test('rules between values wait until each value is right: this one may only seem too long', () => {
  const text = `${GOOD}igmp:\n  query_interval: 300\n  query_response_interval: 200s\n`;
  expect(problemsOf(text)).toEqual([expect.stringContaining('3:19 igmp.query_interval: expected a duration')]);
});

test('an alias that repeats a bad mapping ends the reading after a hundred problems', () => {
  const bad = `{name: a, ${Array.from({ length: 50 }, (_, key) => `k${key}: 1`).join(', ')}}`;
  const aliases = Array.from({ length: 10_000 }, () => '*bad').join(', ');
  expect(problemsOf(`interfaces: [&bad ${bad}, ${aliases}]`)).toHaveLength(100);
});

test('an alias that repeats a long list ends the reading after half a million values', () => {
  const list = Array.from({ length: 600 }, (_, n) => `239.1.${n >> 8}.${n & 255}`).join(', ');
  const aliases = Array.from({ length: 1000 }, (_, n) => `{name: e${n}, boundaries: *long}`).join(', ');
  expect(problemsOf(`interfaces: [{name: a, boundaries: &long [${list}]}, ${aliases}]`)).toEqual([
    expect.stringMatching(
      /^1:\d+ interfaces\[\d+\]\.boundaries.*: the file has more than 500000 values, counted with what its aliases repeat$/,
    ),
  ]);
}, 60_000);
