import { spawnSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import http from 'node:http';
import { connect, createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { gunzipSync } from 'node:zlib';

import { type MetricsServer, startMetricsServer } from '../../../control/metrics/server';
import { FakeState, flowState, interfaceState, ip, manyFlows, upstreamState } from '../api/fake-state';
import { RecordedLog } from '../api/recorded-log';
import { parseExposition } from './parse-exposition';

let state: FakeState;
let log: RecordedLog;
let server: MetricsServer;

beforeEach(async () => {
  state = new FakeState();
  log = new RecordedLog();
  server = await startMetricsServer({ host: '127.0.0.1', port: 0, state, log, scrapeTimeoutMs: 3000 });
});

afterEach(() => server.close());

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

function request(path: string, options: http.RequestOptions = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = http.request({ host: '127.0.0.1', port: server.port, path, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    call.on('error', reject);
    call.end();
  });
}

async function scrape(path = '/metrics'): Promise<string> {
  const { status, body } = await request(path);
  expect(status).toBe(200);
  return body.toString();
}

/** Resolves when this many requests have reached the listener. */
function requestsStarted(wanted: number): Promise<void> {
  return new Promise((resolve) => {
    let seen = 0;
    const count = (): void => {
      seen += 1;
      if (seen < wanted) return;
      unsubscribe('http.server.request.start', count);
      resolve();
    };
    subscribe('http.server.request.start', count);
  });
}

/** The one value of a family with these labels. */
function valueOf(text: string, family: string, labels: Readonly<Record<string, string>> = {}): string | undefined {
  const wanted = JSON.stringify(Object.entries(labels).sort());
  const samples = [...(parseExposition(text).get(family)?.samples.values() ?? [])];
  return samples.find((sample) => JSON.stringify(Object.entries(sample.labels).sort()) === wanted)?.value;
}

describe('what a scrape shows', () => {
  test('the router and its process, in valid text format', async () => {
    state.statusState = {
      ...state.statusState,
      ready: false,
      conditions: ['a', 'b'],
      routes: { installed: 5, limit: 9, refused: 2n ** 60n },
    };
    const reply = await request('/metrics');
    const text = reply.body.toString();
    expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(valueOf(text, 'xmcast_build_info', { version: '0.1.0-test', node: process.version })).toBe('1');
    expect(valueOf(text, 'xmcast_ready')).toBe('0');
    expect(valueOf(text, 'xmcast_conditions')).toBe('2');
    expect(valueOf(text, 'xmcast_start_time_seconds')).toBe('1700000000.5');
    expect(valueOf(text, 'xmcast_routes_refused_total')).toBe('1152921504606846976');
    expect(valueOf(text, 'process_resident_memory_bytes')).toMatch(/^\d+$/);
    expect(parseExposition(text).has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
  });

  test('interfaces: counters, drops by reason, querier', async () => {
    state.interfaceStates = [
      interfaceState({
        rxPackets: 2n ** 64n - 1n,
        drops: new Map([['ttl_expired', 7n]]),
        punts: new Map([['igmp_report', 3n]]),
        igmpReceived: new Map([['report-v3', 11n]]),
      }),
      interfaceState({ name: 'eth0', role: 'upstream', status: 'down', mode: 'none', querier: undefined }),
    ];
    const text = await scrape();
    expect(valueOf(text, 'xmcast_interface_received_packets_total', { interface: 'eth1' })).toBe('18446744073709551615');
    expect(valueOf(text, 'xmcast_dropped_packets_total', { interface: 'eth1', reason: 'ttl_expired' })).toBe('7');
    expect(valueOf(text, 'xmcast_punted_packets_total', { interface: 'eth1', class: 'igmp_report' })).toBe('3');
    expect(valueOf(text, 'xmcast_igmp_messages_received_total', { interface: 'eth1', message: 'report-v3' })).toBe('11');
    expect(valueOf(text, 'xmcast_igmp_querier', { interface: 'eth1' })).toBe('1');
    expect(valueOf(text, 'xmcast_igmp_querier', { interface: 'eth0' })).toBeUndefined();
    expect(valueOf(text, 'xmcast_interface_forwarding', { interface: 'eth0' })).toBe('0');
    const info = { interface: 'eth0', role: 'upstream', status: 'down', mode: 'none' };
    expect(valueOf(text, 'xmcast_interface_info', info)).toBe('1');
  });

  test('the budget of memberships', async () => {
    state.statusState = { ...state.statusState, membershipBudget: { used: 17, limit: 1000 } };
    const text = await scrape();
    expect(valueOf(text, 'xmcast_membership_budget_used')).toBe('17');
    expect(valueOf(text, 'xmcast_membership_budget_limit')).toBe('1000');
  });

  test('upstreams: how they report and who asks; downstreams: whether their hosts get anything', async () => {
    state.interfaceStates = [
      upstreamState({ version: 2, lastQueryMs: 12_500 }),
      upstreamState({ querier: 0, lastQueryMs: undefined }, { name: 'eth9' }),
      interfaceState({ forwardsToHosts: false }),
    ];
    const text = await scrape();
    expect(valueOf(text, 'xmcast_igmp_host_version', { interface: 'eth0' })).toBe('2');
    expect(valueOf(text, 'xmcast_igmp_host_groups', { interface: 'eth0' })).toBe('7');
    expect(valueOf(text, 'xmcast_igmp_host_last_query_age_seconds', { interface: 'eth0' })).toBe('12.5');
    expect(valueOf(text, 'xmcast_igmp_host_version', { interface: 'eth9' })).toBe('3');
    expect(valueOf(text, 'xmcast_igmp_host_last_query_age_seconds', { interface: 'eth9' })).toBeUndefined();
    expect(valueOf(text, 'xmcast_igmp_host_version', { interface: 'eth1' })).toBeUndefined();
    expect(valueOf(text, 'xmcast_interface_forwards_to_hosts', { interface: 'eth1' })).toBe('0');
    expect(valueOf(text, 'xmcast_interface_forwards_to_hosts', { interface: 'eth0' })).toBeUndefined();
  });

  test('ranges have series of their own beside the exact routes of the same addresses, scrape after scrape', async () => {
    const source = ip('10.0.0.0');
    const group = ip('239.1.0.0');
    state.flowStates = [
      flowState({ source, group, packets: 1n }),
      flowState({ source: 0, group, packets: 2n }),
      flowState({ source, group, sourceLength: 8, groupLength: 32, packets: 3n }),
      flowState({ source, group, sourceLength: 8, groupLength: 16, packets: 4n }),
      flowState({ source: 0, group, sourceLength: 0, groupLength: 16, packets: 5n }),
    ];
    for (const text of [await scrape(), await scrape()]) {
      const value = (from: string, to: string) =>
        valueOf(text, 'xmcast_flow_forwarded_packets_total', { source: from, group: to, iif: 'eth0' });
      expect(value('10.0.0.0', '239.1.0.0')).toBe('1');
      expect(value('*', '239.1.0.0')).toBe('2');
      expect(value('10.0.0.0/8', '239.1.0.0')).toBe('3');
      expect(value('10.0.0.0/8', '239.1.0.0/16')).toBe('4');
      expect(value('*', '239.1.0.0/16')).toBe('5');
    }
  });

  test.each(['/metrics', '/metrics/flows'])('packets and bytes of each flow on %s, to the last digit', async (path) => {
    state.flowStates = [
      flowState({ packets: 9_007_199_254_740_993n, bytes: 2n ** 64n - 1n, wrongInterfacePackets: 4n }),
      flowState({ source: 0, group: ip('239.9.9.9'), incomingInterface: '', packets: 0n }),
    ];
    const text = await scrape(path);
    const known = { source: '10.0.0.5', group: '239.1.1.1', iif: 'eth0' };
    expect(valueOf(text, 'xmcast_flow_forwarded_packets_total', known)).toBe('9007199254740993');
    expect(valueOf(text, 'xmcast_flow_forwarded_bytes_total', known)).toBe('18446744073709551615');
    expect(valueOf(text, 'xmcast_flow_replicated_packets_total', known)).toBe('2000');
    expect(valueOf(text, 'xmcast_flow_replicated_bytes_total', known)).toBe('2632000');
    expect(valueOf(text, 'xmcast_flow_outgoing_interfaces', known)).toBe('2');
    expect(valueOf(text, 'xmcast_flow_wrong_interface_packets_total', known)).toBe('4');
    expect(valueOf(text, 'xmcast_flow_forwarded_packets_total', { source: '*', group: '239.9.9.9', iif: '' })).toBe('0');
  });

  test('/metrics/flows has the flows and nothing else', async () => {
    state.flowStates = [flowState()];
    const names = [...parseExposition(await scrape('/metrics/flows')).keys()];
    expect(names.filter((name) => !name.startsWith('xmcast_flow_'))).toEqual([]);
  });

  test('names with quotes, backslashes and line feeds come through', async () => {
    const name = 'e"t\\h\n0';
    state.interfaceStates = [interfaceState({ name })];
    state.flowStates = [flowState({ incomingInterface: name })];
    const text = await scrape();
    expect(valueOf(text, 'xmcast_interface_forwarding', { interface: name })).toBe('1');
    expect(valueOf(text, 'xmcast_flow_forwarded_packets_total', { source: '10.0.0.5', group: '239.1.1.1', iif: name })).toBe(
      '1000',
    );
  });

  test('a flow that is gone has no series, one that moved has its new interface', async () => {
    state.flowStates = [flowState(), flowState({ group: ip('239.1.1.2') })];
    await scrape();
    state.flowStates = [flowState({ incomingInterface: 'eth7' })];
    const samples = [
      ...(parseExposition(await scrape())
        .get('xmcast_flow_forwarded_packets_total')
        ?.samples.values() ?? []),
    ];
    expect(samples.map((sample) => sample.labels)).toEqual([{ source: '10.0.0.5', group: '239.1.1.1', iif: 'eth7' }]);
  });

  test('promtool finds nothing to complain about', async () => {
    state.interfaceStates = [interfaceState({ drops: new Map([['ttl_expired', 7n]]) }), upstreamState()];
    state.flowStates = [...manyFlows(10), flowState({ sourceLength: 8, groupLength: 16 })];
    const text = await scrape();
    const check = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    expect({ status: check.status, words: `${check.stdout}${check.stderr}` }).toEqual({ status: 0, words: '' });
    expect(parseExposition(text).size).toBeGreaterThan(40);
  });
});

describe('freshness', () => {
  test('a scrape reads the counters first', async () => {
    state.flowStates = [flowState({ packets: 1n })];
    state.onRefresh = () => {
      state.flowStates = [flowState({ packets: 2n })];
      return Promise.resolve();
    };
    expect(
      valueOf(await scrape(), 'xmcast_flow_forwarded_packets_total', { source: '10.0.0.5', group: '239.1.1.1', iif: 'eth0' }),
    ).toBe('2');
    expect(state.refreshes).toBe(1);
  });

  test('scrapes that meet share one read', async () => {
    let release: () => void = () => undefined;
    state.onRefresh = () => new Promise((resolve) => (release = resolve));
    const allHere = requestsStarted(3);
    const scrapes = [scrape(), scrape('/metrics/flows'), scrape()];
    await allHere;
    release();
    await Promise.all(scrapes);
    expect(state.refreshes).toBe(1);
  });

  test('a failed read shows the older counters and is counted', async () => {
    state.flowStates = [flowState()];
    state.onRefresh = () => Promise.reject(new Error('EBADF'));
    const text = await scrape();
    expect(valueOf(text, 'xmcast_stats_reads_failed_total')).toBe('1');
    expect(valueOf(text, 'xmcast_flow_forwarded_packets_total', { source: '10.0.0.5', group: '239.1.1.1', iif: 'eth0' })).toBe(
      '1000',
    );
    expect(log.lines.map((line) => line.level)).toEqual(['warn']);
  });
});

describe('HTTP', () => {
  test.each([
    ['/', 'GET', 404],
    ['/metrics/', 'GET', 404],
    ['/metrics', 'POST', 405],
    ['/metrics/flows', 'DELETE', 405],
    ['/metrics?collect=all', 'GET', 200],
  ])('%s %s gives %d', async (path, method, status) => {
    const reply = await request(path, { method });
    expect(reply.status).toBe(status);
    if (status === 405) expect(reply.headers.allow).toBe('GET, HEAD');
  });

  test('HEAD has the type and no body, and reads nothing', async () => {
    const reply = await request('/metrics', { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toContain('version=0.0.4');
    expect(reply.body).toHaveLength(0);
    expect(state.refreshes).toBe(0);
  });

  test('gzip where it is asked for, and only there', async () => {
    state.flowStates = manyFlows(500);
    const packed = await request('/metrics/flows', { headers: { 'Accept-Encoding': 'deflate, gzip;q=0.8' } });
    const plain = await request('/metrics/flows', { headers: { 'Accept-Encoding': 'gzip;q=0' } });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
  });

  test('a state that cannot be read is a 500 with a log line, and the next scrape works', async () => {
    const { status } = state;
    state.status = () => {
      throw new Error('broken');
    };
    expect((await request('/metrics')).status).toBe(500);
    expect(log.lines.map((line) => line.level)).toEqual(['error']);
    state.status = status;
    expect((await request('/metrics')).status).toBe(200);
  });

  test('a client that does not read loses its connection, and leaves room for others', async () => {
    await server.close();
    server = await startMetricsServer({ host: '127.0.0.1', port: 0, state, log, scrapeTimeoutMs: 1000 });
    state.flowStates = manyFlows(30_000);
    const slow = Array.from({ length: 8 }, () => connect(server.port, '127.0.0.1'));
    const cut = slow.map((socket) => new Promise((resolve) => socket.once('close', resolve).on('error', () => undefined)));
    const allHere = requestsStarted(8);
    for (const socket of slow) {
      socket.pause();
      socket.write('GET /metrics/flows HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    await allHere;
    expect((await request('/metrics')).status).toBe(503);
    state.flowStates = [];
    let status: number;
    do ({ status } = await request('/metrics'));
    while (status === 503);
    expect(status).toBe(200);
    // A paused socket notices its end only once it reads on.
    for (const socket of slow) socket.resume();
    await Promise.all(cut);
    expect(log.lines).toEqual([]);
  });

  test('a ninth scrape at once is refused with 503', async () => {
    let release: () => void = () => undefined;
    state.onRefresh = () => new Promise((resolve) => (release = resolve));
    const allHere = requestsStarted(8);
    const held = Array.from({ length: 8 }, () => request('/metrics/flows'));
    await allHere;
    expect((await request('/metrics')).status).toBe(503);
    release();
    for (const { status } of await Promise.all(held)) expect(status).toBe(200);
  });

  test('a port in use and an address that is not ours are told apart', async () => {
    const options = { state, log };
    await expect(startMetricsServer({ ...options, host: '127.0.0.1', port: server.port })).rejects.toMatchObject({
      code: 'XM_ADDRESS_IN_USE',
      message: expect.stringContaining(`127.0.0.1:${server.port}: EADDRINUSE`),
    });
    await expect(startMetricsServer({ ...options, host: '192.0.2.1', port: 0 })).rejects.toMatchObject({ code: 'XM_CONFIG' });
  });

  test('close frees the port at once and may be called twice', async () => {
    const held = connect(server.port, '127.0.0.1').on('error', () => undefined);
    await new Promise((resolve) => held.once('connect', resolve));
    await Promise.all([server.close(), server.close()]);
    const next = createServer();
    await new Promise<void>((resolve, reject) => next.once('error', reject).listen(server.port, '127.0.0.1', resolve));
    await new Promise((resolve) => next.close(resolve));
    held.destroy();
  });
});

test('10,000 flows do not hold the event loop', async () => {
  state.flowStates = manyFlows(10_000);
  await scrape();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const lines = (await scrape()).split('\n').length;
  delay.disable();
  expect(lines).toBeGreaterThan(50_000);
  // One slice takes about 2 ms; the allowance is for a machine shared with others and for collecting garbage.
  expect(delay.percentile(90) / 1e6).toBeLessThan(50);
});
