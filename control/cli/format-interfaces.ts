/**
 * Interfaces as a table.
 */
import { xmcast } from '#proto';

import { fromWire, fromWireMap } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, printable, renderTable, type TableStyle } from './table';
import { formatBytes, formatCount, formatDuration } from './units';

type Interface = xmcast.v1.Interface.$Properties;

const { Role, Status, Mode } = xmcast.v1.Interface;

const COLUMNS: readonly Column[] = [
  { title: 'NAME' },
  { title: 'ROLE' },
  { title: 'STATUS' },
  { title: 'MODE' },
  { title: 'ADDRESS' },
  { title: 'MAC', wide: true },
  { title: 'MTU', align: 'right', wide: true },
  { title: 'TTL', align: 'right', wide: true },
  { title: 'GROUPS', align: 'right', wide: true },
  { title: 'RX PACKETS', align: 'right' },
  { title: 'RX BYTES', align: 'right' },
  { title: 'TX PACKETS', align: 'right' },
  { title: 'TX BYTES', align: 'right' },
  { title: 'DROPS', align: 'right' },
  { title: 'QUERIER' },
];

/** The table, then one line for each interface that has a problem, is slower than it could be or keeps streams from its hosts. */
export function formatInterfaces(interfaces: readonly Interface[], style: TableStyle = PLAIN): string {
  const remarks = interfaces.flatMap((entry) => remarksOf(entry).map((text) => `${printable(`${entry.name}: ${text}`)}\n`));
  return renderTable(COLUMNS, interfaces.map(interfaceRow), style) + remarks.join('');
}

function interfaceRow(entry: Interface): string[] {
  const drops = [...fromWireMap(entry.drops).values()].reduce((sum, value) => sum + value, 0n);
  return [
    entry.name ?? '',
    roleText(entry),
    statusText(entry),
    modeText(entry),
    (entry.addresses ?? []).join(' ') || '-',
    entry.macAddress || '-',
    String(entry.mtu ?? 0),
    String(entry.ttlThreshold ?? 0),
    String(groupsOf(entry)),
    formatCount(fromWire(entry.rxPackets)),
    formatBytes(fromWire(entry.rxBytes)),
    formatCount(fromWire(entry.txPackets)),
    formatBytes(fromWire(entry.txBytes)),
    formatCount(drops),
    querierText(entry),
  ];
}

/** What an operator should know of an interface, one sentence each. */
export function remarksOf(entry: Interface): string[] {
  const remarks = (entry.problem ?? '') === '' ? [] : [entry.problem ?? ''];
  if ((entry.modeReason ?? '') !== '') remarks.push(`tc mode, slower than XDP: ${entry.modeReason}.`);
  const { querier } = entry;
  const isKept = entry.role === Role.ROLE_DOWNSTREAM && entry.forwardsToHosts !== true;
  if (isKept && querier?.self === false && (querier.address ?? '') !== '') {
    remarks.push(`nothing is forwarded to the hosts here: ${querier.address} is the querier (see forward_if_not_querier).`);
  }
  return remarks;
}

/** Downstream: who asks. Upstream: in which version is reported, and who asked last. */
export function querierText({ querier, igmpVersion, igmpHost }: Interface): string {
  if (igmpHost !== null && igmpHost !== undefined) return hostText(igmpHost);
  if (querier === null || querier === undefined) return '-';
  if (querier.self === true) return `self, IGMPv${igmpVersion ?? 0}`;
  if ((querier.address ?? '') === '') return 'none';
  const expiresInMs = fromWireTime(querier.expiresIn);
  return `${querier.address}${expiresInMs === undefined ? '' : ` for ${formatDuration(expiresInMs)}`}`;
}

function hostText({ version, querier, lastQueryAge }: xmcast.v1.IgmpHost.$Properties): string {
  const ageMs = fromWireTime(lastQueryAge);
  return ageMs === undefined
    ? `v${version ?? 0}, none heard`
    : `v${version ?? 0} from ${querier || 'nobody'} ${formatDuration(ageMs)} ago`;
}

/** With listeners on a downstream, reported on an upstream. */
export function groupsOf({ memberships, igmpHost }: Interface): number {
  return igmpHost?.groups ?? memberships ?? 0;
}

export function roleText({ role }: Interface): string {
  return enumText(Role, 'ROLE_', role);
}

export function statusText({ status }: Interface): string {
  return enumText(Status, 'STATUS_', status);
}

export function modeText({ mode }: Interface): string {
  return enumText(Mode, 'MODE_', mode);
}

/** STATUS_NO_ADDRESS becomes "no-address"; a number this client does not know stays a number. */
function enumText(values: object, prefix: string, value: number | null | undefined): string {
  const name: unknown = Reflect.get(values, value ?? 0);
  return typeof name === 'string' ? name.slice(prefix.length).toLowerCase().replaceAll('_', '-') : String(value);
}
