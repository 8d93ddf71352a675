/** DataplaneService as a client of any make meets it: what is refused, what is bounded, and what a batch is. */
import { Client, credentials, Metadata, status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { fromWire } from '../../../control/api/u64';
import { routeName } from '../../../control/mrib/route';
import { dataplaneServiceDefinition } from '../../../control/remote/definition';
import { eventually } from '../../lab/eventually';
import { ip } from '../router/fakes';
import { closeAll, serve, set } from './fakes';

type Request = xmcast.v1.ControlRequest.$Properties;
type Response = xmcast.v1.ControlResponse.$Properties;

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await closeAll();
});

const G = ip('239.1.1.1');
const S = ip('10.0.0.1');
const route = (source: number, group: number, outgoing = [2]) => ({ key: { source, group }, incoming: 1, outgoing });
const until = (isSo: () => boolean, what: string): Promise<unknown> => eventually(isSo, { what, intervalMs: 5 });

interface Stream {
  readonly call: ClientDuplexStream<Request, Response>;
  readonly responses: Response[];
  end: ServiceError | undefined;
}

function control(target: string): Stream {
  const client = new Client(target, credentials.createInsecure());
  clients.push(client);
  const { path, requestSerialize, responseDeserialize } = dataplaneServiceDefinition.control;
  const call = client.makeBidiStreamRequest<Request, Response>(path, requestSerialize as never, responseDeserialize, new Metadata());
  const stream: Stream = { call, responses: [], end: undefined };
  call.on('data', (response: Response) => stream.responses.push(response));
  call.on('error', (error: ServiceError) => (stream.end = error));
  return stream;
}

async function primary(target: string): Promise<Stream> {
  const stream = control(target);
  stream.call.write({ open: { name: 'a test', controllerId: 'one', electionId: 1 } });
  await until(() => stream.responses.some(({ opened }) => opened !== null && opened !== undefined), 'it is primary');
  return stream;
}

async function result(stream: Stream, request: Request): Promise<xmcast.v1.OperationResult.$Properties> {
  stream.call.write(request);
  const found = (): xmcast.v1.OperationResult.$Properties | undefined =>
    stream.responses.flatMap(({ results }) => results ?? []).find(({ sequence }) => fromWire(sequence) === BigInt(Number(request.sequence)));
  await until(() => found() !== undefined, `the result of ${String(request.sequence)}`);
  return found() ?? {};
}

test('all or nothing: what came before the refused one is taken back, what was there is there again', async () => {
  const { target, dataplane } = await serve();
  const stream = await primary(target);
  dataplane.applyRoutes([set(S, G, [2]), set(S + 1, G, [2])]);
  dataplane.limit = 3;
  const changes = [{ remove: { source: S, group: G } }, { set: route(S + 1, G, [3]) }, { set: route(S + 2, G) }, { set: route(S + 3, G) }, { set: route(S + 4, G) }];
  const refused = await result(stream, { sequence: 1, writeRoutes: { changes, atomicity: 1 } });
  expect(refused.refused).toEqual([expect.objectContaining({ index: 4, problem: 'full' })]);
  expect([...dataplane.routes.values()].sort((a, b) => a.source - b.source)).toEqual([set(S, G, [2]), set(S + 1, G, [2])].map((change) => (change.kind === 'set' ? change.route : undefined)));
  const each = await result(stream, { sequence: 2, writeRoutes: { changes } });
  expect(each.refused).toEqual([expect.objectContaining({ index: 4 })]);
  expect(dataplane.routes.size).toBe(3);
});

test('a batch with a malformed change: each on its own, or none at all', async () => {
  const { target, dataplane } = await serve();
  const stream = await primary(target);
  const changes = [{ set: route(S, ip('10.1.1.1')) }, { set: route(S, G) }, { set: route(S, G, [1]) }, { set: route(S, G, [64]) }, {}];
  const none = await result(stream, { sequence: 1, writeRoutes: { changes, atomicity: 1 } });
  expect(none.refused?.map(({ index }) => index ?? 0)).toEqual([0, 2, 3, 4]);
  expect(dataplane.routes.size).toBe(0);
  const some = await result(stream, { sequence: 2, writeRoutes: { changes } });
  expect(some.refused?.map(({ problem }) => problem)).toEqual([
    'group 10.1.1.1 is no multicast address', 'vport 1 is both incoming and outgoing', 'vport 64 is not within 1 to 63', 'the change is neither set nor remove',
  ]);
  expect([...dataplane.routes.keys()]).toEqual([routeName(S, G)]);
});

test('ten thousand changes in one message are written in slices, in order, and equal ones not at all', async () => {
  const { target, dataplane } = await serve();
  const stream = await primary(target);
  dataplane.limit = Infinity;
  const changes = Array.from({ length: 10_000 }, (_, i) => ({ set: route(S + i, G) }));
  stream.call.write({ sequence: 1, writeRoutes: { changes } });
  const after = await result(stream, { sequence: 2, writeRoutes: { changes: [{ remove: { source: S, group: G } }] } });
  expect(after.refused).toEqual([]);
  expect(dataplane.routes.size).toBe(9_999);
  expect(Math.max(...dataplane.writes)).toBeLessThanOrEqual(256);
  dataplane.writes.length = 0;
  await result(stream, { sequence: 3, writeRoutes: { changes } });
  expect(dataplane.writes).toEqual([1]);
});

test('what is malformed is the result of that message, and the stream goes on', async () => {
  const { target } = await serve();
  const stream = await primary(target);
  const wrong: Request[] = [
    { setPort: { vport: 0 } },
    { setPort: { vport: 1, name: 'lan1', ifindex: 1, mtu: 1500, macAddress: new Uint8Array(5) } },
    { setPolicers: { policers: [] } },
    { transmit: { vport: 1 } },
    { resend: { vport: 1, frame: new Uint8Array(20_000) } },
    { writeRoutes: { changes: Array.from({ length: 65_537 }, () => ({})) } },
    {},
  ];
  for (const [i, request] of wrong.entries()) {
    const { error, message } = await result(stream, { sequence: i + 1, ...request });
    expect([error, message]).toEqual(['INVALID_ARGUMENT', expect.stringMatching(/./)]);
  }
  expect(stream.end).toBeUndefined();
});

test('a stream that does not begin with open, opens twice, or has no id: ended with INVALID_ARGUMENT', async () => {
  const { target } = await serve();
  const [late, twice, nameless] = [control(target), await primary(target), control(target)];
  late.call.write({ sequence: 1, removePort: 1 });
  twice.call.write({ open: { controllerId: 'one' } });
  nameless.call.write({ open: { name: 'x' } });
  for (const stream of [late, twice, nameless]) {
    await until(() => stream.end !== undefined, 'it has ended');
    expect(stream.end?.code).toBe(status.INVALID_ARGUMENT);
  }
});

test('random bytes and a message that is too large end that call, and no other', async () => {
  const { target, dataplane } = await serve();
  const stream = await primary(target);
  const client = new Client(target, credentials.createInsecure());
  clients.push(client);
  for (const bytes of [Buffer.alloc(2000, 0xff), Buffer.alloc(9 * 1024 * 1024)]) {
    const call = client.makeBidiStreamRequest(dataplaneServiceDefinition.control.path, (message: Buffer) => message, (message: Buffer) => message, new Metadata());
    const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
    call.write(bytes);
    expect([status.INTERNAL, status.RESOURCE_EXHAUSTED, status.INVALID_ARGUMENT]).toContain((await ended).code);
  }
  await result(stream, { sequence: 1, writeRoutes: { changes: [{ set: route(S, G) }] } });
  expect(dataplane.routes.size).toBe(1);
});

test('a controller that does not read costs some megabytes: further packets are dropped and counted', async () => {
  const { target, service } = await serve();
  const stream = await primary(target);
  stream.call.pause();
  const punt = { class: 'no_route', vport: 1, frame: new Uint8Array(1400), frameBytes: 1400 } as const;
  let given = 0;
  await eventually(
    () => {
      for (let i = 0; i < 20; i++) service.onPunts(Array.from({ length: 64 }, () => punt));
      given += 20 * 64;
      return fromWire(service.getDataplane().puntsLost) > 10_000n;
    },
    { what: 'packets are dropped', intervalMs: 1 },
  );
  stream.call.resume();
  const heard = (): number => stream.responses.reduce((sum, { punts }) => sum + (punts ?? []).length, 0);
  await until(() => BigInt(given) === BigInt(heard()) + fromWire(service.getDataplane().puntsLost), 'every packet was either handed over or counted');
  // MAX_WAITING_BYTES, the windows of HTTP/2 and what the two ends of gRPC hold.
  expect(heard() * 1400).toBeLessThan(10 * 1024 * 1024);
  expect(heard()).toBeGreaterThan(0);
});
