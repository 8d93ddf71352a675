/**
 * ConfigService over a socket: answers, statuses and their details, and what it refuses to read.
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
import { configServiceDefinition } from '../../../control/api/services';
import { fromWireTime } from '../../../control/api/wire-time';
import { REFUSALS } from '../../../control/config/refusal';
import { type Bench, numbered, start } from '../config-transactions/bench';
import { errno, SimulatedDisk } from '../config-transactions/simulated-disk';
import { FakeState } from './fake-state';

const { applyConfig, confirmConfig, getConfig, listRevisions, reloadConfig, rollbackConfig } = configServiceDefinition;

let folder: string;
let disk: SimulatedDisk;
let bench: Bench;
let server: ApiServer;
let client: ApiClient;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-config-api-'));
  disk = new SimulatedDisk();
  bench = await start({ disk });
  const socketPath = path.join(folder, 'control.sock');
  server = await startApiServer({ socketPath, state: new FakeState(), config: bench.manager, log: bench.log });
  client = new ApiClient({ target: `unix://${socketPath}`, timeoutMs: 5000 });
});

afterEach(async () => {
  client.close();
  await server.close();
  await bench.manager.close();
  rmSync(folder, { recursive: true });
});

function apply(threshold: number, more: xmcast.v1.ApplyConfigRequest.$Properties = {}): Promise<xmcast.v1.ApplyConfigResponse> {
  return client.call(applyConfig, xmcast.v1.ApplyConfigRequest.create({ config: numbered(threshold).config, ...more }));
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

/** A request with bytes of the test's own making. */
function applyRaw(bytes: Uint8Array): Promise<unknown> {
  const raw = new Client(`unix://${server.socketPath}`, credentials.createInsecure());
  return new Promise((resolve, reject) => {
    const same = (buffer: Buffer): Buffer => buffer;
    raw.makeUnaryRequest(applyConfig.path, same, same, Buffer.from(bytes), new Metadata(), { deadline: Date.now() + 5000 }, (error, reply) =>
      error === null ? resolve(reply) : reject(error),
    );
  }).finally(() => raw.close());
}

test('GetConfig gives back what was applied, with revision, etag and source', async () => {
  const before = await client.call(getConfig, {} as never);
  expect(before).toMatchObject({ revision: 0, source: xmcast.v1.ConfigSource.CONFIG_SOURCE_API, file: '', config: { interfaces: [] } });
  const { revision, etag, changes } = await apply(3, { comment: 'first' });
  expect({ revision, etag, paths: changes.map(({ path: at }) => at) }).toEqual({
    revision: 1,
    etag: numbered(3).etag,
    paths: ['interfaces[eth0]', 'interfaces[eth1]'],
  });
  const after = await client.call(getConfig, {} as never);
  expect(after).toMatchObject({ revision: 1, etag, restartPaths: [], lastError: '' });
  expect(xmcast.v1.Config.toObject(after.config as xmcast.v1.Config)).toEqual(xmcast.v1.Config.toObject(numbered(3).config));
});

test('apply, confirm, rollback, list: one life of two revisions', async () => {
  await apply(2);
  const unconfirmed = await apply(3, { confirmTimeout: { seconds: 60 } });
  expect(fromWireTime(unconfirmed.confirmDeadlineTime)).toBe(1_700_000_060_000);
  expect(fromWireTime((await client.call(getConfig, {} as never)).confirmDeadlineTime)).toBe(1_700_000_060_000);
  expect(await client.call(confirmConfig, { revision: 2 } as never)).toMatchObject({ revision: 2 });
  const back = await client.call(rollbackConfig, { revision: 1, comment: 'no good' } as never);
  expect(back).toMatchObject({ revision: 3, changes: [{ path: 'interfaces[eth1].ttl_threshold', before: '3', after: '2', effect: 2 }] });
  const { revisions } = await client.call(listRevisions, {} as never);
  const { State } = xmcast.v1.Revision;
  expect(revisions.map(({ revision, state, author, comment }) => [revision, state, author, comment])).toEqual([
    [3, State.STATE_CURRENT, 'rollback to 1', 'no good'],
    [2, State.STATE_APPLIED, 'api', ''],
    [1, State.STATE_APPLIED, 'api', ''],
  ]);
  expect(await client.call(getConfig, { revision: 2 } as never)).toMatchObject({ etag: numbered(3).etag });
});

test('every problem at once, each with its field', async () => {
  const config = { interfaces: [{ name: 'eth0', ttlThreshold: 300 }, { name: '' }], logLevel: 'loud', limits: { routes: 3 } };
  const { code, reason, violations, metadata } = await refusal(apply(1, { config }));
  expect({ code, reason, count: metadata?.['violations'] }).toEqual({ code: 'INVALID_ARGUMENT', reason: 'CONFIG_INVALID', count: '4' });
  expect(violations?.map(({ field }) => field).sort()).toEqual([
    'config.interfaces[0].ttl_threshold',
    'config.interfaces[1].name',
    'config.limits.routes',
    'config.log_level',
  ]);
  expect(bench.router.followed).toEqual([]);
});

test('a thousand problems: as many as a header carries, and how many there are', async () => {
  const interfaces = Array.from({ length: 1000 }, (_, index) => ({ name: `e${index}`, ttlThreshold: 999 }));
  const { code, violations = [], metadata } = await refusal(apply(1, { config: { interfaces } }));
  expect({ code, count: metadata?.['violations'] }).toEqual({ code: 'INVALID_ARGUMENT', count: '1000' });
  expect(violations.length).toBeGreaterThan(30);
});

test('no configuration at all, and one without interfaces, are refused', async () => {
  expect(await refusal(apply(1, { config: null }))).toMatchObject({ code: 'INVALID_ARGUMENT', violations: [{ field: 'config.interfaces' }] });
  expect(await refusal(apply(1, { config: {} }))).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'CONFIG_INVALID' });
});

describe('fields of a newer schema are refused, wherever they stand', () => {
  const config = xmcast.v1.Config.encode(numbered(2).config).finish();
  const unknown = Writer.create().uint32((99 << 3) | 2).string('soon').finish();

  test.each([
    ['the request', () => Buffer.concat([Writer.create().uint32(10).bytes(config).finish(), unknown]), ''],
    ['the configuration', () => Writer.create().uint32(10).bytes(Buffer.concat([config, unknown])).finish(), 'config'],
    [
      'an interface',
      () => {
        const entry = Buffer.concat([Writer.create().uint32(10).string('eth9').finish(), unknown]);
        const withEntry = Buffer.concat([config, Writer.create().uint32(10).bytes(entry).finish()]);
        return Writer.create().uint32(10).bytes(withEntry).finish();
      },
      'config.interfaces[2]',
    ],
  ])('in %s', async (_where, bytes, field) => {
    const answer = await refusal(applyRaw(bytes()));
    expect(answer).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'UNKNOWN_FIELD', violations: [{ field }] });
    expect(answer.violations?.[0]?.description).toContain('field number 99');
    expect(bench.router.followed).toEqual([]);
  });
});

test.each<[string, xmcast.v1.ApplyConfigRequest.$Properties]>([
  ['request_id', { requestId: 'ä' }],
  ['request_id', { requestId: 'x'.repeat(129) }],
  ['etag', { etag: '\n' }],
  ['comment', { comment: 'ä'.repeat(513) }],
  ['confirm_timeout', { confirmTimeout: { seconds: 0, nanos: 1 } }],
  ['confirm_timeout', { confirmTimeout: { seconds: 86_401 } }],
  ['confirm_timeout', { confirmTimeout: { seconds: -5 } }],
])('a bad %s is INVALID_ARGUMENT and names it', async (field, more) => {
  const { code, details } = await refusal(apply(2, more));
  expect(code).toBe('INVALID_ARGUMENT');
  expect(details).toMatch(new RegExp(`^${field}: `));
});

test.each<[string, string, () => Promise<unknown>]>([
  ['ABORTED', 'ETAG_MISMATCH', () => apply(3, { etag: 'other' })],
  ['FAILED_PRECONDITION', 'NOTHING_TO_CONFIRM', () => client.call(confirmConfig, {} as never)],
  ['FAILED_PRECONDITION', 'NO_FILE', () => client.call(reloadConfig, {} as never)],
  ['NOT_FOUND', 'NO_SUCH_REVISION', () => client.call(rollbackConfig, { revision: 77 } as never)],
  ['NOT_FOUND', 'NO_SUCH_REVISION', () => client.call(getConfig, { revision: 77 } as never)],
])('%s with reason %s', async (code, reason, call) => {
  await apply(2);
  expect(await refusal(call())).toMatchObject({ code, reason });
});

test('a refusal of the router carries its code and cure', async () => {
  bench.router.refusals.push(new Error('no\nmore ünits'));
  const { code, reason, details } = await refusal(apply(2));
  expect({ code, reason }).toEqual({ code: 'FAILED_PRECONDITION', reason: 'NOT_APPLIED' });
  expect(details).toMatch(/^[\x20-\x7e]+no\\u000amore \\u00fcnits$/);
});

test('a full disk is RESOURCE_EXHAUSTED, a broken one INTERNAL, both with XM_STATE and a cure', async () => {
  disk.failure = { at: disk.calls, error: errno('ENOSPC') };
  expect(await refusal(apply(2))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'XM_STATE' });
  disk.failure = { at: disk.calls, error: errno('EIO') };
  expect((await refusal(apply(2))).metadata?.['hint']).toContain('errno');
  disk.failure = undefined;
  expect(await apply(2)).toMatchObject({ revision: 1 });
});

test('the largest configuration fits into a request', async () => {
  const staticRoutes = Array.from({ length: 16_384 }, (_, index) => ({
    group: `239.${index >> 8}.${index & 255}.0/24`,
    source: '10.0.0.0/8',
    upstream: 'eth0',
    downstreams: ['eth1'],
  }));
  const { changes, omittedChanges } = await apply(2, { config: { interfaces: [{ name: 'eth0' }, { name: 'eth1' }], staticRoutes } });
  expect({ listed: changes.length, omittedChanges }).toEqual({ listed: 1000, omittedChanges: 16_386 - 1000 });
});

test('what GetStatus says of the configuration', async () => {
  await apply(2, { confirmTimeout: { seconds: 60 } });
  expect((await client.getStatus()).conditions).toEqual(['revision 1 is taken back at 2023-11-14T22:14:20.000Z unless it is confirmed']);
});

test('docs/api.md has every reason', () => {
  const text = readFileSync(path.join(__dirname, '../../../docs/api.md'), 'utf8');
  const section = text.split(/^## Changing the configuration$/m)[1]?.split(/^## /m)[0] ?? '';
  const documented = [...section.matchAll(/^\| `([A-Z_]+)` \| `[A-Z_]+` \|/gm)].map(([, reason]) => reason);
  expect(documented.sort()).toEqual([...REFUSALS, 'UNKNOWN_FIELD', 'XM_STATE'].sort());
});
