/**
 * A client that behaves: asks for the status twenty times a second until SIGTERM, then says how that went as one line of JSON. Arguments as
 * those of the attacker, without the first.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiClient } from '../../control/api/client';

const [host = '', port = '', ca = '', certificate = '', key = ''] = process.argv.slice(2);
const tls = { ca: readFileSync(ca), certificate: readFileSync(certificate), key: readFileSync(key) };
const client = new ApiClient({ target: `${host}:${port}`, tls, timeoutMs: 10_000 });
const seen = { calls: 0, failed: 0, slowestMs: 0 };
let stopped = false;
process.once('SIGTERM', () => (stopped = true));

async function main(): Promise<void> {
  while (!stopped) {
    const began = performance.now();
    await client.getStatus().catch(() => seen.failed++);
    seen.calls++;
    seen.slowestMs = Math.max(seen.slowestMs, performance.now() - began);
    if (seen.calls === 1) process.stdout.write('calling\n');
    await delay(50);
  }
  client.close();
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

void main();
