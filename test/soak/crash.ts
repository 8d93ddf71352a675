/**
 * `npm run soak:crash [stride] [kind]`: starts that are ended by SIGKILL before each of their changes to the kernel at which something else
 * begins, and before every `stride`-th one (default 50; 1: all); first start, take-over, migration and flush, or one of them. Exit status 1
 * when a plain start afterwards has not what it should have.
 */
import { tellingChanges } from '../lab/crash-steps';
import { StartCrashes, STARTS, type StartKind } from '../lab/start-crash';

/** Of a take-over most changes empty the slots of groups that nobody uses: so many of these say no more. */
const REGULAR_POINTS = 2000;

async function crashAll(kind: StartKind, stride: number): Promise<number> {
  const startedMs = performance.now();
  let crashes = await StartCrashes.open('crash');
  let failures = 0;
  try {
    const changes = await crashes.changesOf(kind);
    const wide = Math.max(stride, Math.ceil(changes.length / REGULAR_POINTS));
    const regular = Array.from({ length: Math.floor(changes.length / wide) }, (_, i) => (i + 1) * wide);
    const points = [...new Set([...tellingChanges(changes), ...regular])].sort((a, b) => a - b);
    say(`${kind}: ${changes.length} changes, ${points.length} crashes`);
    for (const [i, at] of points.entries()) {
      try {
        await crashes.crash(kind, at);
      } catch (error) {
        failures++;
        say(String(error instanceof Error ? error.message : error));
        await crashes.close();
        crashes = await StartCrashes.open('crash');
      }
      if ((i + 1) % 25 === 0) say(`${kind}: ${i + 1} of ${points.length}, ${failures} failures, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
    }
    say(`${kind}: ${points.length} crashes, ${failures} failures, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  } finally {
    await crashes.close();
  }
  return failures;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function main([stride = '50', only]: readonly string[]): Promise<void> {
  let failures = 0;
  for (const kind of STARTS.filter((one) => only === undefined || one === only)) failures += await crashAll(kind, Number(stride));
  process.exitCode = failures === 0 ? 0 : 1;
}

void main(process.argv.slice(2));
