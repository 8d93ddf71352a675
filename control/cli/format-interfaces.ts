/**
 * Interfaces as a table, and the counters of one interface by reason.
 */
import { xmcast } from '#proto';

import { fromWire, fromWireMap, type WireUint64 } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, printable, renderTable, type TableStyle } from './table';
import { formatBytes, formatCount, formatDuration } from './units';

type Interface = xmcast.v1.Interface.$Properties;
type CounterMap = Readonly<Record<string, WireUint64>> | null | undefined;

const { Role, Status, Mode } = xmcast.v1.Interface;

const COLUMNS: readonly Column[] = [
  { title: 'NAME' },
  { title: 'ROLE' },
  { title: 'STATUS' },
  { title: 'MODE' },
  { title: 'ADDRESS' },
  { title: 'RX PACKETS', align: 'right' },
  { title: 'RX BYTES', align: 'right' },
  { title: 'TX PACKETS', align: 'right' },
  { title: 'TX BYTES', align: 'right' },
  { title: 'DROPS', align: 'right' },
  { title: 'QUERIER' },
];

/** The table, then one line for each interface that has a problem. */
export function formatInterfaces(interfaces: readonly Interface[], style: TableStyle = PLAIN): string {
  const problems = interfaces
    .filter((entry) => (entry.problem ?? '') !== '')
    .map((entry) => `${printable(`${entry.name}: ${entry.problem}`)}\n`);
  return renderTable(COLUMNS, interfaces.map(interfaceRow), style) + problems.join('');
}

function interfaceRow(entry: Interface): string[] {
  const drops = [...fromWireMap(entry.drops).values()].reduce((sum, value) => sum + value, 0n);
  return [
    entry.name ?? '',
    enumText(Role, 'ROLE_', entry.role),
    enumText(Status, 'STATUS_', entry.status),
    enumText(Mode, 'MODE_', entry.mode),
    (entry.addresses ?? []).join(' ') || '-',
    formatCount(fromWire(entry.rxPackets)),
    formatBytes(fromWire(entry.rxBytes)),
    formatCount(fromWire(entry.txPackets)),
    formatBytes(fromWire(entry.txBytes)),
    formatCount(drops),
    querierText(entry),
  ];
}

function querierText({ querier, igmpVersion }: Interface): string {
  if (querier === null || querier === undefined) return '-';
  if (querier.self === true) return `self, IGMPv${igmpVersion ?? 0}`;
  if ((querier.address ?? '') === '') return 'none';
  const expiresInMs = fromWireTime(querier.expiresIn);
  return `${querier.address}${expiresInMs === undefined ? '' : ` for ${formatDuration(expiresInMs)}`}`;
}

/** STATUS_NO_ADDRESS becomes "no-address"; a number this client does not know stays a number. */
function enumText(values: object, prefix: string, value: number | null | undefined): string {
  const name: unknown = Reflect.get(values, value ?? 0);
  return typeof name === 'string' ? name.slice(prefix.length).toLowerCase().replaceAll('_', '-') : String(value);
}

const COUNTER_COLUMNS: readonly Column[] = [{ title: 'COUNTER' }, { title: 'KIND' }, { title: 'COUNT', align: 'right' }];

/** Drops, punts and IGMP figures of one interface by reason, class or message. "" when nothing was counted yet. */
export function formatInterfaceCounters(entry: Interface, style: TableStyle = PLAIN): string {
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
