/**
 * Reading the file itself: what the operator sees when it is missing, unreadable or wrong.
 */
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfigFile } from '../../../control/config/load';
import { XmcastError } from '../../../control/errors';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'xmcast-config-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(content: string | Uint8Array): string {
  const path = join(folder, 'xmcast.yaml');
  writeFileSync(path, content);
  return path;
}

async function failureOf(path: string): Promise<XmcastError> {
  const error: unknown = await loadConfigFile(path).catch((reason: unknown) => reason);
  if (!(error instanceof XmcastError)) throw new Error(`expected an XmcastError, got ${String(error)}`);
  expect(error.code).toBe('XM_CONFIG');
  expect(error.hint).not.toBe('');
  return error;
}

test('a good file gives settings and the message they were made from', async () => {
  const { settings, config } = await loadConfigFile(write('interfaces: [{name: eth0}]\nlog_level: warn\n'));
  expect(settings.logLevel).toBe('warn');
  expect(config.toJSON()).toEqual({ interfaces: [{ name: 'eth0' }], logLevel: 'warn' });
});

test('a bad file: every problem on a line of its own that an editor understands', async () => {
  const path = write('interfaces:\n  - name: eth0\n    ttl_threshold: 0\nigpm: {}\n');
  expect((await failureOf(path)).message.split('\n')).toEqual([
    `read configuration ${path}: 2 problems`,
    `${path}:3:20: interfaces[0].ttl_threshold: is 0; allowed is 1 to 255`,
    `${path}:4:1: igpm: unknown key; did you mean "igmp"?`,
  ]);
});

test('more problems than anyone reads are counted, not listed', async () => {
  const bad = Array.from({ length: 150 }, (_, n) => `{name: e${n}, ttl_threshold: 0}`).join(', ');
  const lines = (await failureOf(write(`interfaces: [${bad}]`))).message.split('\n');
  expect(lines).toHaveLength(102);
  expect(lines.at(-1)).toBe('and 50 more');
});

test('missing', async () => {
  const path = join(folder, 'none.yaml');
  expect((await failureOf(path)).message).toBe(`read configuration ${path}: ENOENT; no such file`);
});

test('a folder', async () => {
  expect((await failureOf(folder)).message).toBe(`read configuration ${folder}: EISDIR; a directory, not a file`);
});

test('a link to itself', async () => {
  const path = join(folder, 'loop');
  symlinkSync(path, path);
  expect((await failureOf(path)).message).toBe(`read configuration ${path}: ELOOP; symbolic links lead in a circle`);
});

test('not for this user', async () => {
  const path = write('interfaces: [{name: eth0}]');
  chmodSync(path, 0o000);
  const user = process.geteuid?.() ?? 0;
  // Root may read anything; for as long as this takes it is nobody.
  process.seteuid?.(user === 0 ? 65_534 : user);
  try {
    expect((await failureOf(path)).message).toBe(`read configuration ${path}: EACCES; this user may not read it`);
  } finally {
    process.seteuid?.(user);
  }
});

test('something without end is given up after the largest size allowed', async () => {
  expect((await failureOf('/dev/zero')).message).toContain('has 4194305 bytes; allowed are 4194304');
});

test('bytes that are no UTF-8', async () => {
  const path = write(Uint8Array.of(0x6e, 0xff, 0xfe));
  expect((await failureOf(path)).message).toBe(`read configuration ${path}: not UTF-8 text`);
});

test('a byte-order mark is no part of the text', async () => {
  const { settings } = await loadConfigFile(write('\ufeffinterfaces: [{name: eth0}]\n'));
  expect(settings.interfaces[0]?.name).toBe('eth0');
});
