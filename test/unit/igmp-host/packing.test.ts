/** RFC 3376 §4.2.16: how many packets it takes, and what does not fit into one. */
import { buildIgmpPacket } from '../../../control/protocol/igmp/encode';
import type { GroupRecord } from '../../../control/protocol/igmp/message';
import { HostScenario, ip, type Sent } from './scenario';

const BASE = ip('239.2.0.0');
/** IP header with Router Alert, report header; each record is 8 bytes and 4 for each source. */
const HEADERS = 24 + 8;

function join(host: HostScenario, groups: number): HostScenario {
  for (let index = 0; index < groups; index += 1) host.want('EXCLUDE()', BASE + index);
  return host;
}

function recordsOf(sent: readonly Pick<Sent, 'message'>[]): GroupRecord[] {
  return sent.flatMap(({ message }) => (message.kind === 'report-v3' ? message.records : []));
}

function sizes(sent: readonly Sent[]): number[] {
  return sent.map((packet) => buildIgmpPacket(packet).length);
}

const manySources = (count: number) => Array.from({ length: count }, (_, index) => ip('10.0.0.1') + index);

describe('5,000 groups', () => {
  const packets = Math.ceil(5_000 / Math.floor((1_500 - HEADERS) / 8));
  const bytes = packets * HEADERS + 5_000 * 8;

  function expectFew(sent: readonly Sent[], type: number): void {
    expect(sent).toHaveLength(packets);
    expect(sizes(sent).reduce((one, other) => one + other)).toBe(bytes);
    expect(Math.max(...sizes(sent))).toBeLessThanOrEqual(1_500);
    const records = recordsOf(sent);
    expect(new Set(records.map(({ group }) => group)).size).toBe(5_000);
    expect(new Set(records.map((record) => record.type))).toEqual(new Set([type]));
  }

  test('joined in one turn: 28 packets, and as many in each repetition', () => {
    expect(packets).toBe(28);
    const host = join(HostScenario.up(), 5_000).endTurn();
    expectFew(host.takeSent(), 4);
    host.after(499).expectSent().after(1);
    expectFew(host.takeSent(), 4);
    expect(host.machine.nextDeadline()).toBeUndefined();
  });

  test('a general query: one timer, 28 packets', () => {
    const host = join(HostScenario.up(), 5_000).at(10_000);
    host.takeSent();
    host.ask().at(15_001);
    expectFew(host.takeSent(), 2);
  });

  test('a link that returns: 28 packets, once for each of the robustness', () => {
    const host = join(HostScenario.up(), 5_000).at(10_000).linkDown().linkUp();
    host.takeSent();
    host.endTurn();
    expectFew(host.takeSent(), 4);
    expectFew(host.after(60_000).takeSent(), 4);
  });

  test('left in one turn', () => {
    const host = join(HostScenario.up(), 5_000).at(10_000);
    host.takeSent();
    for (let index = 0; index < 5_000; index += 1) host.want('nothing', BASE + index);
    expectFew(host.endTurn().takeSent(), 3);
  });
});

describe('a record larger than a packet', () => {
  const mtu = HEADERS + 8 + 10 * 4;

  function sendOne(mode: 'include' | 'exclude', count: number): HostScenario {
    return HostScenario.up({ mtu, robustness: 2 }).input({
      kind: 'wanted',
      group: BASE,
      filter: { mode, sources: manySources(count) },
    });
  }

  test('ALLOW and IS_IN are split, each source once', () => {
    const host = sendOne('include', 25).endTurn();
    const allow = host.takeSent();
    expect(recordsOf(allow).map(({ type, sources }) => [type, sources.length])).toEqual([
      [5, 10],
      [5, 10],
      [5, 5],
    ]);
    expect(recordsOf(allow).flatMap(({ sources }) => sources)).toEqual(manySources(25));
    host.at(10_000).takeSent();
    host.ask().after(10_000);
    expect(recordsOf(host.takeSent()).map(({ type, sources }) => [type, sources.length])).toEqual([
      [1, 10],
      [1, 10],
      [1, 5],
    ]);
  });

  test('TO_IN is split', () => {
    const host = sendOne('exclude', 0).at(10_000);
    host.takeSent();
    host.input({ kind: 'wanted', group: BASE, filter: { mode: 'include', sources: manySources(25) } }).endTurn();
    expect(recordsOf(host.takeSent()).map(({ type, sources }) => [type, sources.length])).toEqual([
      [3, 10],
      [3, 10],
      [3, 5],
    ]);
  });

  test('BLOCK is split', () => {
    const host = sendOne('include', 25).at(10_000).want('nothing', BASE);
    host.takeSent();
    expect(recordsOf(host.endTurn().takeSent()).map(({ type, sources }) => [type, sources.length])).toEqual([
      [6, 10],
      [6, 10],
      [6, 5],
    ]);
  });

  test('TO_EX and IS_EX are cut, to the same sources every time', () => {
    const host = sendOne('exclude', 25).at(10_000).ask().at(60_000);
    const records = recordsOf(host.takeSent());
    expect(records.map(({ type }) => type)).toEqual([4, 4, 2]);
    for (const { sources } of records) expect(sources).toEqual(manySources(10));
  });

  test('no packet is larger than the link allows', () => {
    const host = sendOne('include', 25).at(10_000).ask().at(60_000);
    for (const size of sizes(host.takeSent())) expect(size).toBeLessThanOrEqual(mtu);
  });
});

describe('10,000 groups', () => {
  test('a change of one is a packet with one record', () => {
    const host = join(HostScenario.up(), 10_000).at(60_000);
    host.takeSent();
    host
      .want('INCLUDE(a)', BASE + 5_000)
      .at(120_000)
      .expectSent('TO_IN(a) 239.2.19.136 @60000', 'TO_IN(a) 239.2.19.136 @60500');
  });

  test('each changed at its own time is repeated at its own time', () => {
    const host = HostScenario.up();
    for (let index = 0; index < 10_000; index += 1) host.at(index).want('EXCLUDE()', BASE + index);
    const times = new Map<number, number[]>();
    for (const { atMs, message } of host.at(60_000).takeSent()) {
      for (const { group } of recordsOf([{ message }])) times.set(group, [...(times.get(group) ?? []), atMs]);
    }
    expect(times.size).toBe(10_000);
    const atOtherTimes = [...times].filter(([group, [join, repeat]]) => join !== group - BASE || repeat !== group - BASE + 500);
    expect(atOtherTimes).toEqual([]);
  });
});
