/**
 * Static entries, their owners, and what an update did, as text for people.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatDuration } from './units';

type Listed = xmcast.v1.OwnedStaticEntry.$Properties;
type Owner = xmcast.v1.StaticOwner.$Properties;
type Updated = xmcast.v1.UpdateStaticEntriesResponse.$Properties;

const ENTRY_COLUMNS: readonly Column[] = [
  { title: 'OWNER' },
  { title: 'KIND' },
  { title: 'SOURCE' },
  { title: 'GROUP' },
  { title: 'FROM' },
  { title: 'TO' },
  { title: 'TTL', align: 'right' },
  { title: 'IN EFFECT' },
];

export function formatStaticEntries(entries: readonly Listed[], style: TableStyle = PLAIN): string {
  return renderTable(ENTRY_COLUMNS, entries.map(entryRow), style);
}

function entryRow({ owner, entry, problem }: Listed): string[] {
  const effect = problem ? `no: ${problem}` : 'yes';
  const { route, membership } = entry ?? {};
  if (route) {
    const ttl = route.ttlThreshold ? `> ${route.ttlThreshold}` : '-';
    return [owner ?? '', 'route', route.source || '*', route.group ?? '', route.upstream ?? '', (route.downstreams ?? []).join(' ') || '-', ttl, effect];
  }
  const sources = (membership?.sources ?? []).join(' ') || '*';
  return [owner ?? '', 'membership', sources, membership?.group ?? '', '-', membership?.interface ?? '', '-', effect];
}

const OWNER_COLUMNS: readonly Column[] = [
  { title: 'OWNER' },
  { title: 'REVISION', align: 'right' },
  { title: 'PROGRAMMED', align: 'right' },
  { title: 'ROUTES', align: 'right' },
  { title: 'MEMBERSHIPS', align: 'right' },
  { title: 'LEASE', align: 'right' },
  { title: 'EXPIRES IN', align: 'right' },
];

export function formatStaticOwners(owners: readonly Owner[], nowMs: number, style: TableStyle = PLAIN): string {
  return renderTable(
    OWNER_COLUMNS,
    owners.map(({ owner, revision, programmedRevision, routes, memberships, lease, leaseExpireTime }) => {
      const [leaseMs, expiresMs] = [fromWireTime(lease), fromWireTime(leaseExpireTime)];
      return [
        owner ?? '',
        String(fromWire(revision)),
        String(fromWire(programmedRevision)),
        String(routes ?? 0),
        String(memberships ?? 0),
        leaseMs === undefined ? '-' : formatDuration(leaseMs),
        expiresMs === undefined ? '-' : formatDuration(Math.max(0, expiresMs - nowMs)),
      ];
    }),
    style,
  );
}

export function formatUpdated(owner: string, updated: Updated, dryRun: boolean): string {
  const { added = 0, changed = 0, removed = 0, unchanged = 0, refused = [], omittedRefused = 0 } = updated;
  const counts = `${added} added, ${changed} changed, ${removed} removed, ${unchanged} unchanged`;
  const head = dryRun ? `would be: ${counts}\n` : `"${owner}" is at revision ${fromWire(updated.revision)}: ${counts}\n`;
  const lines = (refused ?? []).map(({ route, problem }) => `not in the data plane: ${route?.source || '*'} ${route?.group ?? ''}: ${problem}\n`);
  const more = omittedRefused ? [`and ${omittedRefused} more\n`] : [];
  return [head, ...lines, ...more].join('');
}
