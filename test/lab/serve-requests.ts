/**
 * The worker's end of the line protocol that TrafficProcess speaks: one JSON request a line in, one answer a line out, in order. Ends
 * with its stdin.
 */
import { createInterface } from 'node:readline';

export async function serveRequests<Request>(
  obey: (request: Request) => Promise<object> | object,
  close: () => Promise<unknown> | undefined,
): Promise<void> {
  say({ event: 'ready' });
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      say({ event: 'answer', ...(await obey(JSON.parse(line) as Request)) });
    } catch (error) {
      say({ event: 'answer', error: error instanceof Error ? error.message : String(error) });
    }
  }
  await close();
  say({ event: 'finished' });
  process.exit(0);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
