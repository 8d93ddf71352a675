/**
 * Memberships as a table: one line for each group and interface, or one for each host.
 */
import type { xmcast } from '#proto';

import { fromWireTime } from '../api/wire-time';

import { filterText, listText, modeText } from './format-sources';
import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatDuration } from './units';

type Membership = xmcast.v1.Membership.$Properties;
type MembershipHost = xmcast.v1.MembershipHost.$Properties;

const COLUMNS: readonly Column[] = [
  { title: 'INTERFACE' },
  { title: 'GROUP' },
  { title: 'MODE' },
  { title: 'VERSION' },
  { title: 'KIND' },
  { title: 'HOSTS', align: 'right' },
  { title: 'EXPIRES', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'LAST REPORTER' },
  { title: 'SOURCES' },
];

export function formatMemberships(memberships: readonly Membership[], style: TableStyle = PLAIN): string {
  return renderTable(
    COLUMNS,
    memberships.map((entry) => membershipRow(entry, style)),
    style,
  );
}

function membershipRow(entry: Membership, { wide }: TableStyle): string[] {
  const expires = expiresInMs(entry);
  // A blocked source has a minus in front.
  const sources = (entry.sources ?? []).map(({ source, forwarded }) => `${forwarded === true ? '' : '-'}${source}`);
  return [
    entry.interface ?? '',
    entry.group ?? '',
    modeText({ filterMode: entry.filterMode ?? null }),
    `IGMPv${entry.compatibilityVersion ?? 0}`,
    entry.static === true ? 'static' : 'dynamic',
    `${entry.hostCount ?? 0}${entry.allHostsKnown === true ? '' : '+'}`,
    expires === undefined ? 'never' : formatDuration(expires),
    formatDuration(fromWireTime(entry.age) ?? 0),
    entry.lastReporter || '-',
    listText(sources, wide),
  ];
}

/** RFC 3376 6.2.3: in INCLUDE mode the group lasts as long as its last source. undefined: no timer runs, it is static. */
export function expiresInMs(entry: Membership): number | undefined {
  const groupTimer = fromWireTime(entry.expiresIn);
  if (groupTimer !== undefined) return groupTimer;
  const sourceTimers = (entry.sources ?? []).flatMap((source) => fromWireTime(source.expiresIn) ?? []);
  if (entry.static === true && sourceTimers.every((timer) => timer === 0)) return undefined;
  return sourceTimers.reduce((longest, timer) => Math.max(longest, timer), 0);
}

const HOST_COLUMNS: readonly Column[] = [
  { title: 'INTERFACE' },
  { title: 'GROUP' },
  { title: 'HOST' },
  { title: 'VERSION' },
  { title: 'MODE' },
  { title: 'AGE', align: 'right' },
  { title: 'LAST REPORT', align: 'right' },
  { title: 'SOURCES' },
];

/** Each membership has a line at least: one of no known host is still one. */
export function formatMembershipHosts(memberships: readonly Membership[], style: TableStyle = PLAIN): string {
  return renderTable(
    HOST_COLUMNS,
    memberships.flatMap((entry) => hostRows(entry, style)),
    style,
  );
}

function hostRows(entry: Membership, { wide }: TableStyle): string[][] {
  const hosts = entry.hosts ?? [];
  const rows = hosts.map((host) => [entry.interface ?? '', entry.group ?? '', ...hostCells(host, wide)]);
  const rest = restText(entry, hosts.length);
  return rest === undefined ? rows : [...rows, [entry.interface ?? '', entry.group ?? '', rest, '-', '-', '-', '-', '-']];
}

function hostCells(host: MembershipHost, wide: boolean): string[] {
  return [
    host.address ?? '',
    `IGMPv${host.version ?? 0}`,
    modeText(host),
    formatDuration(fromWireTime(host.age) ?? 0),
    formatDuration(fromWireTime(host.lastReportAge) ?? 0),
    filterText(host, wide),
  ];
}

/** Who wants the group without having a line. undefined: nobody. */
function restText(entry: Membership, listed: number): string | undefined {
  const unlisted = (entry.hostCount ?? 0) - listed;
  if (unlisted > 0) return `${unlisted} more`;
  if (entry.allHostsKnown !== true) return 'perhaps others';
  return listed === 0 ? (entry.static === true ? 'none, static' : 'none') : undefined;
}
