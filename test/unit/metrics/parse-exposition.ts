/**
 * A strict reader of the Prometheus text format 0.0.4. Where Prometheus is lenient this throws: on samples outside their family, families
 * that appear twice, repeated series, values and names of the wrong form, a missing final line feed.
 */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  /** By series text with labels sorted; the value as written. */
  readonly samples: Map<
    string,
    { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: string }
  >;
}

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*/;
const VALUE = /^(NaN|[+-]Inf|-?\d+(\.\d+)?(e[+-]?\d+)?)$/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
  const families = new Map<string, ParsedFamily>();
  let current: ParsedFamily | undefined;
  let help: readonly [name: string, text: string] | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([^ ]+) (.*)$/.exec(line);
    if (comment === null) {
      addSample(current, line);
    } else if (comment[1] === 'HELP') {
      help = [comment[2] ?? '', comment[3] ?? ''];
    } else {
      const name = comment[2] ?? '';
      if (help?.[0] !== name) throw new Error(`${name} has no HELP before its TYPE`);
      if (families.has(name)) throw new Error(`${name} appears twice`);
      current = { name, type: comment[3] ?? '', help: help[1], samples: new Map() };
      checkFamily(current);
      families.set(name, current);
    }
  }
  return families;
}

function checkFamily(family: ParsedFamily): void {
  if (!(family.type in SUFFIXES)) throw new Error(`${family.name} has type ${family.type}`);
  if (family.help === '') throw new Error(`${family.name} has an empty HELP`);
  const total = family.name.endsWith('_total');
  if (total !== (family.type === 'counter') && family.name.startsWith('xmcast_'))
    throw new Error(`${family.name} is a ${family.type}`);
}

function addSample(family: ParsedFamily | undefined, line: string): void {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  if (family === undefined || !(SUFFIXES[family.type] ?? []).some((suffix) => family.name + suffix === name)) {
    throw new Error(`${name} stands outside its family`);
  }
  const { labels, rest } = readLabels(line.slice(name.length));
  if (!rest.startsWith(' ') || !VALUE.test(rest.slice(1))) throw new Error(`no value: ${line}`);
  const series = `${name}${JSON.stringify(Object.entries(labels).sort())}`;
  if (family.samples.has(series)) throw new Error(`series twice: ${line}`);
  family.samples.set(series, { name, labels, value: rest.slice(1) });
}

function readLabels(text: string): { labels: Record<string, string>; rest: string } {
  const labels: Record<string, string> = {};
  if (!text.startsWith('{')) return { labels, rest: text };
  let at = 1;
  while (text[at] !== '}') {
    const name = NAME.exec(text.slice(at))?.[0];
    if (name === undefined || !text.startsWith('="', at + name.length)) throw new Error(`no label: ${text.slice(at)}`);
    if (name in labels) throw new Error(`label ${name} twice`);
    at += name.length + 2;
    let value = '';
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) throw new Error(`label value without an end: ${text}`);
      if (text[at] !== '\\') {
        value += text[at];
        continue;
      }
      at += 1;
      const escaped = { '\\': '\\', '"': '"', n: '\n' }[text[at] ?? ''];
      if (escaped === undefined) throw new Error(`unknown escape in ${text}`);
      value += escaped;
    }
    labels[name] = value;
    at += 1;
    if (text[at] === ',') at += 1;
    else if (text[at] !== '}') throw new Error(`no comma between labels: ${text}`);
  }
  return { labels, rest: text.slice(at + 1) };
}
