/**
 * StaticEntryService over a socket: answers, statuses and their details, and what it refuses to read.
 */
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Writer } from 'protobufjs/minimal';

import { xmcast } from '#proto';

import { ApiClient } from '../../../control/api/client';
import { decodeRichError, DETAILS_TRAILER, type RichError } from '../../../control/api/rich-error';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { staticEntryServiceDefinition } from '../../../control/api/services';
import { fromWire } from '../../../control/api/u64';
import { fromWireTime } from '../../../control/api/wire-time';
import { STATIC_REFUSALS } from '../../../control/static/refusal';
import { errno } from '../config-transactions/simulated-disk';
import { membership, route, world, type World } from '../static/bench';
import { FakeState } from './fake-state';

const { listStaticEntries, listStaticOwners, renewStaticLease, updateStaticEntries } = staticEntryServiceDefinition;

let folder: string;
let w: World;
let server: ApiServer;
let client: ApiClient;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-static-api-'));
  w = await world();
  const socketPath = path.join(folder, 'control.sock');
  server = await startApiServer({ socketPath, state: new FakeState(), static: w.manager, log: w.log });
  client = new ApiClient({ target: `unix://${socketPath}`, timeoutMs: 5000 });
});

afterEach(async () => {
  client.close();
  await server.close();
  await w.manager.close();
  rmSync(folder, { recursive: true });
});

function update(request: xmcast.v1.UpdateStaticEntriesRequest.$Properties): Promise<xmcast.v1.UpdateStaticEntriesResponse> {
  return client.call(updateStaticEntries, xmcast.v1.UpdateStaticEntriesRequest.create({ owner: 'one', ...request }));
}

async function list(request: xmcast.v1.ListStaticEntriesRequest.$Properties = {}): Promise<readonly string[]> {
  const { entries } = await client.call(listStaticEntries, xmcast.v1.ListStaticEntriesRequest.create(request));
  return entries.map(({ owner, entry, problem }) => `${owner}: ${entry?.route ? `${entry.route.source} ${entry.route.group}` : `${entry?.membership?.interface} ${entry?.membership?.group}`} ${problem}`.trimEnd());
}

/** Status and details of a call that is refused. */
async function refusal(call: Promise<unknown>): Promise<{ code: string; details: string } & Partial<RichError>> {
  const error = await call.then(
    () => {
      throw new Error('the call was not refused');
    },
    (rejection: ServiceError) => rejection,
  );
  const [bytes] = error.metadata.get(DETAILS_TRAILER);
  const rich = bytes instanceof Buffer ? decodeRichError(bytes) : undefined;
  return { code: status[error.code], details: error.details, ...rich };
}

test('an update is answered with what it did, and the list has it', async () => {
  const answer = await update({ upserts: [route('239.1.1.2', { source: '10.0.0.0/24' }), membership('239.1.1.1'), route('239.1.1.1')], lease: { seconds: 60 } });
  expect({ ...answer, revision: fromWire(answer.revision), programmed: fromWire(answer.programmedRevision) }).toMatchObject({ revision: 1n, programmed: 1n, added: 3, refused: [] });
  expect(fromWireTime(answer.leaseExpireTime)).toBe(w.clock.nowWallMs() + 60_000);
  expect(await list()).toEqual(['one:  239.1.1.1', 'one: 10.0.0.0/24 239.1.1.2', 'config:  239.8.8.8', 'one: lan1 239.1.1.1', 'config: lan2 239.9.9.9']);
  expect(await list({ owner: 'one', kind: 2 })).toEqual(['one: lan1 239.1.1.1']);
  expect(await list({ group: '239.1.1.1' })).toEqual(['one:  239.1.1.1', 'one: lan1 239.1.1.1']);
  const { owners } = await client.call(listStaticOwners, {});
  expect(owners.map(({ owner, routes, memberships, lease }) => [owner, routes, memberships, fromWireTime(lease)])).toEqual([['config', 1, 1, undefined], ['one', 2, 1, 60_000]]);
});

test('pages hold every entry once', async () => {
  await update({ upserts: Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? route(`239.1.1.${i}`) : membership(`239.1.1.${i}`))) });
  const seen: string[] = [];
  let pageToken = '';
  do {
    const page = await client.call(listStaticEntries, xmcast.v1.ListStaticEntriesRequest.create({ pageSize: 3, pageToken }));
    seen.push(...page.entries.map(({ owner, entry }) => `${owner} ${entry?.route?.group ?? ''} ${entry?.membership?.group ?? ''}`));
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  expect([seen.length, new Set(seen).size]).toEqual([10, 10]);
});

test('problems have the field of the request', async () => {
  expect(await refusal(update({ upserts: [route('239.1.1.1'), route('10.1.1.1')] }))).toMatchObject({
    code: 'INVALID_ARGUMENT',
    reason: 'ENTRIES_INVALID',
    violations: [{ field: 'upserts[1].route.group', description: expect.stringContaining('not within 224.0.0.0/4') }],
  });
});

test.each([
  [{ owner: '' }, 'owner'],
  [{ owner: 'config' }, 'owner'],
  [{ owner: 'a b' }, 'owner'],
  [{ lease: { nanos: 5_000_000 } }, 'lease'],
  [{ lease: { seconds: 86_401 } }, 'lease'],
  [{ requestId: 'ü' }, 'request_id'],
  [{ replace: true, deletes: [{ route: { group: '239.1.1.1' } }] }, 'deletes'],
])('%p is refused with the name of the field', async (request, field) => {
  const { code, details } = await refusal(update(request));
  expect([code, details.startsWith(`${field}:`)]).toEqual(['INVALID_ARGUMENT', true]);
});

test('each refusal has its status', async () => {
  await update({ owner: 'two', upserts: [route('239.2.2.2')] });
  expect(await refusal(update({ upserts: [route('239.2.2.2')] }))).toMatchObject({ code: 'ALREADY_EXISTS', reason: 'ENTRY_EXISTS', metadata: { owner: 'two' } });
  expect(await refusal(update({ expectedRevision: 7 }))).toMatchObject({ code: 'ABORTED', reason: 'REVISION_MISMATCH' });
  expect(await refusal(update({ upserts: Array.from({ length: 10 }, (_, i) => route(`239.3.3.${i}`)) }))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'TOO_MANY_ENTRIES' });
  expect(await refusal(client.call(renewStaticLease, xmcast.v1.RenewStaticLeaseRequest.create({ owner: 'three' })))).toMatchObject({ code: 'NOT_FOUND', reason: 'NO_ENTRIES' });
  expect(await refusal(client.call(renewStaticLease, xmcast.v1.RenewStaticLeaseRequest.create({ owner: 'two' })))).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'NO_LEASE' });
  w.disk.failure = { at: w.disk.calls, error: errno('ENOSPC'), forGood: true };
  expect(await refusal(update({ upserts: [route('239.1.1.1')] }))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'XM_STATE' });
});

/** Bytes as a client of a newer schema, or a hostile one, would send them. */
function sendRaw(bytes: Uint8Array): Promise<unknown> {
  const raw = new Client(`unix://${folder}/control.sock`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    raw.makeUnaryRequest(
      updateStaticEntries.path,
      () => Buffer.from(bytes),
      (answer) => answer,
      {},
      new Metadata(),
      (error, answer) => {
        raw.close();
        if (error === null) resolve(answer);
        else reject(error);
      },
    );
  });
}

const encoded = (request: xmcast.v1.UpdateStaticEntriesRequest.$Properties): Uint8Array => xmcast.v1.UpdateStaticEntriesRequest.encode({ owner: 'one', ...request }).finish();

test('fields of a newer schema are refused, in the request and in an entry', async () => {
  const stranger = new Writer().uint32((100 << 3) | 0).uint32(1).finish();
  expect(await refusal(sendRaw(Buffer.concat([encoded({ upserts: [route('239.1.1.1')] }), stranger])))).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'UNKNOWN_FIELD' });
  const entry = Buffer.concat([xmcast.v1.StaticEntry.encode(route('239.1.1.1')).finish(), stranger]);
  const upsert = new Writer().uint32((2 << 3) | 2).bytes(entry).finish();
  expect(await refusal(sendRaw(Buffer.concat([encoded({}), upsert])))).toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'upserts[0]', description: expect.stringContaining('field number 100') }] });
  expect(await w.held()).toEqual([]);
});

test('random and cut bytes change nothing and end no server', async () => {
  const whole = encoded({ upserts: [route('239.1.1.1'), membership('239.1.1.2')], deletes: [{ route: { group: '239.1.1.3' } }] });
  let seed = 1;
  const random = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit;
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(whole.subarray(0, i % 3 === 0 ? random(whole.length) : whole.length));
    for (let changed = 0; changed < 1 + (i % 4); changed++) bytes[random(bytes.length || 1)] = random(256);
    const before = await w.held();
    await sendRaw(bytes).catch(async (error: ServiceError) => {
      expect([error.code, await w.held()]).toEqual([error.code, before]);
    });
  }
  await update({ replace: true });
  expect(await w.update({ upserts: [route('239.1.1.1')] })).toMatchObject({ added: 1 });
});

test('docs/api.md has every reason', () => {
  const text = readFileSync(path.join(__dirname, '../../../docs/api.md'), 'utf8');
  const section = text.split(/^## Static entries$/m)[1]?.split(/^## /m)[0] ?? '';
  const documented = [...section.matchAll(/^\| `([A-Z_]+)` \| `[A-Z_]+` \|/gm)].map(([, reason]) => reason);
  expect(documented.sort()).toEqual([...STATIC_REFUSALS, 'REQUEST_ID_REUSED', 'TOO_MANY_WAITING', 'UNKNOWN_FIELD', 'XM_STATE'].sort());
});
