/** Help and exit statuses of every command there is: found in the tree, so that none is forgotten. */
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { EXIT, EXIT_MEANING } from '../../../control/cli/failure';
import { createProgram } from '../../../control/cli/run';
import { CliUnderTest } from './cli-under-test';

const NOWHERE = { write: () => true };

function leaves(command: Command, above: readonly string[] = []): string[][] {
  const visible = command.createHelp().visibleCommands(command).filter((each) => each.name() !== 'help');
  return visible.flatMap((each) => [[...above, each.name()], ...leaves(each, [...above, each.name()])]);
}

const program = createProgram({ stdout: NOWHERE, stderr: NOWHERE, env: {}, isTerminal: false }, () => undefined);
const commands = leaves(program);
/** Arguments that a command needs to begin, by its name. */
const NEEDED: Readonly<Record<string, readonly string[]>> = { set: ['log_level=info'], rollback: ['1'], trace: ['239.1.1.1'], add: ['239.1.1.1', '--from', 'up0'], del: ['239.1.1.1'] };
/** Need no daemon. */
const ALONE = ['import', 'completion'];

let cli: CliUnderTest;
beforeAll(() => (cli = new CliUnderTest()));
afterAll(() => cli.close());

test('there are commands', () => expect(commands.length).toBeGreaterThan(15));

test.each(commands.map((command) => [command.join(' '), command] as const))('%s: its help has a description and examples of its own', async (name, command) => {
  const { status, stdout } = await cli.run([...command, '--help']);
  expect(status).toBe(EXIT.ok);
  expect(stdout).toContain('Examples:');
  expect(stdout).toMatch(new RegExp(`^ +.*xmcastctl ${name}`, 'm'));
});

test.each(commands.map((command) => [command.join(' '), command] as const))('%s: an option that there is not is status 2', async (_name, command) => {
  expect(await cli.run([...command, '--no-such-option'])).toMatchObject({ status: EXIT.usage, stdout: '' });
});

function find(command: readonly string[]): Command {
  return command.reduce((at, name) => at.commands.find((each) => each.name() === name) ?? at, program);
}

/** Commands that begin by calling the daemon: no groups of commands, and none that begins by reading a file. */
const calling = commands.filter((command) => {
  const { commands: below, registeredArguments } = find(command);
  return !ALONE.includes(command[0] ?? '') && below.length === 0 && !registeredArguments.some((each) => each.name() === 'file' && each.required);
});

test.each(calling.map((command) => [command.join(' '), command] as const))('%s: no daemon is status 4', async (_name, command) => {
  const argv = [...command, ...(NEEDED[command.at(-1) ?? ''] ?? [])];
  const outcome = await cli.run(argv, { env: { XMCAST_TARGET: 'unix:///nonexistent/x.sock' } });
  expect(outcome).toMatchObject({ status: EXIT.unavailable, stdout: '', stderr: expect.stringContaining('ENOENT, there is no socket') });
});

test.each(['check', 'diff', 'apply'])('config %s: a file that there is not is status 2, before the daemon is asked', async (name) => {
  const outcome = await cli.run(['config', name, '/nonexistent/file'], { env: { XMCAST_TARGET: 'unix:///nonexistent/x.sock' } });
  expect(outcome).toMatchObject({ status: EXIT.usage, stdout: '', stderr: expect.stringContaining('/nonexistent/file') });
});

test('docs/api.md lists the exit statuses there are', () => {
  const text = readFileSync(path.resolve(__dirname, '../../../docs/api.md'), 'utf8');
  const table = text.split('| exit status | meaning |')[1]?.split('\n\n')[0] ?? '';
  const documented = [...table.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status));
  expect(documented).toEqual(Object.values(EXIT));
  expect(Object.keys(EXIT_MEANING)).toEqual(Object.keys(EXIT));
});
