/** /proc/net/igmp as the kernel writes it, read on a little-endian machine. */
import { parseJoinedGroups } from '../../lab/kernel-multicast';

const PROC_NET_IGMP = [
  'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter',
  '1\tlo        :     1      V3',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '2\tup        :     3      V2',
  '\t\t\t\t010102EF     1 0:00000000\t\t1',
  '\t\t\t\t160000E0     1 0:00000000\t\t0',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '3\tdown      :     2      V3',
  '\t\t\t\t0A0B0CEF     1 0:00000000\t\t0',
  '\t\t\t\t010000E0     1 0:00000000\t\t0',
  '',
].join('\n');

test('groups of one interface, all-hosts left out', () => {
  expect(parseJoinedGroups(PROC_NET_IGMP, 'up')).toEqual(['239.2.1.1', '224.0.0.22']);
  expect(parseJoinedGroups(PROC_NET_IGMP, 'down')).toEqual(['239.12.11.10']);
});

test('an interface without groups, or that is not there, has none', () => {
  expect(parseJoinedGroups(PROC_NET_IGMP, 'lo')).toEqual([]);
  expect(parseJoinedGroups(PROC_NET_IGMP, 'u')).toEqual([]);
});
