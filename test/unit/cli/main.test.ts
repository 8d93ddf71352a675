import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

import { startApiServer } from '../../../control/api/server';
import { FakeState, manyFlows } from '../api/fake-state';
import { RecordedLog } from '../api/recorded-log';

const ROOT = path.resolve(__dirname, '../../..');
/** All that xmcastctl may consist of; an import of any other room makes the child process fail. */
const ROOMS = ['control/cli', 'control/api', 'control/import', 'control/config', 'control/protocol/packet', 'control/dataplane'];
const SERVER_ONLY =
  /^(server|config-service|config-request|state-service|system-service|health|reflection|unary|streams|unix-socket|messages|membership-message|route-text|filters|state-filters|paging|page-.*|smallest-keys|status-watch|unknown-methods|server-limits|access|admission|connections|network|refusals|certificate-names|tls-.*|token-bucket|unix-group|watch-.*|event-(filter|message|watch)|trace-message|capabilities|change-journal|resume-token)\.ts$/;

let install: string;

/** An installed tree: build/ beside package.json and the generated schema. */
beforeAll(() => {
  install = mkdtempSync(path.join(os.tmpdir(), 'xmcast-install-'));
  for (const room of ROOMS) transpileFolder(room);
  transpile('control/errors.ts');
  cpSync(path.join(ROOT, 'package.json'), path.join(install, 'package.json'));
  for (const name of ['node_modules', 'proto']) symlinkSync(path.join(ROOT, name), path.join(install, name));
});

afterAll(() => rmSync(install, { recursive: true }));

function transpileFolder(room: string): void {
  mkdirSync(path.join(install, 'build', room), { recursive: true });
  for (const file of readdirSync(path.join(ROOT, room))) if (!SERVER_ONLY.test(file)) transpile(path.join(room, file));
}

function transpile(file: string): void {
  const { outputText } = transpileModule(readFileSync(path.join(ROOT, file), 'utf8'), {
    compilerOptions: { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true },
  });
  writeFileSync(path.join(install, 'build', file.replace(/\.ts$/, '.js')), outputText);
}

interface Exit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function started(args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [path.join(install, 'build/control/cli/main.js'), ...args], { env: {} });
}

/** `readBytes`: the reader leaves after that many, as head(1) does. */
function xmcastctl(args: readonly string[], readBytes = Number.POSITIVE_INFINITY): Promise<Exit> {
  return new Promise((resolve) => {
    const child = started(args);
    let stdout = '';
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.length >= readBytes) child.stdout.destroy();
    });
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

test('xmcastctl as a process: output, exit status, and a reader that leaves early', async () => {
  const socketPath = path.join(install, 'control.sock');
  const state = new FakeState();
  state.flowStates = manyFlows(2000);
  const server = await startApiServer({ socketPath, state, log: new RecordedLog() });
  try {
    const target = ['--target', `unix://${socketPath}`];
    const json = await xmcastctl([...target, 'flows', '-o', 'json']);
    expect({ ...json, stdout: (JSON.parse(json.stdout) as { flows: unknown[] }).flows.length }).toEqual({
      code: 0,
      stdout: 2000,
      stderr: '',
    });
    expect(await xmcastctl([...target, 'flows'], 100)).toMatchObject({ code: 0, stderr: '' });
    expect(await xmcastctl([...target, 'flows', '--group', 'x'])).toMatchObject({ code: 2, stdout: '' });
  } finally {
    await server.close();
  }
  expect(await xmcastctl(['status', '--target', `unix://${socketPath}`])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('ENOENT'),
  });
}, 60_000);

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  '--watch ends on %s with status 0',
  async (signal) => {
    const socketPath = path.join(install, `${signal}.sock`);
    const server = await startApiServer({ socketPath, state: new FakeState(), log: new RecordedLog() });
    try {
      const child = started(['--target', `unix://${socketPath}`, 'routes', '--watch', '60']);
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.stdout.once('data', () => child.kill(signal));
      const [code, endedBy] = await new Promise<readonly unknown[]>((resolve) => child.once('close', (...how) => resolve(how)));
      expect({ code, endedBy, stderr }).toEqual({ code: 0, endedBy: null, stderr: '' });
    } finally {
      await server.close();
    }
  },
  60_000,
);
