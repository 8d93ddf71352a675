/** The kernel's files of its own memberships, as Linux writes them (net/ipv4/igmp.c). */
import { endianness } from 'node:os';
import { parseHostGroups } from '../../../control/kernel/host-groups';
import { parseIpv4 } from '../../../control/protocol/packet/address';

const ip = (text: string): number => parseIpv4(text) ?? -1;

/** As the CPU of this machine sees the four bytes. */
function word(address: string): string {
  const bytes = address.split('.').map(Number);
  const ordered = endianness() === 'LE' ? bytes.reverse() : bytes;
  return Buffer.from(ordered).toString('hex').toUpperCase();
}

function igmp(...groups: readonly (readonly [number, string, string, number])[]): string {
  const lines = ['Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter'];
  for (const [ifindex, device, group, users] of groups) {
    lines.push(`${ifindex}\t${device.padEnd(10)}:     2      V3`, `\t\t\t\t${word(group)} ${String(users).padStart(5)} 0:00000000\t\t0`);
  }
  return `${lines.join('\n')}\n`;
}

function mcfilter(...filters: readonly (readonly [number, string, string, number, number])[]): string {
  const hex = (address: string): string => `0x${ip(address).toString(16).padStart(8, '0')}`;
  const lines = filters.map(
    ([ifindex, group, source, included, excluded]) => `${String(ifindex).padStart(3)} ${'lan1'.padStart(6)} ${hex(group)} ${hex(source)} ${String(included).padStart(6)} ${String(excluded).padStart(6)}`,
  );
  return `${['Idx Device        MCA        SRC    INC    EXC', ...lines].join('\n')}\n`;
}

test('groups by interface', () => {
  const found = parseHostGroups(igmp([1, 'lo', '224.0.0.1', 1], [12, 'lan1', '239.1.2.3', 2], [345, 'a-long-name.123', '239.1.2.4', 1]), mcfilter());
  expect(found).toEqual([
    { ifindex: 1, interfaceName: 'lo', group: ip('224.0.0.1'), sources: [] },
    { ifindex: 12, interfaceName: 'lan1', group: ip('239.1.2.3'), sources: [] },
    { ifindex: 345, interfaceName: 'a-long-name.123', group: ip('239.1.2.4'), sources: [] },
  ]);
});

test.each([
  { name: 'one socket that names sources wants those', users: 1, group: '239.1.1.1', filters: [['10.0.0.1', 1, 0], ['10.0.0.2', 1, 0]], sources: ['10.0.0.1', '10.0.0.2'] },
  { name: 'two sockets that name the same source want that', users: 2, group: '239.1.1.1', filters: [['10.0.0.1', 2, 0]], sources: ['10.0.0.1'] },
  { name: 'of two sockets one may want every source', users: 2, group: '239.1.1.1', filters: [['10.0.0.1', 1, 0]], sources: [] },
  { name: 'not in 232/8', users: 2, group: '232.1.1.1', filters: [['10.0.0.1', 1, 0], ['10.0.0.2', 1, 0]], sources: ['10.0.0.1', '10.0.0.2'] },
  { name: 'a socket that excludes a source wants every other one', users: 1, group: '239.1.1.1', filters: [['10.0.0.1', 0, 1]], sources: [] },
] as const)('sources: $name', ({ users, group, filters, sources }) => {
  const found = parseHostGroups(igmp([3, 'lan1', group, users]), mcfilter(...filters.map(([source, included, excluded]) => [3, group, source, included, excluded] as const)));
  expect(found).toEqual([{ ifindex: 3, interfaceName: 'lan1', group: ip(group), sources: sources.map(ip) }]);
});

test('anything else is no group', () => {
  expect(parseHostGroups('', '')).toEqual([]);
  expect(parseHostGroups('Idx\tDevice\n\t\t\t\tZZ 1 0:0\n\t\t\t\t010101EF x 0\n', 'a b c\n')).toEqual([]);
});
