/** What applications of the machine itself join: routes, reports and limits that follow from it. */
import type { HostGroup } from '../../../control/kernel/host-groups';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import { ip, settle } from './fakes';
import { configOf, G, join, world, type Config } from './proxy-world';

afterEach(() => jest.useRealTimers());

/** By ifindex. */
const NAMES: Readonly<Record<number, string>> = { 10: 'up0', 11: 'lan1' };

describe('groups of this machine', () => {
  const config = (names: readonly string[]): Config => ({
    interfaces: names.map((name) => ({ name, upstream: name === 'up0', joinGroups: name === 'up0' ? [{ group: '239.1.1.1' }, { group: '232.1.1.1', sources: ['10.100.1.20'] }] : [] })),
  });

  test('are joined in the kernel, and what comes in by that interface is handed to applications, whoever else wants it', async () => {
    const joined: string[] = [];
    const groups: HostGroup[] = [];
    const w = await world(config(['up0', 'lan1']), {
      readHostGroups: () => Promise.resolve([...groups]),
      joinOnHost: ({ interfaceName, address, group, sources }) => {
        const name = `${interfaceName} ${formatIpv4(address)} ${formatIpv4(group)} ${sources.length}`;
        joined.push(`join ${name}`);
        groups.push({ ifindex: 10, interfaceName, group, sources });
        return Promise.resolve({ close: () => void joined.push(`leave ${name}`) });
      },
    });
    await settle();
    expect(joined).toEqual(['join up0 10.100.1.1 239.1.1.1 0', 'join up0 10.100.1.1 232.1.1.1 1']);
    expect([...w.dataplane.routes.values()]).toMatchObject([
      { source: 0, group: G, outgoing: [], local: [w.vport('up0')] },
      { source: ip('10.100.1.20'), group: ip('232.1.1.1'), outgoing: [], local: [w.vport('up0')] },
    ]);
    w.punt('lan1', join());
    w.data('up0', '10.100.1.20', 'new_source');
    expect(w.dataplane.routes.get(`${ip('10.100.1.20')}/${G}`)).toMatchObject({ outgoing: [w.vport('lan1')], local: [w.vport('up0')] });
    w.kernel.set('up0', { ifindex: 10, address: '10.100.1.1', up: false });
    await settle();
    expect(joined.slice(2).sort()).toEqual(['leave up0 10.100.1.1 232.1.1.1 1', 'leave up0 10.100.1.1 239.1.1.1 0']);
  });

  test('that the kernel refuses are tried again', async () => {
    let isRefused = true;
    let held = 0;
    const w = await world(config(['up0']), { joinOnHost: () => (isRefused ? Promise.reject(new Error('ENODEV')) : Promise.resolve({ close: () => held-- }).finally(() => held++)) });
    await settle();
    expect(held).toBe(0);
    isRefused = false;
    await w.state.refreshCounters();
    await settle();
    expect(held).toBe(2);
  });

  test('that an application has joined make it a member like hosts: the stream goes there, and is asked for upstream', async () => {
    let groups: readonly HostGroup[] = [];
    const w = await world(configOf(['up0', 'lan1', 'lan2']), { readHostGroups: () => Promise.resolve(groups) });
    w.reports('up0');
    groups = [{ ifindex: 11, interfaceName: NAMES[11] ?? 'other0', group: G, sources: [] }, { ifindex: 11, interfaceName: NAMES[11] ?? 'other0', group: ip('224.0.0.251'), sources: [] }, { ifindex: 77, interfaceName: NAMES[77] ?? 'other0', group: G, sources: [] }];
    // The kernel's own report, as it leaves.
    w.router.punted([{ class: 'igmp_report', vport: w.vport('lan1'), frame: new Uint8Array(64), frameBytes: 64, hostHasIt: true }]);
    await settle();
    expect([...w.dataplane.routes.values()]).toMatchObject([{ source: 0, group: G, outgoing: [w.vport('lan1')], local: [w.vport('lan1')] }]);
    expect(w.reports('up0')).toEqual(['TO_EX 239.1.1.1{}']);
    groups = [{ ifindex: 11, interfaceName: NAMES[11] ?? 'other0', group: G, sources: [ip('10.100.1.9')] }];
    await w.state.refreshCounters();
    await settle();
    expect(w.routes()).toEqual(['10.100.1.9 up0 → lan1']);
    groups = [];
    await w.state.refreshCounters();
    await settle();
    expect(w.routes()).toEqual([]);
  });

  test('on an upstream are reported by its kernel, not by the router as well', async () => {
    const groups = [{ ifindex: 10, interfaceName: NAMES[10] ?? 'other0', group: G, sources: [] }];
    const w = await world(configOf(['up0', 'lan1']), { readHostGroups: () => Promise.resolve(groups) });
    await settle();
    expect([...w.dataplane.routes.values()]).toMatchObject([{ source: 0, group: G, outgoing: [], local: [w.vport('up0')] }]);
    expect(w.reports('up0')).toEqual([]);
  });

  test('are followed as far as the limit, and those first that were there before', async () => {
    let groups: readonly HostGroup[] = Array.from({ length: 1000 }, (_, i) => ({ ifindex: 10, interfaceName: NAMES[10] ?? 'other0', group: G + i, sources: [] }));
    const w = await world(configOf(['up0', 'lan1']), { readHostGroups: () => Promise.resolve(groups) });
    await settle();
    groups = [...Array.from({ length: 1000 }, (_, i) => ({ ifindex: 10, interfaceName: NAMES[10] ?? 'other0', group: ip('239.0.0.0') + i, sources: [] })), ...groups];
    await w.state.refreshCounters();
    await settle();
    expect(w.routes()).toHaveLength(1024);
    expect(w.router.mrib.wantedRoute(0, G + 999)).toBeDefined();
  });
});
