/**
 * One interface with everything that is known of it: its status line by line, then its counters by reason.
 */
import type { xmcast } from '#proto';

import { fromWire, fromWireMap, type WireUint64 } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { groupsOf, modeText, querierText, remarksOf, roleText, statusText } from './format-interfaces';
import { type Column, PLAIN, printable, renderPairs, renderTable, type TableStyle } from './table';
import { formatBytes, formatCount, formatDuration } from './units';

type Interface = xmcast.v1.Interface.$Properties;
type CounterMap = Readonly<Record<string, WireUint64>> | null | undefined;
type Pair = readonly [name: string, value: string];

export function formatInterfaceSheet(entry: Interface, style: TableStyle = PLAIN): string {
  const pairs = [...linkPairs(entry), ...igmpPairs(entry), ...trafficPairs(entry)];
  const remarks = remarksOf(entry).map((text) => `  ! ${printable(text)}\n`);
  const counters = formatCounters(entry, style);
  return renderPairs(pairs) + remarks.join('') + (counters === '' ? '' : `\n${counters}`);
}

function linkPairs(entry: Interface): readonly Pair[] {
  const addresses = entry.addresses ?? [];
  return [
    ['Name', entry.name ?? ''],
    ['Role', roleText(entry)],
    ['Status', statusText(entry)],
    ['Mode', modeText(entry)],
    ['VLAN', entry.vlanId ? `${entry.vlanId} of ${entry.parent ?? ''}` : '-'],
    ['Interface index', entry.ifindex ? String(entry.ifindex) : '-'],
    ['MAC address', entry.macAddress || '-'],
    ['MTU', String(entry.mtu ?? 0)],
    ['Addresses', addresses.join(' ') || '-'],
    // IGMP is sent from the first address of the interface.
    ['Source address', addresses[0]?.split('/')[0] ?? '-'],
    ['Alternative subnets', (entry.alternativeSubnets ?? []).join(' ') || '-'],
    ['TTL threshold', String(entry.ttlThreshold ?? 0)],
  ];
}

function igmpPairs(entry: Interface): readonly Pair[] {
  const { igmpHost } = entry;
  if (igmpHost === null || igmpHost === undefined) {
    return [
      ['Querier', querierText(entry)],
      ['IGMP version', String(entry.igmpVersion ?? 0)],
      ['Forwards to hosts', entry.forwardsToHosts === true ? 'yes' : 'no'],
      ['Groups', formatCount(BigInt(groupsOf(entry)))],
    ];
  }
  const olderForMs = fromWireTime(igmpHost.olderVersionExpiresIn);
  const older = olderForMs === undefined ? '' : `, because of an older querier, for ${formatDuration(olderForMs)}`;
  return [
    ['Querier', querierText(entry)],
    ['Reports in version', `${igmpHost.version ?? 0}${older}`],
    ['Groups reported', formatCount(BigInt(groupsOf(entry)))],
  ];
}

function trafficPairs(entry: Interface): readonly Pair[] {
  const packets = (count: WireUint64 | null | undefined, bytes?: WireUint64 | null): string =>
    `${formatCount(fromWire(count))} packets${bytes === undefined ? '' : `, ${formatBytes(fromWire(bytes))}`}`;
  return [
    ['Received', packets(entry.rxPackets, entry.rxBytes ?? null)],
    ['Taken by a route', packets(entry.acceptedPackets)],
    ['Sent on late', packets(entry.resentPackets)],
    ['Sent by the router', packets(entry.originatedPackets)],
    ['Transmitted', packets(entry.txPackets, entry.txBytes ?? null)],
  ];
}

const COUNTER_COLUMNS: readonly Column[] = [{ title: 'COUNTER' }, { title: 'KIND' }, { title: 'COUNT', align: 'right' }];

/** Drops, punts and IGMP figures by reason, class or message. "" when nothing was counted yet. */
function formatCounters(entry: Interface, style: TableStyle): string {
  const groups: readonly (readonly [string, CounterMap])[] = [
    ['dropped', entry.drops],
    ['punted', entry.punts],
    ['punt policed', entry.puntDrops],
    ['igmp received', entry.igmpReceived],
    ['igmp sent', entry.igmpSent],
    ['igmp dropped', entry.igmpDropped],
  ];
  const rows = groups.flatMap(([title, counters]) =>
    [...fromWireMap(counters)]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([kind, value]) => [title, kind, formatCount(value)]),
  );
  return rows.length === 0 ? '' : renderTable(COUNTER_COLUMNS, rows, style);
}
