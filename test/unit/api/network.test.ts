/** The API over TCP: who gets in, as what, and what happens while certificates, roles and limits change. Real sockets on the loopback. */
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import { connect as connectTls } from 'node:tls';

import { ApiCounters, type RefusalReason } from '../../../control/api/api-counters';
import type { NetworkSettings } from '../../../control/api/network';
import { decodeRichError, DETAILS_TRAILER } from '../../../control/api/rich-error';
import { type ApiServer, startApiServer } from '../../../control/api/server';
import { configServiceDefinition, systemServiceDefinition } from '../../../control/api/services';
import { type ApiLimits, DEFAULT_API_LIMITS } from '../../../control/config/api-settings';
import { CertificateAuthority, type CertificateFiles } from '../../lab/certificates';
import { eventually } from '../../lab/eventually';
import { freePort } from '../../lab/free-port';
import { type Bench, start as startConfig } from '../config-transactions/bench';
import { FakeState } from './fake-state';
import { RecordedLog } from './recorded-log';

jest.setTimeout(60_000);

let folder: string;
let authority: CertificateAuthority;
let own: CertificateFiles;
let port: number;
let counters: ApiCounters;
let bench: Bench | undefined;
let log: RecordedLog;
let server: ApiServer | undefined;
let clients: Client[];

beforeEach(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-tls-'));
  authority = new CertificateAuthority(folder);
  own = authority.issue('own', { names: 'DNS:localhost,IP:127.0.0.1' });
  port = await freePort();
  counters = new ApiCounters();
  log = new RecordedLog();
  clients = [];
});

afterEach(async () => {
  for (const client of clients) client.close();
  await server?.close();
  await bench?.manager.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

function settings({ limits, ...more }: Partial<NetworkSettings> = {}): NetworkSettings & { readonly limits: ApiLimits } {
  return {
    listen: [{ host: '127.0.0.1', port }],
    tls: { ...own, clientCa: authority.certificate, crl: undefined },
    roles: [
      { match: 'spiffe://example.org/operators/*', role: 'operator' },
      { match: '*.admin.example.net', role: 'admin' },
      { match: 'CN=watcher', role: 'viewer' },
    ],
    limits: { ...DEFAULT_API_LIMITS, connections: 8, connectionsPerClient: 4, ...limits },
    ...more,
  };
}

async function start(network = settings()): Promise<ApiServer> {
  bench = await startConfig();
  server = await startApiServer({
    socketPath: path.join(folder, 'control.sock'),
    network,
    state: new FakeState(),
    config: bench.manager,
    counters,
    log,
  });
  return server;
}

function clientOf(files: CertificateFiles | undefined, options: Record<string, number> = {}): Client {
  const ca = readFileSync(authority.certificate);
  const secure =
    files === undefined
      ? credentials.createSsl(ca)
      : credentials.createSsl(ca, readFileSync(files.key), readFileSync(files.certificate));
  // Channels of equal options share a connection otherwise.
  const client = new Client(`127.0.0.1:${port}`, secure, { 'grpc.use_local_subchannel_pool': 1, 'grpc.enable_retries': 0, ...options });
  clients.push(client);
  return client;
}

type Method = { readonly path: string };

/** "OK", or the name of the status. */
async function statusOf(client: Client, method: Method, request = Buffer.alloc(0)): Promise<string> {
  const error = await errorOf(client, method, request);
  return error === undefined ? 'OK' : (status[error.code] ?? '');
}

function errorOf(client: Client, { path: method }: Method, request = Buffer.alloc(0)): Promise<ServiceError | undefined> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    client.makeUnaryRequest(method, (b: Buffer) => b, (b) => b, request, new Metadata(), options, (error) => resolve(error ?? undefined));
  });
}

const STATUS = systemServiceDefinition.getStatus;
const CONFIRM = configServiceDefinition.confirmConfig;
const APPLY = configServiceDefinition.applyConfig;

async function expectRefused(reason: RefusalReason, atLeast = 1): Promise<void> {
  await eventually(() => (counters.refused.get(reason) ?? 0) >= atLeast, { what: `${reason} is counted` });
}

describe('roles', () => {
  test.each([
    ['viewer', { commonName: 'watcher' }, ['OK', 'PERMISSION_DENIED', 'PERMISSION_DENIED']],
    ['operator', { names: 'URI:spiffe://example.org/operators/lisa' }, ['OK', 'FAILED_PRECONDITION', 'PERMISSION_DENIED']],
    ['admin', { names: 'DNS:noc.Admin.example.net' }, ['OK', 'FAILED_PRECONDITION', 'INVALID_ARGUMENT']],
    ['nobody', { commonName: 'stranger' }, ['PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED']],
    ['a folder below', { names: 'URI:spiffe://example.org/operators/x/y' }, ['PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED']],
    ['a common name beside another', { commonName: 'watcher', names: 'DNS:other' }, ['PERMISSION_DENIED', 'PERMISSION_DENIED', 'PERMISSION_DENIED']],
  ])('%s', async (_who, certificate, [see, confirm, apply]) => {
    await start();
    const client = clientOf(authority.issue('client', certificate));
    expect([await statusOf(client, STATUS), await statusOf(client, CONFIRM), await statusOf(client, APPLY)]).toEqual([see, confirm, apply]);
  });

  test('methods that there are not: a viewer is told so, who has no role is not, and the rate holds for them too', async () => {
    await start(settings({ limits: { connections: 8, connectionsPerClient: 4, requestsPerSecond: 5 } }));
    const missing = { path: '/xmcast.v9.Other/Get' };
    expect(await statusOf(clientOf(authority.issue('stranger')), missing)).toBe('PERMISSION_DENIED');
    const watcher = clientOf(authority.issue('watcher'));
    const seen = await Promise.all(Array.from({ length: 30 }, () => statusOf(watcher, missing)));
    expect(new Set(seen)).toEqual(new Set(['UNIMPLEMENTED', 'RESOURCE_EXHAUSTED']));
    expect(counters.requests().reduce((sum, { method, count }) => sum + (method === 'unknown' ? count : 0), 0)).toBe(31);
  });

  test('the refusal tells programs what was missing, is counted, and said in the log', async () => {
    await start();
    const error = await errorOf(clientOf(authority.issue('watcher')), APPLY);
    const [details] = error?.metadata.get(DETAILS_TRAILER) ?? [];
    expect(decodeRichError(details as Buffer)).toMatchObject({
      reason: 'ROLE_MISSING',
      metadata: { client: 'CN=watcher', role: 'viewer', needed_role: 'admin', method: 'xmcast.v1.ConfigService/ApplyConfig' },
    });
    expect(counters.refused.get('permission')).toBe(1);
    expect(counters.requests()).toEqual([{ method: 'xmcast.v1.ConfigService/ApplyConfig', code: 'PERMISSION_DENIED', count: 1 }]);
    expect(JSON.stringify(log.lines)).toContain('CN=watcher');
  });

  test('rules that change hold for connections that are there', async () => {
    const api = await start();
    const client = clientOf(authority.issue('watcher'));
    expect(await statusOf(client, CONFIRM)).toBe('PERMISSION_DENIED');
    await api.follow(settings({ roles: [{ match: 'CN=watcher', role: 'operator' }] }));
    expect(await statusOf(client, CONFIRM)).toBe('FAILED_PRECONDITION');
    await api.follow(settings({ roles: [] }));
    expect(await statusOf(client, STATUS)).toBe('PERMISSION_DENIED');
  });
});

describe('who does not get in', () => {
  test.each<[string, RefusalReason, () => CertificateFiles | undefined]>([
    ['no certificate', 'no_certificate', () => undefined],
    ['one of another authority', 'bad_certificate', () => strangersCertificate()],
    ['one whose time is over', 'bad_certificate', () => authority.issue('late', { endsInSeconds: -60 })],
  ])('%s', async (_what, reason, make) => {
    await start();
    expect(await statusOf(clientOf(make()), STATUS)).toBe('UNAVAILABLE');
    await expectRefused(reason);
    expect(await statusOf(clientOf(authority.issue('watcher')), STATUS)).toBe('OK');
  });

  function strangersCertificate(): CertificateFiles {
    const elsewhere = mkdtempSync(path.join(folder, 'other-'));
    return new CertificateAuthority(elsewhere, 'other').issue('watcher');
  }

  test('a certificate that was taken back; and one that is, loses its connection', async () => {
    const [gone, kept] = [authority.issue('watcher'), authority.issue('second', { commonName: 'watcher' })];
    const crl = authority.revocationList();
    await start(settings({ tls: { ...own, clientCa: authority.certificate, crl } }));
    const [before, other] = [clientOf(gone), clientOf(kept)];
    expect([await statusOf(before, STATUS), await statusOf(other, STATUS)]).toEqual(['OK', 'OK']);
    authority.revoke('watcher');
    const isOut = async (): Promise<boolean> => (await statusOf(before, STATUS)) === 'UNAVAILABLE' && counters.refused.has('bad_certificate');
    await eventually(isOut, { what: 'it is out' });
    await eventually(async () => (await statusOf(other, STATUS)) === 'OK', { what: 'the other is in again' });
  });

  test('a client whose certificate ends while it is connected', async () => {
    await start();
    const client = clientOf(authority.issue('watcher', { endsInSeconds: 6 }));
    expect(await statusOf(client, STATUS)).toBe('OK');
    await eventually(() => counters.connections.tls === 0, { what: 'the connection is closed', timeoutMs: 20_000 });
    expect(await statusOf(client, STATUS)).toBe('UNAVAILABLE');
    await expectRefused('bad_certificate');
  });

  test('random bytes, before and inside TLS; a client without HTTP/2; one that says nothing', async () => {
    await start();
    const watcher = authority.issue('watcher');
    const noise = Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 7919) % 251));
    await gone(connectTcp(port, '127.0.0.1').on('connect', function (this: Socket) { this.write(noise); }));
    await expectRefused('handshake');
    await gone(tlsTo(watcher, ['h2']).on('secureConnect', function (this: Socket) { this.write(noise); }));
    await expectRefused('http2');
    await gone(tlsTo(watcher, ['http/1.1']));
    await expectRefused('handshake', 2);
    await gone(tlsTo(watcher, undefined));
    await expectRefused('http2', 2);
    await gone(connectTcp(port, '127.0.0.1'));
    await expectRefused('handshake_timeout');
    expect(await statusOf(clientOf(watcher), STATUS)).toBe('OK');
  });

  test('clients that connect and leave without a call are refused nothing', async () => {
    const api = await start();
    const watcher = authority.issue('watcher');
    for (let i = 0; i < 10; i++) {
      const client = clientOf(watcher);
      await new Promise<void>((resolve, reject) => client.waitForReady(Date.now() + 10_000, (error) => (error ? reject(error) : resolve())));
      client.close();
      await gone(connectTcp(api.socketPath).on('connect', function (this: Socket) { this.end(); }));
    }
    await eventually(() => counters.connections.tls + counters.connections.unix === 0, { what: 'they have left' });
    expect([...counters.refused]).toEqual([]);
  });

  function tlsTo(files: CertificateFiles, alpn: string[] | undefined): Socket {
    const [ca, key, cert] = [authority.certificate, files.key, files.certificate].map((file) => readFileSync(file));
    return connectTls({ port, host: '127.0.0.1', ca, key, cert, ...(alpn === undefined ? {} : { ALPNProtocols: alpn }) });
  }

  function gone(socket: Socket): Promise<void> {
    socket.on('error', () => undefined).resume();
    return new Promise((resolve) => socket.once('close', () => resolve()));
  }

  test('nobody gets in by resuming a session', async () => {
    await start();
    const watcher = authority.issue('watcher');
    const [ca, key, cert] = [authority.certificate, watcher.key, watcher.certificate].map((file) => readFileSync(file));
    const options = { port, host: '127.0.0.1', ca, key, cert, ALPNProtocols: ['h2'] };
    const first = connectTls(options).resume();
    const session = await new Promise<Buffer>((resolve) => first.once('session', resolve));
    first.destroy();
    const second = connectTls({ ...options, session });
    await new Promise((resolve) => second.once('secureConnect', resolve));
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });

  test('too many connections: in all, and of one client', async () => {
    await start(settings({ limits: { connections: 3, connectionsPerClient: 2, requestsPerSecond: 1000 } }));
    const watcher = authority.issue('watcher');
    const seen = [];
    for (let i = 0; i < 3; i++) seen.push(await statusOf(clientOf(watcher), STATUS));
    expect(seen).toEqual(['OK', 'OK', 'UNAVAILABLE']);
    const lisa = authority.issue('lisa', { names: 'URI:spiffe://example.org/operators/lisa' });
    expect([await statusOf(clientOf(lisa), STATUS), await statusOf(clientOf(lisa), STATUS)]).toEqual(['OK', 'UNAVAILABLE']);
    expect(counters.refused.get('connections')).toBe(2);
    expect(counters.connections).toEqual({ unix: 0, tls: 3 });
  });

  test('too many requests: RESOURCE_EXHAUSTED, over all connections of the client, and nobody else', async () => {
    await start(settings({ limits: { connections: 8, connectionsPerClient: 4, requestsPerSecond: 5 } }));
    const watcher = authority.issue('watcher');
    const calls = [clientOf(watcher), clientOf(watcher)].flatMap((client) => Array.from({ length: 20 }, () => statusOf(client, STATUS)));
    const seen = await Promise.all(calls);
    expect(seen.filter((code) => code === 'OK').length).toBeGreaterThanOrEqual(10);
    expect(seen.filter((code) => code === 'RESOURCE_EXHAUSTED').length).toBe(counters.refused.get('request_rate'));
    const lisa = authority.issue('lisa', { names: 'URI:spiffe://example.org/operators/lisa' });
    expect(await statusOf(clientOf(lisa), STATUS)).toBe('OK');
  });

  test('a message that is too large, or is none', async () => {
    await start();
    const client = clientOf(authority.issue('noc', { names: 'DNS:noc.admin.example.net' }), { 'grpc.max_send_message_length': -1 });
    expect(await statusOf(client, APPLY, Buffer.alloc(100 * 1024 * 1024))).toBe('RESOURCE_EXHAUSTED');
    expect(counters.refused.get('message_size')).toBe(1);
    expect(await statusOf(client, APPLY, Buffer.from('ffffffff', 'hex'))).toBe('INTERNAL');
    expect(counters.refused.get('malformed')).toBe(1);
    expect(await statusOf(client, STATUS)).toBe('OK');
  });

  test('10,000 streams at once: the connection ends, others do not notice', async () => {
    await start();
    const other = clientOf(authority.issue('lisa', { names: 'URI:spiffe://example.org/operators/lisa' }));
    expect(await statusOf(other, STATUS)).toBe('OK');
    const watcher = authority.issue('watcher');
    const [ca, key, cert] = [authority.certificate, watcher.key, watcher.certificate].map((file) => readFileSync(file));
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, key, cert, peerMaxConcurrentStreams: 1_000_000 });
    session.on('error', () => undefined);
    await new Promise((resolve) => session.once('connect', resolve));
    const ended = new Promise((resolve) => session.once('close', resolve));
    for (let i = 0; i < 10_000; i++) {
      session.request({ ':method': 'POST', ':path': STATUS.path, 'content-type': 'application/grpc', te: 'trailers' }, { endStream: false }).on('error', () => undefined);
    }
    expect(await statusOf(other, STATUS)).toBe('OK');
    await ended;
    await expectRefused('http2');
  });
});

describe('rotation', () => {
  /** The certificate that a new connection is shown. */
  function shown(): Promise<string> {
    const ca = readFileSync(authority.certificate);
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.once('error', reject);
    });
  }

  test('a certificate that is replaced on disk is shown to the next client; connections live on', async () => {
    await start();
    const client = clientOf(authority.issue('watcher'));
    expect(await statusOf(client, STATUS)).toBe('OK');
    const before = await shown();
    authority.issue('own', { names: 'DNS:localhost,IP:127.0.0.1' });
    await eventually(async () => (await shown()) !== before, { what: 'the new one is shown' });
    expect(counters.connections.tls).toBeGreaterThan(0);
    expect(await statusOf(client, STATUS)).toBe('OK');
  });

  test.each([
    ['garbage', () => writeFileSync(own.certificate, 'no certificate')],
    ['a key of another certificate', () => writeFileSync(own.key, readFileSync(authority.issue('other').key))],
    ['nothing', () => rmSync(own.key)],
  ])('%s in its place: the one before is used, and it is a condition, a line in the log and a count until it is put right', async (_what, spoil) => {
    await start();
    const before = await shown();
    spoil();
    await eventually(() => counters.failedCertificateReads === 1, { what: 'it is noticed' });
    expect(await shown()).toBe(before);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    const client = clientOf(authority.issue('watcher'));
    expect(await conditions(client)).toEqual([expect.stringMatching(/^api\.tls: .*the certificate before is used$/)]);
    authority.issue('own', { names: 'DNS:localhost,IP:127.0.0.1' });
    await eventually(async () => (await conditions(client)).length === 0, { what: 'it is put right' });
  });

  async function conditions(client: Client): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const { path: method, requestSerialize, responseDeserialize } = STATUS;
      client.makeUnaryRequest(method, requestSerialize, responseDeserialize, {} as never, new Metadata(), {}, (error, answer) =>
        error === null ? resolve(answer?.conditions ?? []) : reject(error),
      );
    });
  }

  test('no good files at the start: nobody gets in until there are some', async () => {
    rmSync(own.certificate);
    await start();
    const client = clientOf(authority.issue('watcher'));
    expect(await statusOf(client, STATUS)).toBe('UNAVAILABLE');
    await expectRefused('not_ready');
    authority.issue('own', { names: 'DNS:localhost,IP:127.0.0.1' });
    await eventually(async () => (await statusOf(client, STATUS)) === 'OK', { what: 'the files are taken' });
  });

  test('files of a new configuration that are no good: refused, and everything is as before', async () => {
    const api = await start();
    const tls = { ...own, clientCa: '/nonexistent/ca.pem', crl: undefined };
    await expect(api.follow(settings({ tls }))).rejects.toMatchObject({ code: 'XM_TLS', message: expect.stringContaining('ENOENT') });
    expect(await statusOf(clientOf(authority.issue('watcher')), STATUS)).toBe('OK');
  });

  test('an address that is taken: refused, and everything is as before', async () => {
    const api = await start();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const listen = [{ host: '127.0.0.1', port: (other.address() as AddressInfo).port }];
    await expect(api.follow(settings({ listen }))).rejects.toMatchObject({ code: 'XM_ADDRESS_IN_USE' });
    other.close();
    expect(await statusOf(clientOf(authority.issue('watcher')), STATUS)).toBe('OK');
  });

  test('no listener any more: connections end', async () => {
    const api = await start();
    const client = clientOf(authority.issue('watcher'));
    expect(await statusOf(client, STATUS)).toBe('OK');
    await api.follow(settings({ listen: [] }));
    await eventually(() => counters.connections.tls === 0, { what: 'it is closed' });
    expect(await statusOf(client, STATUS)).toBe('UNAVAILABLE');
  });
});
