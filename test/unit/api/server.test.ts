import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Settings } from 'node:http2';
import { createConnection } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { ApiCounters } from '../../../control/api/api-counters';
import { ApiClient } from '../../../control/api/client';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { stateServiceDefinition, systemServiceDefinition } from '../../../control/api/services';
import { fromWire } from '../../../control/api/u64';
import { fromWireTime } from '../../../control/api/wire-time';
import { DEFAULT_API_LIMITS } from '../../../control/config/api-settings';
import { FakeControl } from './fake-control';
import { FakeState, flowState, manyFlows } from './fake-state';
import { RecordedLog } from './recorded-log';

let folder: string;
let state: FakeState;
let log: RecordedLog;
let server: ApiServer;
let client: ApiClient;
let counters: ApiCounters;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-api-'));
  state = new FakeState();
  log = new RecordedLog();
  const socketPath = path.join(folder, 'control.sock');
  counters = new ApiCounters();
  server = await startApiServer({ socketPath, state, log, counters });
  client = new ApiClient({ target: `unix://${socketPath}`, timeoutMs: 5000 });
});

afterEach(async () => {
  client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

/** One unary call with bytes of the test's own making. */
function callRaw(method: string, request: Uint8Array): Promise<Buffer> {
  const raw = new Client(`unix://${server.socketPath}`, credentials.createInsecure());
  const bytes = Buffer.from(request);
  return new Promise<Buffer>((resolve, reject) => {
    const options = { deadline: Date.now() + 5000 };
    raw.makeUnaryRequest(
      method,
      (b: Buffer) => b,
      (b) => b,
      bytes,
      new Metadata(),
      options,
      (error, reply) => {
        if (error !== null) reject(error);
        else resolve(reply ?? Buffer.alloc(0));
      },
    );
  }).finally(() => raw.close());
}

/** What the server tells of itself to a client that connects. */
function settingsOf(socketPath: string): Promise<Settings> {
  const session = connect('http://localhost', { createConnection: () => createConnection(socketPath) });
  return new Promise<Settings>((resolve, reject) => {
    session.once('remoteSettings', resolve);
    session.once('error', reject);
    session.once('close', () => reject(new Error('closed')));
  }).finally(() => session.destroy());
}

async function health(key: string): Promise<unknown> {
  const check = healthService['Check'] as unknown as {
    path: string;
    requestSerialize(request: object): Buffer;
    responseDeserialize(bytes: Buffer): { status: string };
  };
  return check.responseDeserialize(await callRaw(check.path, check.requestSerialize({ service: key }))).status;
}

describe('SystemService', () => {
  test('GetStatus gives the state of the daemon, counters and times intact', async () => {
    state.statusState = {
      ...state.statusState,
      ready: false,
      routes: { installed: 7, limit: 4096, refused: 2n ** 63n + 5n },
      conditions: ['eth3: no native XDP'],
    };
    const reply = await client.getStatus();
    expect(reply).toMatchObject({ version: '0.1.0-test', ready: false, routesInstalled: 7, routesLimit: 4096, memberships: 3 });
    expect(reply).toMatchObject({ membershipBudgetUsed: 2, membershipBudgetLimit: 131_072 });
    expect(fromWire(reply.routesRefused)).toBe(2n ** 63n + 5n);
    expect(fromWireTime(reply.startTime)).toBe(1_700_000_000_500);
    expect(reply.conditions).toEqual(['eth3: no native XDP']);
  });
});

describe('refused calls', () => {
  test.each([
    ['group', { group: '239.1.1.300' }, 'group: "239.1.1.300"'],
    ['group with host bits', { group: '239.1.1.1/16' }, 'group: "239.1.1.1/16"'],
    ['source', { source: '10.0.0.0/33' }, 'source: "10.0.0.0/33"'],
    ['negative page_size', { pageSize: -1 }, 'page_size: -1'],
    ['page_token', { pageToken: 'bm90IGEgdG9rZW4' }, 'page_token: "bm90IGEgdG9rZW4"'],
    ['long garbage', { pageToken: 'A'.repeat(100_000) }, 'page_token: "AAAA'],
    ['text that is not ASCII', { group: '\u{1f600}\r\n'.repeat(60) }, 'group: "'],
  ])('%s is INVALID_ARGUMENT and names field and value', async (_name, request, words) => {
    await expect(client.call(stateServiceDefinition.listFlows, request)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining(words),
    });
  });

  test('a token of another filter is INVALID_ARGUMENT', async () => {
    state.flowStates = manyFlows(20);
    const first = await client.call(stateServiceDefinition.listFlows, { pageSize: 5 });
    const request = { pageSize: 5, pageToken: first.nextPageToken, group: '239.0.0.0/8' };
    await expect(client.call(stateServiceDefinition.listFlows, request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test('a handler that throws gives INTERNAL, a log line, and a server that lives on', async () => {
    state.onRefresh = () => Promise.reject(new Error('EBADF on map flows'));
    await expect(client.listFlows({ fresh: true })).rejects.toMatchObject({ code: status.INTERNAL });
    const broken = (): never => {
      throw new Error('broken');
    };
    Object.assign(state.flowTable, { keys: broken });
    await expect(client.listFlows({})).rejects.toMatchObject({ code: status.INTERNAL });
    expect(log.lines.map((line) => line.level)).toEqual(['error', 'error']);
    expect(JSON.stringify(await client.getStatus())).not.toContain('EBADF');
  });

  test('bytes that are no request end the call, not the server', async () => {
    await expect(callRaw('/xmcast.v1.StateService/ListFlows', Buffer.from('ffffffffff', 'hex'))).rejects.toMatchObject({
      code: status.INTERNAL,
    });
    expect((await client.getStatus()).version).toBe('0.1.0-test');
  });

  test('a health key with half a surrogate pair ends the call, not the server', async () => {
    // Field 1, three bytes: ED A0 80 is U+D800 in the lenient reading of the decoder.
    await expect(callRaw('/grpc.health.v1.Health/Check', Buffer.from('0a03eda080', 'hex'))).rejects.toBeDefined();
    expect((await client.getStatus()).version).toBe('0.1.0-test');
  });

  test('a request over 4 MiB is RESOURCE_EXHAUSTED', async () => {
    await expect(client.listRoutes({ group: 'x'.repeat(4 * 1024 * 1024 + 1) })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });

  test('other limits: of requests and streams from the start, of connections also while it runs', async () => {
    await server.close();
    const limits = { ...DEFAULT_API_LIMITS, requestBytes: 65_536, streamsPerConnection: 1, unixConnections: 2 };
    server = await startApiServer({ socketPath: server.socketPath, state, log, counters, limits, control: new FakeControl() });
    await expect(client.listRoutes({ group: 'x'.repeat(65_537) })).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    const capabilities = await client.call(systemServiceDefinition.getCapabilities, {});
    const shown = Object.fromEntries(capabilities.limits.map(({ name, value }) => [name, Number(fromWire(value))]));
    expect(shown).toMatchObject({ request_bytes: 65_536, streams: 1, connections: 2, watchers: 64 });
    expect(await settingsOf(server.socketPath)).toMatchObject({ maxConcurrentStreams: 1 });
    const settings = { listen: [], tls: undefined, roles: [], limits: { ...limits, unixConnections: 1 } };
    await server.follow(settings);
    await expect(settingsOf(server.socketPath)).rejects.toBeDefined();
    expect(counters.refused.get('connections')).toBe(1);
    await server.follow({ ...settings, limits });
    expect(await settingsOf(server.socketPath)).toMatchObject({ maxConcurrentStreams: 1 });
  });

  test('methods that there are not: UNIMPLEMENTED by name, counted as one, whatever they are called and sent', async () => {
    const names = ['/xmcast.v1.StateService/DropFlows', '/a', '/', `/${'x'.repeat(4000)}/y`, '/constructor'];
    for (const name of names) {
      await expect(callRaw(name, Buffer.alloc(100, 7))).rejects.toMatchObject({
        code: status.UNIMPLEMENTED,
        details: expect.stringContaining(`no method ${name.slice(1, 100)}`),
      });
    }
    expect(counters.requests()).toEqual([{ method: 'unknown', code: 'UNIMPLEMENTED', count: names.length }]);
    await client.getStatus();
    expect(counters.requests()).toContainEqual({ method: 'xmcast.v1.SystemService/GetStatus', code: 'OK', count: 1 });
  });
});

describe('health and reflection', () => {
  test('readiness follows the state; the services themselves serve', async () => {
    expect(await health('')).toBe('SERVING');
    state.statusState = { ...state.statusState, ready: false };
    server.setServing(true);
    expect(await health('')).toBe('NOT_SERVING');
    expect(await health('dataplane')).toBe('NOT_SERVING');
    expect(await health('xmcast.v1.StateService')).toBe('SERVING');
    expect(await health('xmcast.v1.SystemService')).toBe('SERVING');
    await expect(health('xmcast.v1.Nonsense')).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test('a watcher hears of a change without anybody telling the server', async () => {
    const raw = new Client(`unix://${server.socketPath}`, credentials.createInsecure());
    const watch = raw.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      (b: Buffer) => b,
      (b) => b.toString('hex'),
      Buffer.alloc(0),
    );
    watch.on('error', () => undefined);
    const heard: string[] = [];
    await new Promise<void>((resolve) => {
      watch.on('data', (reply: string) => {
        heard.push(reply);
        if (heard.length === 2) resolve();
        state.statusState = { ...state.statusState, ready: false };
      });
    });
    watch.cancel();
    raw.close();
    // HealthCheckResponse.status: 1 SERVING, 2 NOT_SERVING.
    expect(heard).toEqual(['0801', '0802']);
  });

  test('setServing(false) holds although the router is ready', async () => {
    server.setServing(false);
    expect(await health('dataplane')).toBe('NOT_SERVING');
    server.setServing(true);
    expect(await health('dataplane')).toBe('SERVING');
  });

  test('a server that starts before the router is ready says so', async () => {
    state.statusState = { ...state.statusState, ready: false };
    const other = await startApiServer({ socketPath: path.join(folder, 'early.sock'), state, log });
    const mine = server;
    server = other;
    try {
      expect(await health('dataplane')).toBe('NOT_SERVING');
    } finally {
      server = mine;
      await other.close();
    }
  });

  test('reflection lists the services and gives the file of a symbol with its original name', async () => {
    const replies = await reflect(['list', 'symbol']);
    expect(replies.join()).toContain('xmcast.v1.StateService');
    expect(replies.join()).toContain('xmcast.v1.SystemService');
    expect(replies.join()).toContain('xmcast/v1/state.proto');
  });

  /** ServerReflectionRequest by hand: field 7 list_services, field 4 file_containing_symbol. */
  function reflect(questions: readonly ('list' | 'symbol')[]): Promise<string[]> {
    const symbol = Buffer.from('xmcast.v1.StateService');
    const requests = { list: Buffer.from([0x3a, 0]), symbol: Buffer.concat([Buffer.from([0x22, symbol.length]), symbol]) };
    const raw = new Client(`unix://${server.socketPath}`, credentials.createInsecure());
    const stream = raw.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (bytes: Buffer) => bytes,
      (bytes) => bytes.toString('latin1'),
      new Metadata(),
      { deadline: Date.now() + 5000 },
    );
    const replies: string[] = [];
    return new Promise<string[]>((resolve, reject) => {
      stream.on('data', (reply: string) => replies.push(reply));
      stream.on('error', reject);
      stream.on('end', () => resolve(replies));
      for (const question of questions) stream.write(requests[question]);
      stream.end();
    }).finally(() => raw.close());
  }
});

describe('close', () => {
  test('of the client ends its calls under way', async () => {
    let release: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      state.onRefresh = () => {
        resolve();
        return new Promise((done) => (release = done));
      };
    });
    const held = client.listFlows({ fresh: true });
    await started;
    client.close();
    await expect(held).rejects.toMatchObject({ code: status.CANCELLED });
    release();
  });

  test('removes the socket, ends watchers, and may be called twice', async () => {
    const raw = new Client(`unix://${server.socketPath}`, credentials.createInsecure());
    const watch = raw.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      (b: Buffer) => b,
      (b) => b,
      Buffer.alloc(0),
    );
    const ended = new Promise((resolve) => watch.once('error', resolve));
    await new Promise((resolve) => watch.once('data', resolve));
    await Promise.all([server.close(), server.close()]);
    await ended;
    raw.close();
    expect(existsSync(server.socketPath)).toBe(false);
  });

  test('a call under way gets its answer', async () => {
    let release: () => void = () => undefined;
    const started = new Promise<void>((resolve) => {
      state.onRefresh = () => {
        resolve();
        return new Promise((done) => (release = done));
      };
    });
    state.flowStates = [flowState()];
    const reply = client.listFlows({ fresh: true });
    await started;
    const closing = server.close();
    release();
    expect(await reply).toHaveLength(1);
    await closing;
  });
});
