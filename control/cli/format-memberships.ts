/**
 * Memberships as a table, one line for each group and interface.
 */
import { xmcast } from '#proto';

import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatDuration } from './units';

type Membership = xmcast.v1.Membership.$Properties;

/** More sources than this are counted, not named: the line has to stay a line. -o json has them all. */
const NAMED_SOURCES = 4;

const COLUMNS: readonly Column[] = [
  { title: 'INTERFACE' },
  { title: 'GROUP' },
  { title: 'MODE' },
  { title: 'VERSION' },
  { title: 'EXPIRES', align: 'right' },
  { title: 'AGE', align: 'right' },
  { title: 'LAST REPORTER' },
  { title: 'SOURCES' },
];

export function formatMemberships(memberships: readonly Membership[], style: TableStyle = PLAIN): string {
  return renderTable(COLUMNS, memberships.map(membershipRow), style);
}

function membershipRow(entry: Membership): string[] {
  const include = entry.filterMode === xmcast.v1.Membership.FilterMode.FILTER_MODE_INCLUDE;
  return [
    entry.interface ?? '',
    entry.group ?? '',
    include ? 'include' : 'exclude',
    `IGMPv${entry.compatibilityVersion ?? 0}`,
    formatDuration(expiresInMs(entry)),
    formatDuration(fromWireTime(entry.age) ?? 0),
    entry.lastReporter ?? '',
    sourcesText(entry.sources ?? []),
  ];
}

/** RFC 3376 6.2.3: in INCLUDE mode the group lasts as long as its last source. */
function expiresInMs(entry: Membership): number {
  const groupTimer = fromWireTime(entry.expiresIn);
  return (
    groupTimer ?? (entry.sources ?? []).reduce((longest, source) => Math.max(longest, fromWireTime(source.expiresIn) ?? 0), 0)
  );
}

/** A blocked source has a minus in front. */
function sourcesText(sources: readonly xmcast.v1.MembershipSource.$Properties[]): string {
  if (sources.length === 0) return '-';
  const named = sources.slice(0, NAMED_SOURCES).map(({ source, forwarded }) => `${forwarded === true ? '' : '-'}${source}`);
  const more = sources.length - named.length;
  return named.join(' ') + (more > 0 ? ` and ${more} more` : '');
}
