import { parse } from 'yaml';

import { flowState, manyFlows, interfaceState, ip, membershipState, reportState, routeState } from '../api/fake-state';
import { CliUnderTest, linesOf } from './cli-under-test';

let cli: CliUnderTest;

beforeEach(async () => {
  cli = await new CliUnderTest().start();
});

afterEach(() => cli.close());

describe('JSON', () => {
  test('flows: one canonical document over all pages', async () => {
    cli.state.flowStates = [...manyFlows(5001), flowState({ source: 0, group: ip('239.255.0.1'), packets: 2n ** 64n - 1n })];
    const { stdout } = await cli.run(['flows', '-o', 'json']);
    const { flows } = JSON.parse(stdout) as { flows: Record<string, unknown>[] };
    expect(flows).toHaveLength(5002);
    expect(flows.at(-1)).toEqual({
      source: '*',
      group: '239.255.0.1',
      incomingInterface: 'eth0',
      outgoingInterfaces: ['eth1', 'eth2'],
      packets: '18446744073709551615',
      bytes: '1316000',
      replicatedPackets: '2000',
      replicatedBytes: '2632000',
      wrongInterfacePackets: '0',
      ttlDroppedPackets: '0',
      packetsPerSecond: 950.5,
      bitsPerSecond: 10_006_864,
      readTime: '2023-11-14T22:15:00Z',
      expectedPackets: '2000',
      failedPackets: '0',
      droppedPackets: '0',
      skippedPackets: '0',
    });
  });

  test('enums by name, durations as text, absent messages absent', async () => {
    cli.state.interfaceStates = [
      interfaceState({ name: 'eth0', role: 'upstream', querier: undefined, drops: new Map([['ttl', 1n]]) }),
    ];
    cli.state.membershipStates = [membershipState({ sources: [{ source: ip('10.0.0.5'), forwarded: false, timerMs: 0 }] })];
    const { interfaces } = JSON.parse((await cli.run(['-o', 'json', 'interfaces'])).stdout) as {
      interfaces: Record<string, unknown>[];
    };
    expect(interfaces[0]).toMatchObject({
      role: 'ROLE_UPSTREAM',
      mode: 'MODE_XDP',
      drops: { ttl: '1' },
      punts: {},
      txBytes: '0',
      problem: '',
    });
    expect(interfaces[0]).not.toHaveProperty('querier');
    const { memberships } = JSON.parse((await cli.run(['memberships', '-o', 'json'])).stdout) as {
      memberships: Record<string, unknown>[];
    };
    expect(memberships[0]).toMatchObject({
      filterMode: 'FILTER_MODE_EXCLUDE',
      expiresIn: '125.500s',
      sources: [{ source: '10.0.0.5', forwarded: false, expiresIn: '0s' }],
    });
  });

  test('an empty list is an empty list', async () => {
    expect(await cli.run(['routes', '-o', 'json'])).toEqual({ status: 0, stdout: '{\n  "routes": []\n}\n', stderr: '' });
  });

  test('status is the message itself', async () => {
    expect(JSON.parse((await cli.run(['status', '-o', 'json'])).stdout)).toMatchObject({
      version: '0.1.0-test',
      ready: true,
      routesRefused: '0',
    });
  });
});

describe('other formats', () => {
  beforeEach(() => {
    cli.state.flowStates = [
      flowState({ expectedPackets: 2_010n, failedPackets: 4n, droppedPackets: 3n, skippedPackets: 3n }),
      flowState({ group: ip('239.1.1.2'), packets: 2n ** 64n - 1n }),
    ];
  });

  test('wide: the table with every column', async () => {
    const [head, first] = await cli.cells('flows', '-o', 'wide');
    const cells = new Map(head?.map((title, index) => [title, first?.[index]]));
    expect(Object.fromEntries(cells)).toMatchObject({
      'COPY BYTES': '2.63 MB',
      EXPECTED: '2,010',
      'NOT SENT': '10',
      FAILED: '4',
      DROPPED: '3',
      SKIPPED: '3',
    });
    expect((await cli.run(['flows'])).stdout).not.toContain('SKIPPED');
  });

  test('yaml is the document of json, counters to the last digit', async () => {
    const json: unknown = JSON.parse((await cli.run(['flows', '-o', 'json'])).stdout);
    const { stdout } = await cli.run(['flows', '-o', 'yaml']);
    expect(parse(stdout)).toEqual(json);
    expect(stdout).toContain('packets: "18446744073709551615"');
  });

  test('jsonl has one entry in each line, and nothing for an empty list', async () => {
    const { flows } = JSON.parse((await cli.run(['flows', '-o', 'json'])).stdout) as { flows: unknown[] };
    expect((await cli.lines('flows', '-o', 'jsonl')).map((line): unknown => JSON.parse(line))).toEqual(flows);
    expect(await cli.run(['routes', '-o', 'jsonl'])).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(JSON.parse((await cli.run(['status', '-o', 'jsonl'])).stdout)).toMatchObject({ ready: true });
  });
});

describe('--sort', () => {
  async function order(noun: string, field: string, shown: string): Promise<unknown[]> {
    const { stdout } = await cli.run([noun, '-o', 'jsonl', '--sort', field]);
    return linesOf(stdout).map((line) => (JSON.parse(line) as Record<string, unknown>)[shown]);
  }

  test.each([
    ['rate', ['239.1.1.2', '239.1.1.10', '239.1.1.3']],
    ['packets', ['239.1.1.10', '239.1.1.2', '239.1.1.3']],
    ['not-sent', ['239.1.1.3', '239.1.1.2', '239.1.1.10']],
    ['source', ['239.1.1.3', '239.1.1.10', '239.1.1.2']],
    ['group', ['239.1.1.2', '239.1.1.3', '239.1.1.10']],
  ])('flows by %s', async (field, groups) => {
    cli.state.flowStates = [
      flowState({ group: ip('239.1.1.2'), bitsPerSecond: 3e9, packets: 2n ** 63n }),
      flowState({ group: ip('239.1.1.10'), bitsPerSecond: 5, packets: 2n ** 63n + 1n, source: ip('10.0.0.4') }),
      flowState({ group: ip('239.1.1.3'), bitsPerSecond: 4, packets: 3n, source: 0, failedPackets: 1n }),
    ];
    expect(await order('flows', field, 'group')).toEqual(groups);
  });

  test('memberships by hosts, and by what expires first', async () => {
    const groups = [1, 2, 3].map((last) => ip('239.1.1.0') + last);
    cli.state.membershipStates = [
      membershipState({ group: groups[0]!, isStatic: true, groupTimerMs: undefined, hosts: [] }),
      membershipState({ group: groups[1]!, groupTimerMs: 90_000, hosts: [] }),
      membershipState({ group: groups[2]!, groupTimerMs: 80_000 }),
    ];
    expect(await order('memberships', 'hosts', 'group')).toEqual(['239.1.1.3', '239.1.1.1', '239.1.1.2']);
    expect(await order('memberships', 'expires', 'group')).toEqual(['239.1.1.3', '239.1.1.2', '239.1.1.1']);
  });

  test('routes by outgoing interfaces, reports by sources', async () => {
    cli.state.routeStates = [routeState(), routeState({ group: ip('239.1.1.9'), outgoingInterfaces: ['eth1', 'eth2'] })];
    cli.state.reportStates = [
      reportState(),
      reportState({ group: ip('239.1.1.9'), filter: { mode: 'include', sources: [ip('10.0.0.5')] } }),
    ];
    expect(await order('routes', 'to', 'group')).toEqual(['239.1.1.9', '239.1.1.1']);
    expect(await order('reports', 'sources', 'group')).toEqual(['239.1.1.9', '239.1.1.1']);
  });

  test('it is no filter: an empty list is status 0', async () => {
    expect(await cli.run(['routes', '--sort', 'age'])).toMatchObject({ status: 0 });
    expect(await cli.run(['memberships', '--sort', 'age', '--hosts'])).toMatchObject({ status: 0 });
  });
});
