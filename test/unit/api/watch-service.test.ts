/** The Watch calls over a real socket: messages, filters, tokens, limits, and clients that do not read. */
import { Client, type ClientReadableStream, credentials, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, constants } from 'node:http2';
import { createConnection } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { ApiClient } from '../../../control/api/client';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { stateServiceDefinition, systemServiceDefinition } from '../../../control/api/services';
import { WATCH_TOPICS } from '../../../control/api/watch-usage';
import { DEFAULT_API_LIMITS } from '../../../control/config/api-settings';
import { EventLog } from '../../../control/events';
import { systemClock } from '../../../control/kernel/clock';
import { eventually } from '../../lab/eventually';
import { FakeState, flowState, interfaceState, ip, manyFlows, membershipState, neighborState, reportState, routeState } from './fake-state';
import { RecordedLog } from './recorded-log';

jest.setTimeout(30_000);

const STALL_MS = 500;

let folder: string;
let state: FakeState;
let events: EventLog;
let server: ApiServer;
const clients: Client[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-watch-'));
  state = new FakeState();
  const log = new RecordedLog();
  events = new EventLog({ log, clock: systemClock });
  server = await startApiServer({ socketPath: path.join(folder, 'control.sock'), state, events, log, stallMs: STALL_MS });
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

interface Watched<Response> {
  readonly call: ClientReadableStream<Response>;
  readonly messages: Response[];
  readonly ended: Promise<ServiceError | undefined>;
}

function watch<Request, Response>(method: MethodDefinition<Request, Response>, request: Partial<Request>): Watched<Response> {
  const [client = new Client(`unix://${server.socketPath}`, credentials.createInsecure())] = clients;
  if (clients.length === 0) clients.push(client);
  const call = client.makeServerStreamRequest(method.path, method.requestSerialize, method.responseDeserialize, request as Request);
  const messages: Response[] = [];
  const ended = new Promise<ServiceError | undefined>((resolve) => {
    call.on('error', (error: ServiceError) => resolve(error));
    call.on('end', () => resolve(undefined));
  });
  call.on('data', (message: Response) => messages.push(message));
  return { call, messages, ended };
}

/** A client that never reads, which one of grpc-js always does. Resolves with the code of the reset that ends its stream. */
function stall<Request, Response>(method: MethodDefinition<Request, Response>, request: Partial<Request>) {
  const session = connect('http://localhost', { createConnection: () => createConnection(server.socketPath) });
  const stream = session.request({ ':method': 'POST', ':path': method.path, 'content-type': 'application/grpc', te: 'trailers' });
  const message = method.requestSerialize(request as Request);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  stream.on('response', () => stream.pause());
  const ended = new Promise<number | undefined>((resolve) => {
    stream.on('error', () => undefined);
    stream.on('close', () => (resolve(stream.rstCode), session.destroy()));
  });
  return { ended, close: () => session.destroy() };
}

const { watchEvents, watchFlows, watchInterfaces, watchMemberships, watchNeighbors, watchReports, watchRoutes } = stateServiceDefinition;
const { watchStatus } = systemServiceDefinition;

test('memberships: a snapshot, what changes, what goes', async () => {
  state.membershipStates = [membershipState(), membershipState({ group: ip('239.2.2.2') })];
  const { messages } = watch(watchMemberships, { group: '239.1.0.0/16' });
  await eventually(() => messages.length === 1, { what: 'the snapshot' });
  expect(messages[0]).toMatchObject({ progress: { reset: true, synced: true }, memberships: [{ interface: 'eth1', group: '239.1.1.1' }], removed: [] });
  state.membershipStates = [];
  for (const group of ['239.1.1.1', '239.2.2.2']) state.membershipTable.journal.record(group, { interface: 'eth1', group: ip(group) });
  await eventually(() => messages.length === 2, { what: 'the change' });
  expect(messages[1]).toMatchObject({ progress: { reset: false, synced: true }, memberships: [], removed: [{ interface: 'eth1', group: '239.1.1.1' }] });
});

test('reports and neighbours: filtered, told when they change, and when they are gone', async () => {
  state.reportStates = [reportState(), reportState({ group: ip('239.2.2.2') })];
  state.neighborStates = [neighborState(), neighborState({ interface: 'eth2' })];
  const reports = watch(watchReports, { interface: 'eth0', group: '239.1.0.0/16' });
  const neighbors = watch(watchNeighbors, { interface: 'eth1' });
  await eventually(() => reports.messages.length === 1 && neighbors.messages.length === 1, { what: 'both snapshots' });
  expect(reports.messages[0]).toMatchObject({ progress: { reset: true, synced: true }, reports: [{ interface: 'eth0', group: '239.1.1.1', filterMode: 2 }], removed: [] });
  expect(neighbors.messages[0]).toMatchObject({ progress: { reset: true, synced: true }, neighbors: [{ interface: 'eth1', address: '10.1.0.2', querier: true }], removed: [] });
  [state.reportStates, state.neighborStates] = [[], [neighborState({ isQuerier: false })]];
  state.reportTable.journal.record('r', { interface: 'eth0', group: ip('239.1.1.1') });
  state.neighborTable.journal.record('n', { interface: 'eth1', address: ip('10.1.0.2') });
  await eventually(() => reports.messages.length === 2 && neighbors.messages.length === 2, { what: 'both changes' });
  expect(reports.messages[1]).toMatchObject({ progress: { reset: false, synced: true }, reports: [], removed: [{ interface: 'eth0', group: '239.1.1.1' }] });
  expect(neighbors.messages[1]).toMatchObject({ neighbors: [{ address: '10.1.0.2', querier: false }], removed: [] });
  state.neighborStates = [];
  state.neighborTable.journal.record('n', { interface: 'eth1', address: ip('10.1.0.2') });
  await eventually(() => neighbors.messages.length === 3, { what: 'it is gone' });
  expect(neighbors.messages[2]?.removed).toMatchObject([{ interface: 'eth1', address: '10.1.0.2' }]);
  state.reportStates = [reportState({ filter: { mode: 'include', sources: [ip('10.0.0.5')] } })];
  state.reportTable.journal.recordAll();
  await eventually(() => reports.messages.length === 3, { what: 'all of it again' });
  expect(reports.messages[2]).toMatchObject({ progress: { reset: true }, reports: [{ filterMode: 1, sources: ['10.0.0.5'] }] });
});

test('status: once, when something in it changes, and not when nothing does; resumed without one', async () => {
  const first = watch(watchStatus, {});
  await eventually(() => first.messages.length === 1, { what: 'the status' });
  expect(first.messages[0]).toMatchObject({ progress: { reset: true, synced: true }, status: { ready: true, conditions: [] } });
  state.statusState = { ...state.statusState, ready: false, conditions: ['eth1 is down.'] };
  await eventually(() => first.messages.length === 2, { what: 'it is another' });
  expect(first.messages[1]).toMatchObject({ progress: { reset: false, synced: true }, status: { ready: false, conditions: ['eth1 is down.'] } });
  const resumeToken = first.messages[1]?.progress?.resumeToken ?? '';
  first.call.cancel();
  const second = watch(watchStatus, { resumeToken });
  await eventually(() => second.messages.length === 1, { what: 'it goes on' });
  expect(second.messages[0]).toMatchObject({ progress: { reset: false, synced: true }, status: null });
  second.call.cancel();
  await eventually(() => state.watchUsage.snapshot().every(({ subscribers }) => subscribers === 0), { what: 'nobody watches' });
  state.statusState = { ...state.statusState, ready: true };
  const third = watch(watchStatus, { resumeToken });
  await eventually(() => third.messages.length === 1, { what: 'it goes on later' });
  expect(third.messages[0]).toMatchObject({ progress: { reset: false }, status: { ready: true } });
});

test('routes: ranges are named as in the list', async () => {
  state.routeStates = [routeState(), routeState({ source: 0, sourceLength: 0, group: ip('239.0.0.0'), groupLength: 8 })];
  const { messages } = watch(watchRoutes, {});
  await eventually(() => messages.length === 1, { what: 'the snapshot' });
  expect(messages[0]?.routes.map(({ source, group }) => [source, group])).toEqual([['10.0.0.5', '239.1.1.1'], ['*', '239.0.0.0/8']]);
  state.routeStates = [];
  state.routeTable.journal.record('r', { source: 0, sourceLength: 0, group: ip('239.0.0.0'), groupLength: 8 });
  await eventually(() => messages.length === 2, { what: 'the removal' });
  expect(messages[1]?.removed).toMatchObject([{ source: '*', group: '239.0.0.0/8' }]);
});

test('interfaces: changes at once, counters at the interval', async () => {
  state.interfaceStates = [interfaceState()];
  const { messages } = watch(watchInterfaces, { sampleInterval: { seconds: 3600 } } as never);
  await eventually(() => messages.length === 1, { what: 'the snapshot' });
  state.interfaceStates = [interfaceState({ status: 'down' })];
  state.interfaceTable.journal.record('eth1', 'eth1');
  await eventually(() => messages.length === 2, { what: 'the change' });
  expect(messages[1]?.interfaces).toMatchObject([{ name: 'eth1', status: 2 }]);
  const sampled = watch(watchInterfaces, { sampleInterval: { nanos: 100_000_000 } } as never);
  await eventually(() => sampled.messages.length >= 3, { what: 'samples' });
  expect(sampled.messages[2]).toMatchObject({ progress: { reset: false, synced: true }, interfaces: [{ name: 'eth1' }] });
});

test('flows: samples, the counters read for each', async () => {
  state.flowStates = [flowState()];
  const { messages } = watch(watchFlows, { sampleInterval: { nanos: 100_000_000 } } as never);
  await eventually(() => messages.length >= 3, { what: 'three samples' });
  expect(messages[0]).toMatchObject({ progress: { reset: true, synced: true, resumeToken: '' }, flows: [{ source: '10.0.0.5', packetsPerSecond: 950.5 }] });
  expect(messages[2]).toMatchObject({ progress: { reset: false }, flows: [{ source: '10.0.0.5' }] });
  expect(state.refreshes).toBeGreaterThanOrEqual(3);
  const quiet = watch(watchFlows, { sampleInterval: { nanos: 100_000_000 }, suppressUnchanged: true } as never);
  await eventually(() => quiet.messages.length >= 3, { what: 'samples of nothing new' });
  expect(quiet.messages.slice(1).flatMap(({ flows }) => flows)).toEqual([]);
});

test('a resume token continues where it was; with other filters, or made up, it is refused', async () => {
  state.routeStates = [routeState()];
  const first = watch(watchRoutes, {});
  await eventually(() => first.messages.length === 1, { what: 'the snapshot' });
  const resumeToken = first.messages[0]?.progress?.resumeToken ?? '';
  first.call.cancel();
  state.routeTable.journal.record('10.0.0.5 239.1.1.1', { source: ip('10.0.0.5'), group: ip('239.1.1.1') });
  const second = watch(watchRoutes, { resumeToken });
  await eventually(() => second.messages.length === 1, { what: 'what changed' });
  expect(second.messages[0]).toMatchObject({ progress: { reset: false, synced: true }, routes: [{ group: '239.1.1.1' }] });
  for (const request of [{ resumeToken, group: '239.1.1.1' }, { resumeToken: 'nonsense' }]) {
    expect(await watch(watchRoutes, request).ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  }
});

test.each([
  [watchFlows, { sampleInterval: { nanos: 1000 } }],
  [watchFlows, { group: '239.1.1.1/8' }],
  [watchInterfaces, { sampleInterval: { seconds: 7200 } }],
  [watchEvents, { minSeverity: 99 }],
] as const)('a malformed request is refused: %#', async (method, request) => {
  expect(await watch(method as MethodDefinition<object, object>, request).ended).toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('events: those that are kept, then those that come; filtered; resumed', async () => {
  events.report({ type: 'loop', severity: 'warn', subject: 'eth1', text: 'one' });
  events.report({ type: 'started', text: 'two' });
  const all = watch(watchEvents, {});
  const warnings = watch(watchEvents, { minSeverity: 2 });
  const fresh = watch(watchEvents, { onlyNew: true });
  await eventually(() => [all, warnings, fresh].every(({ messages }) => messages.length === 1), { what: 'all have begun' });
  expect(all.messages[0]?.events.map(({ text }) => text)).toEqual(['one', 'two']);
  expect(warnings.messages[0]?.events).toMatchObject([{ text: 'one', subject: 'eth1', type: 13, severity: 2 }]);
  expect(fresh.messages[0]).toMatchObject({ progress: { synced: true }, events: [] });
  events.report({ type: 'loop', severity: 'warn', text: 'three' });
  await eventually(() => warnings.messages.length === 2 && fresh.messages.length === 2, { what: 'the new one' });
  const resumeToken = all.messages[0]?.progress?.resumeToken ?? '';
  const resumed = watch(watchEvents, { resumeToken });
  await eventually(() => resumed.messages.length === 1, { what: 'it goes on' });
  expect(resumed.messages[0]).toMatchObject({ progress: { reset: false }, events: [{ text: 'three' }] });
});

test('lists of events and neighbours', async () => {
  const client = new ApiClient({ target: `unix://${server.socketPath}`, timeoutMs: 5000 });
  events.report({ type: 'started', text: 'ready' });
  state.neighborStates = [neighborState(), neighborState({ interface: 'eth2', isQuerier: false })];
  expect(await client.listEvents({})).toMatchObject([{ text: 'ready', severity: 1 }]);
  expect(await client.listEvents({ subject: 'eth9' })).toEqual([]);
  expect(await client.listNeighbors({ interface: 'eth1' })).toMatchObject([{ address: '10.1.0.2', querier: true, igmpVersion: 3 }]);
  client.close();
});

test('ten clients that read nothing: bounded memory, others on time, then RESOURCE_EXHAUSTED', async () => {
  state.flowStates = manyFlows(3000);
  const routes = Array.from({ length: 200 }, (_, i) => ({ source: ip('10.0.0.1') + i, group: ip('239.1.1.1') }));
  const stalled = Array.from({ length: 10 }, () => stall(watchFlows, { sampleInterval: { nanos: 100_000_000 } } as never));
  const flows = () => state.watchUsage.snapshot().find(({ topic }) => topic === 'flows');
  const other = watch(watchRoutes, {});
  await eventually(() => other.messages.length > 0, { what: 'the other has its snapshot' });
  const before = process.memoryUsage().rss;
  for (const [i, key] of routes.entries()) {
    const count = other.messages.length;
    state.routeTable.journal.record(`${i}`, key);
    await eventually(() => other.messages.length > count, { what: 'the other is served', intervalMs: 1 });
  }
  await eventually(() => flows()?.stalled === 10n, { what: 'they are given up', timeoutMs: 15_000 });
  // ENHANCE_YOUR_CALM is RESOURCE_EXHAUSTED to a client of gRPC.
  const endings = await Promise.all(stalled.map(({ ended }) => ended));
  expect(endings).toEqual(stalled.map(() => constants.NGHTTP2_ENHANCE_YOUR_CALM));
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
  expect(flows()).toMatchObject({ subscribers: 0, stalled: 10n });
});

test('too many watchers: the new one is refused, and has its place when another ends', async () => {
  const MAX_WATCHERS = 8;
  await server.follow({ listen: [], tls: undefined, roles: [], limits: { ...DEFAULT_API_LIMITS, watchers: MAX_WATCHERS } });
  const open = Array.from({ length: MAX_WATCHERS }, () => watch(watchEvents, {}));
  await eventually(() => open.every(({ messages }) => messages.length > 0), { what: 'all are open', timeoutMs: 15_000 });
  expect(await watch(watchEvents, {}).ended).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringContaining('8 streams') as string });
  open[0]?.call.cancel();
  await eventually(async () => (state.watchUsage.snapshot().find(({ topic }) => topic === 'events')?.subscribers ?? 0) < MAX_WATCHERS, { what: 'a place is free' });
  const next = watch(watchEvents, {});
  await eventually(() => next.messages.length > 0, { what: 'it is let in' });
});

test('when the server stops its streams end as UNAVAILABLE', async () => {
  const watched = [watch(watchRoutes, {}), watch(watchEvents, {}), watch(watchFlows, {})];
  await eventually(() => watched.every(({ messages }) => messages.length > 0), { what: 'all are open' });
  await server.close();
  expect((await Promise.all(watched.map(({ ended }) => ended))).map((error) => error?.code)).toEqual(watched.map(() => status.UNAVAILABLE));
});

test('a client that is gone leaves nothing behind', async () => {
  state.flowStates = manyFlows(5000);
  const { close } = stall(watchFlows, {});
  await eventually(() => state.watchUsage.snapshot().some(({ subscribers }) => subscribers === 1), { what: 'it is open' });
  close();
  await eventually(() => state.watchUsage.snapshot().every(({ subscribers }) => subscribers === 0), { what: 'it is forgotten' });
  expect(state.watchUsage.snapshot().map(({ stalled }) => stalled)).toEqual(WATCH_TOPICS.map(() => 0n));
});
