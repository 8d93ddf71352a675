/** --target and its environment: over the unix socket, and over TCP with certificates. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';

import { EXIT } from '../../../control/cli/failure';
import { readTarget } from '../../../control/cli/options';
import { CertificateAuthority, type CertificateFiles } from '../../lab/certificates';
import { freePort } from '../../lab/free-port';
import { CliUnderTest, type Outcome } from './cli-under-test';

jest.setTimeout(30_000);

let cli: CliUnderTest;
let authority: CertificateAuthority;
let viewer: CertificateFiles;
let port: number;

beforeAll(async () => {
  cli = new CliUnderTest();
  authority = new CertificateAuthority(cli.folder);
  const own = authority.issue('own', { names: 'DNS:router.example.net' });
  viewer = authority.issue('viewer');
  port = await freePort();
  await cli.start({
    listen: [{ host: '127.0.0.1', port }],
    tls: { ...own, clientCa: authority.certificate, crl: undefined },
    roles: [{ match: 'CN=viewer', role: 'viewer' }],
    limits: { connections: 8, connectionsPerClient: 8, requestsPerSecond: 100 },
  });
});
afterAll(() => cli.close());

const NAME = ['--tls-server-name', 'router.example.net'];

function files(of: CertificateFiles, ca = authority.certificate): string[] {
  return ['--tls-ca', ca, '--tls-cert', of.certificate, '--tls-key', of.key];
}

function remote(argv: readonly string[]): Promise<Outcome> {
  return cli.run(['--target', `127.0.0.1:${port}`, ...argv]);
}

test.each([
  ['unix:///run/x.sock', { name: 'unix:/run/x.sock', place: { path: '/run/x.sock' } }],
  ['unix:relative', { name: 'unix:relative', place: { path: 'relative' } }],
  ['router.example.net:9470', { name: 'router.example.net:9470', place: { host: 'router.example.net', port: 9470 } }],
  ['[::1]:1', { name: '[::1]:1', place: { host: '::1', port: 1 } }],
])('%s is a target', (text, target) => expect(readTarget(text)).toEqual(target));

test.each(['', 'unix:', 'router', 'router:0', 'router:65536', '::1:9470', 'http://router:80', 'a b:1'])('%p is none', (text) => {
  expect(() => readTarget(text)).toThrow('is no target');
});

test('over TCP, by options and by environment', async () => {
  expect(await remote([...files(viewer), ...NAME, 'status'])).toMatchObject({ status: EXIT.ok, stderr: '' });
  const env = {
    XMCAST_TARGET: `127.0.0.1:${port}`,
    XMCAST_TLS_CA: authority.certificate,
    XMCAST_TLS_CERT: viewer.certificate,
    XMCAST_TLS_KEY: viewer.key,
    XMCAST_TLS_SERVER_NAME: 'router.example.net',
  };
  expect(await cli.run(['status', '-o', 'json'], { env })).toMatchObject({ status: EXIT.ok, stderr: '' });
});

test('a certificate that is missing, or cannot be read: usage, and which', async () => {
  expect(await remote(['status'])).toMatchObject({ status: EXIT.usage, stderr: expect.stringContaining('give --tls-ca') });
  const gone = await remote(['--tls-ca', '/nonexistent', ...files(viewer).slice(2), 'status']);
  expect(gone).toMatchObject({ status: EXIT.usage, stderr: expect.stringContaining('--tls-ca: read /nonexistent: ENOENT') });
});

test('a role that is not enough', async () => {
  const refused = await remote([...files(viewer), ...NAME, 'config', 'confirm']);
  // The server under test has no ConfigService; the refusal of a method there is comes from the daemon's tests.
  expect(refused.status).toBe(EXIT.error);
  const stranger = authority.issue('stranger');
  expect(await remote([...files(stranger), ...NAME, 'status'])).toMatchObject({
    status: EXIT.denied,
    stderr: expect.stringContaining('needs the role viewer'),
  });
});

test('a router of another name, nobody there, a certificate that is not taken', async () => {
  expect(await remote([...files(viewer), 'status'])).toMatchObject({ status: EXIT.unavailable, stderr: expect.stringContaining('--tls-server-name') });
  const nobody = await cli.run(['--target', '127.0.0.1:1', ...files(viewer), 'status']);
  expect(nobody).toMatchObject({ status: EXIT.unavailable, stderr: expect.stringContaining('ECONNREFUSED, nobody listens there') });
  const other = path.join(cli.folder, 'other.pem');
  writeFileSync(other, 'nonsense');
  expect((await remote([...files({ ...viewer, certificate: other }), ...NAME, 'status'])).status).toBe(EXIT.error);
});
