/**
 * `npm run soak:life [restarts] [flaps]`: 100 restarts and 1,000 interface flaps unless told otherwise. Exit status 1 when something has
 * piled up.
 */
import { isDeepStrictEqual } from 'node:util';
import { soakLife } from '../lab/life-soak';

async function main([restarts = '100', flaps = '1000']: readonly string[]): Promise<void> {
  const onProgress = (done: string): void => void process.stdout.write(`${done}\n`);
  const [before, after] = await soakLife({ restarts: Number(restarts), flaps: Number(flaps), onProgress });
  const isSame = isDeepStrictEqual(before, after);
  const shown = { ...after, pins: after.pins.length };
  process.stdout.write(`${isSame ? 'the same as at first' : 'NOT the same as at first'}: ${JSON.stringify(shown)}\n`);
  if (!isSame) process.stdout.write(`at first: ${JSON.stringify({ ...before, pins: before.pins.length })}\n`);
  process.exitCode = isSame ? 0 : 1;
}

void main(process.argv.slice(2));
