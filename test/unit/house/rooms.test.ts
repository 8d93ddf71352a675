/** Rooms import only from the rooms below them: the one-way dependencies of docs/architecture.md. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../../..');
/** From the bottom up. Files directly in control/ that every room may use come first. */
const ORDER = [
  'errors.ts', 'log.ts', 'paths.ts', 'events.ts', 'log-level.ts',
  'protocol/packet', 'protocol/igmp', 'ssm', 'mrib', 'dataplane', 'kernel', 'config', 'static', 'import', 'api', 'remote', 'metrics', 'cli', 'router', 'daemon.ts', 'dataplane-daemon.ts', 'arguments.ts', 'between-roles.ts', 'main.ts',
];
const PURE = new Set(['protocol/packet', 'protocol/igmp', 'ssm', 'mrib']);

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function roomOf(path: string): string {
  const inside = relative(join(ROOT, 'control'), path);
  const room = ORDER.find((name) => inside === name || inside === name.replace(/\.ts$/, '') || inside.startsWith(`${name}/`));
  if (room === undefined) throw new Error(`${inside} is in no room`);
  return room;
}

function importsOf(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/(?:from|import|require)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name ?? '');
}

const files = sources(join(ROOT, 'control'));

test('every file of control/ is in a room, and there are files to look at', () => {
  expect(files.length).toBeGreaterThan(40);
  for (const file of files) expect(ORDER).toContain(roomOf(file));
});

test('a room imports only from itself and from rooms below it', () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const name of importsOf(file).filter((found) => found.startsWith('.'))) {
      const target = roomOf(resolve(dirname(file), name));
      if (ORDER.indexOf(target) > ORDER.indexOf(roomOf(file))) wrong.push(`${relative(ROOT, file)} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('pure rooms import nothing from outside', () => {
  const wrong = files
    .filter((file) => PURE.has(roomOf(file)))
    .flatMap((file) => importsOf(file).filter((name) => !name.startsWith('.')).map((name) => `${relative(ROOT, file)} imports ${name}`));
  expect(wrong).toEqual([]);
});

test('the command line is a pure client of the API', () => {
  const wrong = files
    .filter((file) => roomOf(file) === 'cli')
    .flatMap((file) => importsOf(file).filter((name) => name === '#bindings' || /\/(dataplane|kernel|mrib|router|protocol|metrics)\//.test(name)));
  expect(wrong).toEqual([]);
});
