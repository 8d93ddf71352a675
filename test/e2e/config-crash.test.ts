/**
 * A process that applies one configuration after the other to a real folder, killed at 200 random points: what a restart finds is the
 * configuration before or the new one, whole, and never less than was answered.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { nodeFileSystem } from '../../control/config/file-system';
import { inRepository } from '../lab/repository';
import { restarted } from '../unit/config-transactions/bench';

jest.setTimeout(300_000);

const KILLS = 200;
/** An Apply takes a few ms: the kills fall anywhere within a dozen of them. */
const LONGEST_MS = 60;
const AT_ONCE = 2;

/** Kills a process `afterMs` after it has begun its first Apply. Resolves with what it had said by then. */
async function killAfter(folder: string, first: number, afterMs: number): Promise<readonly string[]> {
  const argv = [inRepository('build/test/e2e/config-crash-child.js'), folder, String(first)];
  const child: ChildProcess = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const exited = once(child, 'close');
  await Promise.race([once(child.stdout!, 'data'), exited]);
  await delay(afterMs);
  child.kill('SIGKILL');
  expect(await exited).toEqual([null, 'SIGKILL']);
  return said.trimEnd().split('\n');
}

async function life(kills: number): Promise<{ torn: number; answered: number }> {
  const folder = mkdtempSync(join(process.env['TMPDIR'] ?? '/tmp', 'xmcast-crash-'));
  const seen = { torn: 0, answered: 0 };
  let runs = 0;
  try {
    for (let kill = 0; kill < kills; kill++) {
      const said = await killAfter(folder, (runs % 255) + 1, Math.random() * LONGEST_MS);
      const [word, last = ''] = said.at(-1)?.split(' ') ?? [];
      const begun = Number(last);
      const before = said.length === 1 ? runs : ((begun + 253) % 255) + 1;
      const found = await restarted(nodeFileSystem, folder);
      expect({ kill, said: said.at(-1), found }).toEqual({ kill, said: said.at(-1), found: word === 'done' || found === begun ? begun : before });
      seen[word === 'done' ? 'answered' : 'torn']++;
      runs = found;
    }
    return seen;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test(`${KILLS} kills: the old configuration or the new one, whole`, async () => {
  const lives = await Promise.all(Array.from({ length: AT_ONCE }, () => life(KILLS / AT_ONCE)));
  // Most fall into the middle of an Apply, or the test has not tested anything.
  expect(lives.reduce((sum, { torn }) => sum + torn, 0)).toBeGreaterThan(KILLS / 2);
});
