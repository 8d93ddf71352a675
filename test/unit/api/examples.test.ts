/** The examples of docs/api.md, as they stand there, against a running server. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';

import { type ApiServer, startApiServer } from '../../../control/api/server';
import { type Bench, numbered, request, start } from '../config-transactions/bench';
import { FakeState, manyFlows } from './fake-state';
import { RecordedLog } from './recorded-log';

jest.setTimeout(60_000);

const ROOT = path.resolve(__dirname, '../../..');
const document = readFileSync(path.join(ROOT, 'docs/api.md'), 'utf8');

let folder: string;
let state: FakeState;
let bench: Bench;
let server: ApiServer;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-examples-'));
  for (const name of ['proto', 'node_modules']) symlinkSync(path.join(ROOT, name), path.join(folder, name));
  state = new FakeState();
  bench = await start();
  await bench.manager.apply(request(numbered(3)));
  server = await startApiServer({ socketPath: path.join(folder, 'control.sock'), state, config: bench.manager, log: new RecordedLog() });
});
afterEach(async () => {
  await server.close();
  await bench.manager.close();
  rmSync(folder, { recursive: true });
});

/** Of the section that is called after the language. */
function example(language: string, heading: string): string {
  const section = document.split(`\n## From ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const found = [...section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))];
  expect(found).toHaveLength(1);
  return found[0]?.[1] ?? '';
}

function run(program: string, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [file, `unix://${server.socketPath}`], { cwd: folder });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(stdout) : reject(new Error(`status ${code}: ${stderr}`))));
  });
}

test('TypeScript: every flow, over several pages', async () => {
  state.flowStates = manyFlows(1200);
  const compilerOptions = { module: ModuleKind.CommonJS, target: ScriptTarget.ES2023, esModuleInterop: true };
  writeFileSync(path.join(folder, 'example.js'), transpileModule(example('ts', 'TypeScript'), { compilerOptions }).outputText);
  const lines = (await run(process.execPath, 'example.js')).trimEnd().split('\n');
  expect(lines).toHaveLength(1200);
  expect(lines[0]).toMatch(/^\S+ 239\.\S+ \d+ \d+$/);
});

test('Python: a value of the configuration, applied on trial and confirmed', async () => {
  writeFileSync(path.join(folder, 'example.py'), example('python', 'Python'));
  expect(await run('/usr/bin/python3', 'example.py')).toBe('interfaces[eth1].ttl_threshold 3 -> 9\nconfirmed 2\n');
  expect(bench.router.runs).toBe(9);
});
