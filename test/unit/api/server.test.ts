import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { service as healthService } from 'grpc-health-check';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { ApiClient } from '../../../control/api/client';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { stateServiceDefinition } from '../../../control/api/services';
import { fromWire } from '../../../control/api/u64';
import { fromWireTime } from '../../../control/api/wire-time';
import { FakeState, flowState, interfaceState, ip, manyFlows, membershipState, routeState } from './fake-state';
import { RecordedLog } from './recorded-log';

let folder: string;
let state: FakeState;
let log: RecordedLog;
let server: ApiServer;
let client: ApiClient;

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-api-'));
  state = new FakeState();
  log = new RecordedLog();
  const socketPath = path.join(folder, 'control.sock');
  server = await startApiServer({ socketPath, state, log });
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
    expect(fromWire(reply.routesRefused)).toBe(2n ** 63n + 5n);
    expect(fromWireTime(reply.startTime)).toBe(1_700_000_000_500);
    expect(reply.conditions).toEqual(['eth3: no native XDP']);
  });
});

describe('StateService', () => {
  test('counters above 2^53 arrive exactly', async () => {
    state.flowStates = [flowState({ packets: 2n ** 53n + 1n, bytes: 2n ** 64n - 1n })];
    const [flow] = await client.listFlows({});
    expect(fromWire(flow?.packets)).toBe(9_007_199_254_740_993n);
    expect(fromWire(flow?.bytes)).toBe(18_446_744_073_709_551_615n);
  });

  test('an interface arrives with every field', async () => {
    state.interfaceStates = [
      interfaceState({
        status: 'error',
        problem: 'attach XDP to eth1: EOPNOTSUPP',
        rxPackets: 2n ** 40n,
        drops: new Map([
          ['ttl', 3n],
          ['__proto__', 4n],
        ]),
        querier: { isQuerier: false, address: ip('10.1.0.254'), otherQuerierPresentMs: 254_750 },
      }),
      interfaceState({ name: 'eth0', role: 'upstream', querier: undefined }),
    ];
    const [first, second] = await client.listInterfaces({});
    expect(first).toMatchObject({ name: 'eth1', role: 2, status: 4, mode: 2, addresses: ['10.1.0.1/24'], mtu: 1500 });
    expect(first?.problem).toBe('attach XDP to eth1: EOPNOTSUPP');
    expect(fromWire(first?.rxPackets)).toBe(2n ** 40n);
    expect(fromWire(first?.drops?.['ttl'])).toBe(3n);
    expect(first?.querier).toMatchObject({ self: false, address: '10.1.0.254' });
    expect(fromWireTime(first?.querier?.expiresIn)).toBe(254_750);
    expect(second?.querier ?? undefined).toBeUndefined();
  });

  test('memberships are ordered by interface, then group, and filtered by both', async () => {
    state.membershipStates = [
      membershipState({ interface: 'eth2', group: ip('239.1.1.1') }),
      membershipState({ interface: 'eth1', group: ip('239.200.1.1') }),
      membershipState({
        interface: 'eth1',
        group: ip('232.1.1.1'),
        mode: 'include',
        groupTimerMs: undefined,
        sources: [{ source: ip('10.0.0.5'), forwarded: true, timerMs: 260_000 }],
      }),
    ];
    const names = (list: readonly { interface?: string | null; group?: string | null }[]) =>
      list.map((m) => `${m.interface} ${m.group}`);
    expect(names(await client.listMemberships({}))).toEqual(['eth1 232.1.1.1', 'eth1 239.200.1.1', 'eth2 239.1.1.1']);
    expect(names(await client.listMemberships({ interface: 'eth1', group: '239.0.0.0/8' }))).toEqual(['eth1 239.200.1.1']);
    const [ssm] = await client.listMemberships({ group: '232.1.1.1' });
    expect(ssm?.expiresIn ?? undefined).toBeUndefined();
    expect(ssm?.sources).toMatchObject([{ source: '10.0.0.5', forwarded: true }]);
  });

  test('a source filter leaves (*,G) routes out, no filter shows them as "*"', async () => {
    state.routeStates = [routeState(), routeState({ source: 0, incomingInterface: '' })];
    expect((await client.listRoutes({})).map((route) => route.source)).toEqual(['*', '10.0.0.5']);
    expect((await client.listRoutes({ source: '0.0.0.0/0' })).map((route) => route.source)).toEqual(['10.0.0.5']);
  });

  test('1,234 flows in pages of 100: each once, by group, then source', async () => {
    state.flowStates = manyFlows(1234);
    const keys: string[] = [];
    let pageToken = '';
    let pages = 0;
    do {
      const page = await client.call(stateServiceDefinition.listFlows, { pageSize: 100, pageToken });
      keys.push(...page.flows.map((flow) => `${flow.group} ${flow.source}`));
      pageToken = page.nextPageToken;
      pages += 1;
    } while (pageToken !== '');
    const sorted = [...state.flowStates].sort((a, b) => a.group - b.group || a.source - b.source);
    expect(pages).toBe(13);
    expect(keys).toHaveLength(1234);
    expect(new Set(keys).size).toBe(1234);
    expect((await client.listFlows({})).map((flow) => fromWire(flow.packets))).toEqual(sorted.map((flow) => flow.packets));
  });

  test('page_size 0 means 500, and more than 5000 gives 5000', async () => {
    state.flowStates = manyFlows(5100);
    expect((await client.call(stateServiceDefinition.listFlows, {})).flows).toHaveLength(500);
    expect((await client.call(stateServiceDefinition.listFlows, { pageSize: 2_000_000_000 })).flows).toHaveLength(5000);
  });

  test('fresh reads the counters once for a list of several pages, and not at all without it', async () => {
    state.flowStates = manyFlows(6000);
    await client.listFlows({ fresh: false });
    expect(state.refreshes).toBe(0);
    expect(await client.listFlows({ fresh: true })).toHaveLength(6000);
    expect(state.refreshes).toBe(1);
  });

  test('fresh waits for the read', async () => {
    state.onRefresh = async () => {
      await Promise.resolve();
      state.flowStates = [flowState({ packets: 42n })];
    };
    const [flow] = await client.listFlows({ fresh: true });
    expect(fromWire(flow?.packets)).toBe(42n);
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
    state.flows = () => {
      throw new Error('broken');
    };
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

  test('a request over 1 MiB is RESOURCE_EXHAUSTED', async () => {
    await expect(client.listRoutes({ group: 'x'.repeat(1024 * 1024 + 1) })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
  });

  test('an unknown method is UNIMPLEMENTED', async () => {
    await expect(callRaw('/xmcast.v1.StateService/DropFlows', Buffer.alloc(0))).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
    });
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
