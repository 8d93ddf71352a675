/**
 * Clients of the API that mean no good, while another one works and a stream passes.
 *
 *     source ── up0 [xmcastd] lan1 ── viewer
 *                             lan2 ── attacker → 10.1.2.1:9470
 *                             lan3 ── orchestrator → 10.1.2.1:9470
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { CertificateAuthority, type CertificateFiles } from '../lab/certificates';
import { type Daemon, sample } from '../lab/daemon';
import { eventually } from '../lab/eventually';
import { inRepository } from '../lab/repository';
import { createStar, SOURCE, type Star } from '../lab/star';

jest.setTimeout(180_000);

const G = '239.1.1.1';
const [HOST, PORT] = ['10.1.2.1', '9470'];
/** A machine with two cores and other tests on it needs some of that; a client that has to wait for an attack needs all of it. */
const SLOWEST_MS = 3000;

let star: Star;
let daemon: Daemon;
let authority: CertificateAuthority;
let good: CertificateFiles;
let bad: CertificateFiles;

beforeAll(async () => {
  star = await createStar('hostile-clients', [{ name: 'viewer' }, { name: 'attacker' }, { name: 'orchestrator' }]);
  authority = new CertificateAuthority(star.lab.directory);
  const own = authority.issue('own', { names: `IP:${HOST}` });
  good = authority.issue('good', { names: 'URI:spiffe://lab/orchestrator' });
  bad = authority.issue('bad', { names: 'URI:spiffe://lab/nosy' });
  daemon = await star.start({
    api: {
      socket: join(star.lab.directory, 'router.sock'),
      listen: [`${HOST}:${PORT}`],
      tls: { certificate: own.certificate, key: own.key, client_ca: authority.certificate },
      roles: [{ match: 'spiffe://lab/orchestrator', role: 'admin' }, { match: 'spiffe://lab/*', role: 'viewer' }],
    },
  });
});
afterAll(async () => star?.lab.close());

function attackerOf(attack: string, files: CertificateFiles) {
  const argv = [inRepository('build/test/e2e/api-attacker.js'), attack, HOST, PORT, authority.certificate, files.certificate, files.key];
  return star.lab.spawn(star.hosts[1], [process.execPath, '--no-deprecation', ...argv], { name: attack });
}

/** Runs an attack to its end. */
async function attacked(attack: string, files: CertificateFiles): Promise<Record<string, number>> {
  const attacker = attackerOf(attack, files);
  expect({ ...(await attacker.exited), stderr: attacker.stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  return JSON.parse(attacker.stdout) as Record<string, number>;
}

async function refused(...reasons: readonly string[]): Promise<number> {
  const text = await daemon.metrics();
  return reasons.reduce((sum, reason) => sum + (sample(text, 'xmcast_api_refused_total', { reason }) ?? 0), 0);
}

test('each is refused and counted; the client that behaves is answered, and the stream loses nothing', async () => {
  const [viewer, , orchestrator] = star.hosts;
  if (viewer === undefined || orchestrator === undefined) throw new Error('no hosts');
  const receiver = await star.lab.receiver(viewer, { joins: [G] });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500 });
  const flow = () => receiver.flow({ group: G, streamId: sender.streamId });
  await eventually(async () => (await flow()).received > 100, { what: 'the stream arrives' });
  const callerArgv = [inRepository('build/test/e2e/api-caller.js'), HOST, PORT, authority.certificate, good.certificate, good.key];
  const caller = star.lab.spawn(orchestrator, [process.execPath, ...callerArgv], { name: 'caller' });
  await eventually(() => caller.stdout.includes('calling'), { what: 'the first call is answered', timeoutMs: 20_000 });

  expect(await attacked('no-certificate', bad)).toEqual({ UNAVAILABLE: 10 });
  expect(await refused('no_certificate')).toBeGreaterThan(0);
  expect(await attacked('wrong-role', bad)).toEqual({ PERMISSION_DENIED: 500 });
  expect(await refused('permission')).toBe(500);
  // Larger ones from whom may not apply at all are not even looked at.
  expect(await attacked('large-messages', good)).toEqual({ RESOURCE_EXHAUSTED: 5 });
  expect(await refused('message_size')).toBe(5);
  expect(await attacked('streams', bad)).toEqual({ closed: 1 });
  expect(await refused('http2')).toBe(1);
  expect(await attacked('bytes', bad)).toEqual({ closed: 45 });
  // A few begin like the hello of an older version that promises more bytes, which are waited for.
  expect(await refused('http2', 'handshake', 'handshake_rate', 'handshake_timeout')).toBe(46);

  caller.signal('SIGTERM');
  expect(await caller.exited).toEqual({ code: 0, signal: null });
  const { calls, failed, slowestMs } = JSON.parse(caller.stdout.split('\n')[1] ?? '') as Record<string, number>;
  expect({ failed, isFast: (slowestMs ?? Number.NaN) < SLOWEST_MS, slowestMs }).toMatchObject({ failed: 0, isFast: true });
  expect(calls).toBeGreaterThan(20);
  const { sent } = await sender.stop();
  await eventually(async () => (await flow()).lastSequence === sent - 1, { what: 'the last packet has arrived' });
  expect(await flow()).toMatchObject({ lost: 0, duplicated: 0, corrupted: 0 });
});

test('a reload follows roles and listeners at once; a certificate that cannot be read is refused, and everything is as before', async () => {
  const file = join(star.lab.directory, 'router.yaml');
  const written = parse(readFileSync(file, 'utf8')) as { readonly api: Record<string, unknown> };
  const reload = async (api: Record<string, unknown>, said: string): Promise<void> => {
    const before = daemon.process.stdout.length;
    writeFileSync(file, stringify({ ...written, api: { ...written.api, ...api } }));
    daemon.process.signal('SIGHUP');
    await eventually(() => daemon.process.stdout.slice(before).includes(said), { what: said });
  };
  const status = async (): Promise<string> => {
    const files = ['--tls-ca', authority.certificate, '--tls-cert', good.certificate, '--tls-key', good.key];
    const ctl = star.lab.spawn(star.hosts[2], [inRepository('deploy/bin/xmcastctl'), '--target', `${HOST}:${PORT}`, ...files, 'status']);
    const { code } = await ctl.exited;
    return code === 0 ? 'ok' : ctl.stderr;
  };
  expect(await status()).toBe('ok');
  await reload({ roles: [] }, 'reloaded');
  expect(await status()).toContain('needs the role viewer; this client has no role');
  await reload({ tls: { certificate: '/nonexistent', key: '/nonexistent', client_ca: '/nonexistent' } }, 'read /nonexistent: ENOENT');
  expect(await status()).toContain('needs the role viewer');
  await reload({ listen: [] }, 'reloaded');
  expect(await status()).toContain('ECONNREFUSED');
  await reload({}, 'reloaded');
  expect(await status()).toBe('ok');
});
