/**
 * Table, resolver and timer together, against a name server on loopback.
 */
import { EventEmitter, once } from 'node:events';
import type { SsmMappingSettings } from '../../../control/config/settings';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import { SsmMapper } from '../../../control/router/ssm-mapping';
import { RecordedLog } from '../api/recorded-log';
import { VirtualClock } from '../kernel/virtual-clock';
import { NameServer, type Reply } from './name-server';
import { ip, settings } from './scenario';

const GROUP = ip('232.1.2.3');
const addresses = (...list: readonly string[]): Reply => ({ kind: 'addresses', ttl: 60, addresses: list });

let server: NameServer;
let replies: Record<string, Reply>;
let clock: VirtualClock;
let told: EventEmitter;
let mapper: SsmMapper;

const withDns = (domain: string | undefined, dnsServers: readonly string[]): SsmMappingSettings => ({
  ...settings({ ...(domain === undefined ? {} : { domain }) }),
  dnsServers,
});

/** The next group that onMapped() tells of. */
async function nextMapped(): Promise<string> {
  const [group] = (await once(told, 'mapped')) as [number];
  return formatIpv4(group);
}

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  jest.advanceTimersByTime(ms);
}

beforeEach(async () => {
  // Only what the deadline driver uses: sockets and the resolver run on.
  jest.useFakeTimers({
    doNotFake: [
      'nextTick',
      'setImmediate',
      'clearImmediate',
      'queueMicrotask',
      'performance',
      'hrtime',
      'Date',
      'setInterval',
      'clearInterval',
    ],
  });
  replies = { '3.2.1.232.one.test': addresses('10.0.0.1'), '3.2.1.232.two.test': addresses('10.0.0.2') };
  server = await NameServer.start((name) => replies[name] ?? { kind: 'code', code: 3 });
  clock = new VirtualClock(1_000_000);
  told = new EventEmitter();
  mapper = new SsmMapper({
    settings: withDns('one.test', [server.address]),
    clock,
    log: new RecordedLog(),
    onMapped: (group) => told.emit('mapped', group),
    random: () => 0,
  });
});

afterEach(async () => {
  mapper.close();
  jest.useRealTimers();
  await server.close();
});

test('a join waits for DNS, is told, and then answered at once', async () => {
  expect(mapper.sourcesOf(GROUP)).toBe('pending');
  expect(await nextMapped()).toBe('232.1.2.3');
  expect(mapper.sourcesOf(GROUP)).toEqual([ip('10.0.0.1')]);
  expect(server.asked).toEqual(['3.2.1.232.one.test']);
  expect(mapper.snapshot()).toMatchObject({
    mapped: 1,
    questionsRunning: 0,
    counts: { misses: 1, hits: 1, questions: 1, answers: 1 },
  });
});

test('when the TTL is over the name is asked for again, by the timer', async () => {
  mapper.sourcesOf(GROUP);
  await nextMapped();
  replies['3.2.1.232.one.test'] = addresses('10.0.0.7');
  const mapped = nextMapped();
  await pass(60_000);
  await mapped;
  expect(mapper.sourcesOf(GROUP)).toEqual([ip('10.0.0.7')]);
});

test('a failure is tried again, by the timer', async () => {
  replies['3.2.1.232.one.test'] = { kind: 'code', code: 2 };
  mapper.sourcesOf(GROUP);
  while (mapper.snapshot().counts.failures === 0) await new Promise((resolve) => setImmediate(resolve));
  replies['3.2.1.232.one.test'] = addresses('10.0.0.1');
  const mapped = nextMapped();
  await pass(1_000);
  expect(await mapped).toBe('232.1.2.3');
});

test('another domain on a reload: the groups that are wanted are asked for there', async () => {
  mapper.sourcesOf(GROUP);
  await nextMapped();
  const mapped = nextMapped();
  mapper.setSettings(withDns('two.test', [server.address]));
  await mapped;
  expect(mapper.sourcesOf(GROUP)).toEqual([ip('10.0.0.2')]);
});

test('other servers on a reload: kept answers stay, and what was on its way is asked there', async () => {
  const silent = await NameServer.start(() => ({ kind: 'silence' }));
  mapper.sourcesOf(GROUP);
  await nextMapped();
  mapper.setSettings(withDns('one.test', [silent.address]));
  expect(mapper.sourcesOf(GROUP)).toEqual([ip('10.0.0.1')]);
  replies['4.2.1.232.one.test'] = addresses('10.0.0.4');
  expect(mapper.sourcesOf(ip('232.1.2.4'))).toBe('pending');
  const mapped = nextMapped();
  mapper.setSettings(withDns('one.test', [server.address]));
  expect(await mapped).toBe('232.1.2.4');
  expect(mapper.snapshot().counts.failures).toBe(0);
  await silent.close();
});

test('after close nothing is told and nothing waits', async () => {
  mapper.sourcesOf(GROUP);
  told.on('mapped', () => {
    throw new Error('told after close');
  });
  mapper.close();
  mapper.close();
  expect(jest.getTimerCount()).toBe(0);
  expect(mapper.sourcesOf(ip('232.1.2.4'))).toBeUndefined();
});
