/** Completion: what is offered where, with the names of a running router; and that the three shells take the script and offer it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { interfaceState, membershipState } from '../api/fake-state';
import { CliUnderTest } from './cli-under-test';

let cli: CliUnderTest;

beforeAll(async () => (cli = await new CliUnderTest().start()));
afterAll(() => cli.close());

async function offered(...words: readonly string[]): Promise<string[]> {
  const { status, stdout, stderr } = await cli.run(['__complete', '--', ...words]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.split('\n').filter((line) => line !== '').map((line) => line.split('\t')[0] ?? '');
}

test.each<[string[], string[]]>([
  [['me'], ['memberships']],
  [['config', 're'], ['reload', 'revisions']],
  [['-o', 'js'], ['json', 'jsonl']],
  [['flows', '--sort', 'pa'], ['packets']],
  [['import', ''], ['igmpproxy', 'smcroute']],
  [['import', 'smcroute', ''], []],
  [['completion', ''], ['bash', 'zsh', 'fish']],
  [['--tls-c'], ['--tls-ca', '--tls-cert']],
  [['flows', '--wa'], ['--watch']],
  [['flows', '--no-such', 'x', ''], []],
  [['no-such', ''], ['status']],
  [[''], ['status', 'config', 'completion', 'help']],
])('%j', async (words, expected) => {
  const found = await offered(...words);
  if (words.at(-1) === '' && expected.includes('status')) expect(found).toEqual(expect.arrayContaining(expected));
  else expect(found).toEqual(expected);
});

test('nothing that is hidden is offered', async () => expect((await offered('')).filter((name) => name.startsWith('_'))).toEqual([]));

test('names of the router, also of one that an option names', async () => {
  cli.state.interfaceStates = ['eth0', 'eth1', 'lan5'].map((name) => interfaceState({ name }));
  cli.state.membershipStates = [membershipState(), membershipState({ interface: 'lan5' })];
  expect(await offered('interfaces', '-i', '')).toEqual(['eth0', 'eth1', 'lan5']);
  expect(await offered('flows', '--interface', 'et')).toEqual(['eth0', 'eth1']);
  expect(await offered('memberships', '-g', '')).toEqual(['239.1.1.1']);
  expect(await offered('--target', 'unix:///nonexistent', 'interfaces', '-i', '')).toEqual([]);
});

describe('shells', () => {
  /** A program of this name that answers as xmcastctl does, and notes what it was asked. */
  function standIn(): string {
    const file = path.join(cli.folder, 'xmcastctl');
    writeFileSync(file, '#!/bin/sh\nprintf "%s\\n" "$*" >> "$0.asked"\nprintf "status\\tthe daemon\\nstatic\\tentries\\n"\n');
    chmodSync(file, 0o755);
    return file;
  }

  async function script(shell: string): Promise<string> {
    const file = path.join(cli.folder, `completion.${shell}`);
    writeFileSync(file, (await cli.run(['completion', shell])).stdout);
    return file;
  }

  function run(shell: string, ...argv: readonly string[]): string {
    const env = { ...process.env, PATH: `${cli.folder}:${process.env['PATH']}`, HOME: cli.folder };
    const { status, stdout, stderr } = spawnSync(shell, argv, { encoding: 'utf8', env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  }

  test('bash', async () => {
    const [program, file] = [standIn(), await script('bash')];
    const words = `COMP_WORDS=(${program} -o json sta); COMP_CWORD=3; _xmcastctl; printf '%s ' "\${COMPREPLY[@]}"`;
    expect(run('bash', '-c', `source ${file}; ${words}`)).toBe('status static ');
    expect(run('bash', '-c', `source ${file}; complete -p xmcastctl`)).toContain('-F _xmcastctl');
  });

  test('zsh', async () => {
    const [program, file] = [standIn(), await script('zsh')];
    const body = `_describe() { print -r -- "\${(@P)2}" }; source ${file}; words=(${program} sta); CURRENT=2; _xmcastctl`;
    expect(run('zsh', '-f', '-c', body)).toBe('status:the daemon static:entries\n');
  });

  test('fish', async () => {
    standIn();
    expect(run('fish', '--no-config', '-c', `source ${await script('fish')}; complete -C "xmcastctl sta"`)).toBe('static\tentries\nstatus\tthe daemon\n');
  });
});
