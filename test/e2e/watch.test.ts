/**
 * A running router, watched: hosts join and leave, a stream begins and ends, the daemon stops.
 *
 *     source ── up0 [xmcastd] lan1 ── host
 *                             lan2 ── other
 */
import { status, type ServiceError } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/grpc-js';
import { stateServiceDefinition, systemServiceDefinition } from '../../control/api/services';
import { fromWire } from '../../control/api/u64';
import { xmcast } from '#proto';
import { buildIgmpFrame } from '../../control/protocol/igmp/encode';
import { parseIpv4 } from '../../control/protocol/packet/address';
import type { Daemon } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { inRepository } from '../lab/repository';
import { createStar, hostAddress, SOURCE, type Star } from '../lab/star';

jest.setTimeout(120_000);

const G = '239.1.1.1';
const { watchEvents, watchFlows, watchMemberships, watchNeighbors, watchReports, watchRoutes } = stateServiceDefinition;
const { watchStatus } = systemServiceDefinition;

let star: Star;
let daemon: Daemon;

beforeEach(async () => {
  star = await createStar('watch', [{ name: 'host' }, { name: 'other' }]);
  daemon = await star.start({ igmp: { query_response_interval: '1s', quick_leave: 'tracked' } });
});
afterEach(async () => star?.lab.close());

interface Watched<Response> {
  readonly messages: Response[];
  readonly ended: Promise<ServiceError | undefined>;
  readonly stop: () => void;
}

function watch<Request, Response>(method: MethodDefinition<Request, Response>, request: Partial<Request> = {}): Watched<Response> {
  const stop = new AbortController();
  const messages: Response[] = [];
  const ended = daemon.client
    .watch(method, request as Request, { signal: stop.signal, onMessage: (message) => messages.push(message) })
    .then(() => undefined, (error: ServiceError) => error);
  return { messages, ended, stop: () => stop.abort() };
}

function host(index: number) {
  const found = star.hosts[index];
  if (found === undefined) throw new Error(`no host ${index}`);
  return found;
}

test('hosts join and leave, a stream comes: told as it happens', async () => {
  const memberships = watch(watchMemberships);
  const routes = watch(watchRoutes);
  await eventually(() => memberships.messages.length > 0 && routes.messages.length > 0, { what: 'both begin' });
  expect(memberships.messages[0]).toMatchObject({ progress: { reset: true, synced: true }, memberships: [] });
  const receiver = await star.lab.receiver(host(0), { joins: [G] });
  await eventually(() => memberships.messages.some((one) => one.memberships.some(({ group }) => group === G)), { what: 'the join is told' });
  await eventually(() => routes.messages.some((one) => one.routes.some(({ group, installed }) => group === G && installed)), { what: 'its route is told' });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500, size: 100 });
  await eventually(() => routes.messages.some((one) => one.routes.some(({ source }) => source === SOURCE)), { what: 'the route of the source is told' });
  const flows = watch(watchFlows, { group: G, source: SOURCE, suppressUnchanged: true } as never);
  await eventually(() => flows.messages.some((one) => one.flows.some(({ packetsPerSecond }) => (packetsPerSecond ?? 0) > 100)), { what: 'its rate is told', timeoutMs: 15_000 });
  await sender.stop();
  await eventually(() => flows.messages.at(-1)?.flows.some(({ packetsPerSecond }) => packetsPerSecond === 0) === true, { what: 'it has fallen silent', timeoutMs: 15_000 });
  await receiver.stop();
  await eventually(() => memberships.messages.some(({ removed }) => removed.some(({ group }) => group === G)), { what: 'the leave is told', timeoutMs: 20_000 });
  await eventually(() => routes.messages.some(({ removed }) => removed.some(({ source, group }) => source === '*' && group === G)), { what: 'the route is gone' });
  for (const { stop } of [memberships, routes, flows]) stop();
  expect(await Promise.all([memberships.ended, routes.ended, flows.ended])).toEqual([undefined, undefined, undefined]);
});

test('another router asks, the upstream is asked for what hosts want, and the status counts it: told as it happens', async () => {
  const [neighbors, reports, state] = [watch(watchNeighbors), watch(watchReports), watch(watchStatus)];
  await eventually(() => [neighbors, reports, state].every(({ messages }) => messages.length > 0), { what: 'all begin' });
  expect(state.messages[0]).toMatchObject({ progress: { reset: true, synced: true }, status: { interfacesConfigured: 3, memberships: 0 } });
  const { namespace, interfaceName } = host(0);
  await (await star.lab.injector(namespace, interfaceName)).send(generalQuery(hostAddress(0)));
  await eventually(() => neighbors.messages.some((one) => one.neighbors.some(({ interface: name, address }) => name === 'lan1' && address === hostAddress(0))), { what: 'the other router is told' });
  const receiver = await star.lab.receiver(host(1), { joins: [G] });
  await eventually(() => reports.messages.some((one) => one.reports.some((report) => report.interface === 'up0' && report.group === G)), { what: 'the report is told' });
  await eventually(() => state.messages.at(-1)?.status?.memberships === 1, { what: 'the status has it' });
  await receiver.stop();
  await eventually(() => reports.messages.some(({ removed }) => removed.some(({ group }) => group === G)), { what: 'it is not asked for any more', timeoutMs: 20_000 });
  await star.router.run(['ip', 'link', 'set', 'lan1', 'down']);
  await eventually(() => neighbors.messages.some(({ removed }) => removed.some(({ address }) => address === hostAddress(0))), { what: 'the other router is gone with its link' });
  await eventually(() => state.messages.at(-1)?.status?.interfacesForwarding === 2, { what: 'the status tells of the link' });
});

/** From a router beside ours, to all systems. */
function generalQuery(source: string): Uint8Array {
  const [from, destination] = [parseIpv4(source) ?? 0, parseIpv4('224.0.0.1') ?? 0];
  const message = { kind: 'query', version: 3, group: 0, maxResponseTimeMs: 10_000, suppressRouterProcessing: false, querierRobustness: 2, querierQueryIntervalMs: 125_000, sources: [] } as const;
  return buildIgmpFrame({ sourceMac: Uint8Array.of(2, 0, 0, 0, 0, 9), source: from, destination, message });
}

test('a watcher that was cut off goes on where it was', async () => {
  const first = watch(watchMemberships);
  await eventually(() => first.messages.length > 0, { what: 'it begins' });
  first.stop();
  await first.ended;
  await star.lab.receiver(host(1), { joins: [G] });
  await eventually(async () => (await daemon.client.listMemberships({})).length === 1, { what: 'the membership is known' });
  const second = watch(watchMemberships, { resumeToken: first.messages.at(-1)?.progress?.resumeToken ?? '' });
  await eventually(() => second.messages.length > 0, { what: 'it goes on' });
  expect(second.messages[0]).toMatchObject({ progress: { reset: false, synced: true }, memberships: [{ interface: 'lan2', group: G }] });
});

test('events: a link goes and returns; the daemon stops, and says so to all who watch', async () => {
  const events = watch(watchEvents, { onlyNew: true });
  const routes = watch(watchRoutes);
  await eventually(() => events.messages.length > 0 && routes.messages.length > 0, { what: 'both begin' });
  await star.router.run(['ip', 'link', 'set', 'lan2', 'down']);
  await star.router.run(['ip', 'link', 'set', 'lan2', 'up']);
  const told = () => events.messages.flatMap((one) => one.events.map(({ type, subject }) => `${xmcast.v1.Event.Type[type ?? 0]} ${subject}`));
  await eventually(() => told().includes('TYPE_INTERFACE_DOWN lan2') && told().includes('TYPE_INTERFACE_UP lan2'), { what: 'the link is told of' });
  const listed = await daemon.client.listEvents({ subject: 'lan2' });
  expect(listed.map(({ type }) => type)).toEqual(expect.arrayContaining([xmcast.v1.Event.Type.TYPE_INTERFACE_ATTACHED, xmcast.v1.Event.Type.TYPE_INTERFACE_DOWN]));
  expect(await daemon.stop()).toMatchObject({ code: 0 });
  expect((await Promise.all([events.ended, routes.ended])).map((error) => error?.code)).toEqual([status.UNAVAILABLE, status.UNAVAILABLE]);
});

test('a client in another language, which learns the schema by reflection', async () => {
  const client = star.lab.spawn(undefined, ['/usr/bin/python3', inRepository('test/e2e/foreign-client.py'), daemon.socketPath, 'watch']);
  const lines = () => client.stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
  await eventually(() => lines().length > 0, { what: 'it has the snapshot', timeoutMs: 20_000 });
  expect(lines()[0]).toMatchObject({ progress: { reset: true, synced: true } });
  const receiver = await star.lab.receiver(host(0), { joins: [G] });
  await eventually(() => lines().some((one) => JSON.stringify(one['memberships'] ?? '').includes(G)), { what: 'it hears of the join' });
  await receiver.stop();
  await eventually(() => lines().some((one) => JSON.stringify(one['removed'] ?? '').includes(G)), { what: 'it hears of the leave', timeoutMs: 20_000 });
  await daemon.stop();
  expect({ ...(await client.exited), stderr: client.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(lines().at(-1)).toEqual({ status: 'UNAVAILABLE' });
});

test('why a packet is not forwarded; counters from now on; the level of the log', async () => {
  const trace = (request: xmcast.v1.TraceRequest.$Properties) => daemon.client.call(systemServiceDefinition.trace, xmcast.v1.TraceRequest.create(request));
  expect((await trace({ group: G, source: SOURCE })).summary).toMatch(/nobody wants it/);
  const receiver = await star.lab.receiver(host(0), { joins: [G] });
  await eventually(async () => (await trace({ group: G, source: SOURCE })).forwarded, { what: 'somebody wants it' });
  expect((await trace({ group: G, source: SOURCE, interface: 'lan2' })).summary).toMatch(/wrong_interface/);
  expect((await trace({ group: G, source: SOURCE, size: 1501 })).summary).toMatch(/too_big/);
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, count: 100, rate: 1000, size: 100 });
  await sender.finished();
  const flow = async () => fromWire((await daemon.client.listFlows({ group: G, source: SOURCE, fresh: true }))[0]?.packets);
  await eventually(async () => (await flow()) === 100n, { what: 'all are counted' });
  await daemon.client.call(systemServiceDefinition.resetCounters, xmcast.v1.ResetCountersRequest.create({}));
  expect(await flow()).toBe(0n);
  expect(await daemon.metrics('/metrics/flows')).toMatch(/^xmcast_flow_forwarded_packets_total\{source="10\.100\.0\.10",group="239\.1\.1\.1",iif="up0"\} 100$/m);
  const level = await daemon.client.call(systemServiceDefinition.setLogLevel, xmcast.v1.SetLogLevelRequest.create({ level: 'debug', duration: { seconds: 1 } }));
  expect(level.level).toBe('debug');
  await eventually(async () => (await daemon.client.listEvents({})).filter(({ type }) => type === xmcast.v1.Event.Type.TYPE_LOG_LEVEL_CHANGED).length === 2, { what: 'the level is back' });
  await expect(daemon.client.call(systemServiceDefinition.setLogLevel, xmcast.v1.SetLogLevelRequest.create({ level: 'loud' }))).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await receiver.stop();
});

test('ten watchers whose processes are stopped hurt nobody', async () => {
  const stalled = Array.from({ length: 10 }, () => star.lab.spawn(undefined, ['/usr/bin/python3', inRepository('test/e2e/foreign-client.py'), daemon.socketPath, 'watch']));
  await eventually(() => stalled.every((child) => child.stdout !== ''), { what: 'all have begun', timeoutMs: 60_000 });
  for (const child of stalled) child.signal('SIGSTOP');
  const other = watch(watchMemberships);
  await eventually(() => other.messages.length > 0, { what: 'another begins' });
  const groups = Array.from({ length: 20 }, (_, i) => `239.2.0.${i + 1}`);
  await star.lab.receiver(host(0), { joins: groups });
  const told = () => new Set(other.messages.flatMap((one) => one.memberships.map(({ group }) => group)));
  await eventually(() => groups.every((group) => told().has(group)), { what: 'the other hears of all' });
  for (const child of stalled) child.signal('SIGCONT');
  await eventually(() => stalled.every((child) => child.stdout.includes('239.2.0.20')), { what: 'they catch up', timeoutMs: 30_000 });
});
