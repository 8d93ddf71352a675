/**
 * `npm run soak:life [restarts] [flaps] [seed]`: 100 restarts and 1,000 changes of an interface unless told otherwise. Exit status 1 when
 * something has piled up, is missing, or a packet got lost where nothing happened.
 */
import { isDeepStrictEqual } from 'node:util';
import { soakLife, type SoakResult } from '../lab/life-soak';
import type { Inventory } from '../lab/life-inventory';

/** What the heap of a daemon may differ by from one collection to the next. */
const MAY_GROW_MIB = 48;

async function main([restarts = '100', flaps = '1000', seed = String(Date.now() % 1_000_000)]: readonly string[]): Promise<void> {
  say(`${restarts} restarts, ${flaps} flaps, seed ${seed}`);
  const startedMs = performance.now();
  const result = await soakLife({ restarts: Number(restarts), flaps: Number(flaps), seed: Number(seed), onProgress: say });
  const problems = problemsOf(result);
  const { before, lost, repeated, grownMib } = result;
  say(JSON.stringify({ ...before, pins: before.pins.length }));
  say(`lost ${lost}, repeated ${repeated}, grown by ${grownMib.toFixed(1)} MiB, in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  say(problems.length === 0 ? 'the same as at first' : `NOT the same as at first:\n${problems.join('\n')}`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

function problemsOf({ before, after, lost, repeated, grownMib }: SoakResult): readonly string[] {
  const differing = (Object.keys(before) as (keyof Inventory)[]).filter((name) => !isDeepStrictEqual(before[name], after[name]));
  const problems = differing.map((name) => `${name}: at first ${difference(before[name], after[name])}, now ${difference(after[name], before[name])}`);
  if (lost !== 0 || repeated !== 0) problems.push(`of the LAN that nothing happened to: lost ${lost}, repeated ${repeated}`);
  if (grownMib > MAY_GROW_MIB) problems.push(`memory has grown by ${grownMib.toFixed(0)} MiB`);
  return problems;
}

/** Of lists only what the other one has not. */
function difference(one: Inventory[keyof Inventory], other: Inventory[keyof Inventory]): string {
  if (typeof one === 'number' || typeof other === 'number') return String(one);
  return JSON.stringify(one.filter((entry) => !other.includes(entry)));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

void main(process.argv.slice(2));
