/**
 * The resolver against a name server on loopback: what it makes of each kind of answer.
 */
import { DnsResolver, type DnsAnswer } from '../../../control/kernel/dns';
import { NameServer, type Reply } from './name-server';
import { ip } from './scenario';

const REPLIES: Readonly<Record<string, Reply>> = {
  'two.test': { kind: 'addresses', ttl: 77, addresses: ['10.0.0.2', '10.0.0.1'] },
  'huge-ttl.test': { kind: 'addresses', ttl: 0xffffffff, addresses: ['10.0.0.1'] },
  'alias.test': { kind: 'alias', ttl: 30, target: 'real.test', address: '10.0.0.9' },
  'nobody.test': { kind: 'code', code: 3 },
  'empty.test': { kind: 'code', code: 0 },
  'servfail.test': { kind: 'code', code: 2 },
  'refused.test': { kind: 'code', code: 5 },
  'silent.test': { kind: 'silence' },
  'truncated.test': { kind: 'truncated' },
  'garbage.test': { kind: 'garbage' },
  'spoofed.test': { kind: 'other-question' },
};

let server: NameServer;
let resolver: DnsResolver;

beforeEach(async () => {
  server = await NameServer.start((name) => REPLIES[name] ?? { kind: 'code', code: 3 });
  resolver = new DnsResolver({ servers: [server.address], timeoutMs: 250, tries: 2 });
});

afterEach(async () => {
  resolver.close();
  await server.close();
});

test.each<[string, DnsAnswer]>([
  [
    'two.test',
    {
      kind: 'found',
      records: [
        { address: ip('10.0.0.2'), ttlMs: 77_000 },
        { address: ip('10.0.0.1'), ttlMs: 77_000 },
      ],
    },
  ],
  // RFC 2181 §8.
  ['huge-ttl.test', { kind: 'found', records: [{ address: ip('10.0.0.1'), ttlMs: 0 }] }],
  ['nobody.test', { kind: 'notFound' }],
  ['empty.test', { kind: 'notFound' }],
  ['servfail.test', { kind: 'failure', code: 'ESERVFAIL' }],
  ['refused.test', { kind: 'failure', code: 'EREFUSED' }],
  ['silent.test', { kind: 'failure', code: 'ETIMEOUT' }],
  // An answer to another question is none.
  ['spoofed.test', { kind: 'failure', code: 'ETIMEOUT' }],
  // Nobody listens for the second try, by TCP (RFC 7766 §5).
  ['truncated.test', { kind: 'failure', code: 'ECONNREFUSED' }],
])('%s', async (name, answer) => {
  expect(await resolver.resolve4(name)).toEqual(answer);
});

test('an alias holds no longer than itself', async () => {
  expect(await resolver.resolve4('alias.test')).toEqual({ kind: 'found', records: [{ address: ip('10.0.0.9'), ttlMs: 30_000 }] });
});

test('nonsense is a failure', async () => {
  expect(await resolver.resolve4('garbage.test')).toMatchObject({ kind: 'failure' });
});

test('nothing is kept here: each question is asked', async () => {
  await resolver.resolve4('two.test');
  await resolver.resolve4('two.test');
  expect(server.asked).toEqual(['two.test', 'two.test']);
});

test('64 questions at once', async () => {
  const answers = await Promise.all(Array.from({ length: 64 }, () => resolver.resolve4('two.test')));
  expect(answers.filter(({ kind }) => kind === 'found')).toHaveLength(64);
});

test('close ends what is on its way, and nothing is asked after it', async () => {
  const slow = new DnsResolver({ servers: [server.address], timeoutMs: 60_000, tries: 1 });
  const question = slow.resolve4('silent.test');
  slow.close();
  slow.close();
  expect(await question).toEqual({ kind: 'failure', code: 'ECANCELLED' });
  expect(await slow.resolve4('two.test')).toEqual({ kind: 'failure', code: 'ECANCELLED' });
  expect(server.asked).not.toContain('two.test');
});

test('of two servers the one that answers is enough', async () => {
  const silent = await NameServer.start(() => ({ kind: 'silence' }));
  const both = new DnsResolver({ servers: [silent.address, server.address], timeoutMs: 250 });
  expect(await both.resolve4('two.test')).toMatchObject({ kind: 'found' });
  both.close();
  await silent.close();
});
