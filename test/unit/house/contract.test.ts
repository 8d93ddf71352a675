/** The check that keeps the contract of the API: what it lets pass, and what it does not. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { join, resolve } from 'node:path';

jest.setTimeout(60_000);

const ROOT = resolve(__dirname, '../../..');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(os.tmpdir(), 'xmcast-contract-'));
  for (const name of ['buf.yaml', 'xmcast']) cpSync(join(ROOT, 'proto', name), join(folder, name), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The contract with one line written otherwise. */
function changed(file: string, from: string, to: string): void {
  const path = join(folder, 'xmcast/v1', file);
  const text = readFileSync(path, 'utf8');
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
}

function check(): { readonly passes: boolean; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'deploy/check-contract.sh'), [folder], { encoding: 'utf8' });
  return { passes: status === 0, said: stdout + stderr };
}

test('the contract as it is, and with something more', () => {
  expect(check()).toEqual({ passes: true, said: '' });
  changed('config.proto', 'message MetricsConfig {', 'message MetricsConfig {\n  // Something new.\n  uint32 something_new = 99;');
  expect(check()).toEqual({ passes: true, said: '' });
});

test.each([
  ['a field that goes', '  optional string listen = 1;', '', 'Previously present field "1" with name "listen"'],
  ['another number', '  optional string listen = 1;', '  optional string listen = 2;', 'Previously present field "1"'],
  ['another name', '  optional string listen = 1;', '  optional string address = 1;', 'Field "1" with name "address"'],
  ['another type', '  optional string listen = 1;', '  optional bytes listen = 1;', 'changed type from "string" to "bytes"'],
])('%s is found', (_what, from, to, words) => {
  changed('config.proto', from, to);
  const { passes, said } = check();
  expect(passes).toBe(false);
  expect(said).toContain(words);
});
