/** A list of a full table, of a real router: it is all there, and others have their turn while it is made. */
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { stateServiceDefinition } from '../../../control/api/services';
import { SerializedResponse } from '../../../control/api/define-service';
import { stateServiceHandlers } from '../../../control/api/state-service';
import { EventLog } from '../../../control/events';
import { systemClock } from '../../../control/kernel/clock';
import { Router } from '../../../control/router/router';
import { RouterState } from '../../../control/router/state';
import { addressOf, FakeDataplane, FakeKernel, ip, quiet, settings } from './fakes';

jest.setTimeout(120_000);

const ROUTES = 131_072;
const FIRST_GROUP = ip('239.0.0.0');

async function fullRouter(): Promise<{ state: RouterState; router: Router; events: EventLog }> {
  const [dataplane, kernel] = [new FakeDataplane(), new FakeKernel()];
  ['up0', 'lan1'].forEach((name, i) => kernel.set(name, { ifindex: 10 + i, address: addressOf(name, i, 1) }));
  const events = new EventLog({ log: quiet, clock: systemClock });
  const router = new Router({ settings: settings('up0', 'lan1'), dataplane, kernel, clock: systemClock, log: quiet, events });
  await router.start();
  // In no order: 7919 is prime.
  for (let i = 0; i < ROUTES; i++) router.mrib.setDemand(2, FIRST_GROUP + ((i * 7919) % ROUTES), { mode: 'exclude', sources: [], requested: [] });
  return { state: new RouterState({ router, dataplane, clock: systemClock, version: '1' }), router, events };
}

/** The longest time that nobody else had their turn. */
async function longestStall(work: () => Promise<unknown>): Promise<number> {
  const watching = { isOver: false, longestMs: 0 };
  const watcher = (async () => {
    for (let before = performance.now(); !watching.isOver; ) {
      await nextTurn();
      const now = performance.now();
      watching.longestMs = Math.max(watching.longestMs, now - before);
      before = now;
    }
  })();
  await work();
  watching.isOver = true;
  await watcher;
  return watching.longestMs;
}

async function listAll(state: RouterState, events: EventLog): Promise<Buffer[]> {
  const { listRoutes } = stateServiceHandlers(state, events);
  const bytes: Buffer[] = [];
  let pageToken = '';
  do {
    const answer = await listRoutes({ pageSize: 5000, pageToken } as never);
    if (!(answer instanceof SerializedResponse)) throw new Error('no bytes');
    bytes.push(answer.bytes);
    ({ nextPageToken: pageToken } = tokenOf(answer.bytes));
  } while (pageToken !== '');
  return bytes;
}

/** Only the end of the page is decoded, not thousands of entries in the loop that is measured. */
function tokenOf(bytes: Buffer): { nextPageToken: string } {
  // Field 2, length-delimited, is the last thing written.
  for (let at = bytes.length - 2; at >= 0 && at > bytes.length - 300; at--) {
    if (bytes[at] === 0x12 && bytes[at + 1] === bytes.length - at - 2) return { nextPageToken: bytes.subarray(at + 2).toString() };
  }
  return { nextPageToken: '' };
}

test('131,072 routes: each once and in order, and others have their turn meanwhile', async () => {
  const { state, router, events } = await fullRouter();
  const began = performance.now();
  // As long as the whole table takes in one go, which is what a page did once.
  for (const key of state.routeTable.keys()) state.routeTable.read(key);
  const atOnceMs = performance.now() - began;
  let pages: Buffer[] = [];
  const stalls: number[] = [];
  // The best of three: garbage is collected, and the machine is busy, now and then.
  for (let i = 0; i < 3; i++) stalls.push(await longestStall(async () => (pages = await listAll(state, events))));
  const groups = pages.flatMap((page) => stateServiceDefinition.listRoutes.responseDeserialize(page).routes.map(({ group }) => group ?? ''));
  expect(groups).toHaveLength(ROUTES);
  expect(new Set(groups).size).toBe(ROUTES);
  expect([groups[0], groups[1], groups.at(-1)]).toEqual(['239.0.0.0', '239.0.0.1', '239.1.255.255']);
  expect(Math.min(...stalls)).toBeLessThan(atOnceMs / 4);
  await router.close();
});
