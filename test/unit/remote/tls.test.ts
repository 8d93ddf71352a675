/** A data plane and its controllers over TCP: who has which certificate may do what. */
import { status } from '@grpc/grpc-js';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { routeName } from '../../../control/mrib/route';
import { dataplaneServiceDefinition } from '../../../control/remote/definition';
import { openClient } from '../../../control/remote/open-client';
import { RemoteLinks } from '../../../control/remote/remote-links';
import { CertificateAuthority, type CertificateFiles } from '../../lab/certificates';
import { eventually } from '../../lab/eventually';
import { freePort } from '../../lab/free-port';
import { ip } from '../router/fakes';
import { closeAll, connect, serve, set, type Served } from './fakes';

jest.setTimeout(30_000);

let folder: string;
let authority: CertificateAuthority;
let server: CertificateFiles;
let controller: CertificateFiles;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'xmcast-remote-tls-'));
  authority = new CertificateAuthority(folder);
  server = authority.issue('server', { names: 'DNS:localhost,IP:127.0.0.1' });
  controller = authority.issue('controller');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(closeAll);

async function serveTcp(): Promise<Served & { readonly address: string }> {
  const port = await freePort();
  const tls = { certificate: server.certificate, key: server.key, clientCa: authority.certificate, crl: undefined };
  const limits = { connections: 16, connectionsPerClient: 8, requestsPerSecond: 1000 };
  const dataplaneRoles = [{ match: 'CN=controller', role: 'admin' }, { match: 'CN=reader', role: 'viewer' }] as const;
  const served = await serve(undefined, undefined, { listen: [{ host: '127.0.0.1', port }], tls, roles: dataplaneRoles, limits });
  return { ...served, address: `localhost:${port}` };
}
const tlsOf = (files: CertificateFiles) => ({ ca: authority.certificate, ...files });

test('a controller with the right name drives, and hears of links', async () => {
  const { address, dataplane, links } = await serveTcp();
  const { remote } = connect(address, { tls: tlsOf(controller) });
  await remote.whenUp(20_000);
  expect(remote.link).toMatchObject({ isUp: true, target: address });
  remote.applyRoutes([set(ip('10.0.0.1'), ip('239.1.1.1'))]);
  await eventually(() => dataplane.routes.has(routeName(ip('10.0.0.1'), ip('239.1.1.1'))), { what: 'the route is there' });
  const heard = RemoteLinks.open({ target: address, tls: tlsOf(controller) });
  await heard.whenComplete(20_000);
  expect(links.listeners).toBe(1);
  heard.close();
});

test.each<[string, () => CertificateFiles, RegExp]>([
  ['another name of the same authority', () => authority.issue('stranger'), /needs the role admin/],
  ['another authority', () => new CertificateAuthority(mkdtempSync(join(folder, 'other-')), 'other').issue('controller'), /./],
  ['no such file', () => ({ certificate: join(folder, 'missing.pem'), key: join(folder, 'missing.key') }), /certificates of this controller: .*ENOENT/],
])('%s: refused, said, and tried again', async (_, certificate, words) => {
  const { address, dataplane } = await serveTcp();
  const { remote } = connect(address, { tls: tlsOf(certificate()) });
  await eventually(() => remote.link.problem !== 'the connection is being made', { what: 'it was refused' });
  expect(remote.link.problem).toMatch(words);
  expect(remote.link.isUp).toBe(false);
  expect(dataplane.writes).toEqual([]);
});

test('a client that may read is told what there is, and may not drive', async () => {
  const { address, dataplane } = await serveTcp();
  const files = authority.issue('reader');
  const client = openClient({ target: address, tls: { ca: authority.certificate, ...files } });
  const { getDataplane, listPorts } = dataplaneServiceDefinition;
  const ask = ({ path }: { readonly path: string }): Promise<status> =>
    new Promise((resolve) => client.makeUnaryRequest(path, () => Buffer.alloc(0), (bytes) => bytes, {}, (error) => resolve(error?.code ?? status.OK)));
  expect([await ask(getDataplane), await ask(listPorts)]).toEqual([status.OK, status.OK]);
  client.close();
  const { remote } = connect(address, { tls: tlsOf(files) });
  await eventually(() => /needs the role admin/.test(remote.link.problem), { what: 'it may not drive' });
  expect(dataplane.writes).toEqual([]);
});

test('without a certificate there is no connection at all', async () => {
  const { address } = await serveTcp();
  const { remote } = connect(address);
  await eventually(() => remote.link.problem !== 'the connection is being made', { what: 'it was refused' });
  expect(remote.link.isUp).toBe(false);
});
