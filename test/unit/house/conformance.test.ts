/** docs/conformance.md lists every deviation that the code is marked with. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../../..');

test('every DEVIATION in the code is in the document, and nothing else is', () => {
  const marked = readdirSync(join(ROOT, 'control'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => [...readFileSync(join(ROOT, 'control', name), 'utf8').matchAll(/DEVIATION\(RFC(\d+) ([\d.]+)\)/g)])
    .map(([, rfc, section]) => `RFC ${rfc} ${section}`);
  const document = readFileSync(join(ROOT, 'docs/conformance.md'), 'utf8').split('## Deviations')[1] ?? '';
  const listed = [...document.matchAll(/^\| (RFC \d+ [\d.]+),/gm)].map(([, name]) => name);
  expect(marked.length).toBeGreaterThan(0);
  expect(listed.sort()).toEqual([...new Set(marked)].sort());
});
