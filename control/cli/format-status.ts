/**
 * GetStatus as text.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { printable, renderPairs } from './table';
import { formatCount, formatDuration } from './units';

/** `nowMs`: wall clock, for the uptime. */
export function formatStatus(status: xmcast.v1.GetStatusResponse.$Properties, nowMs: number): string {
  const startedAtMs = fromWireTime(status.startTime);
  const refused = fromWire(status.routesRefused);
  const pairs: [string, string][] = [
    ['Version', status.version ?? ''],
    ['Ready', status.ready === true ? 'yes' : 'no'],
    ['Uptime', startedAtMs === undefined ? '-' : formatDuration(Math.max(0, nowMs - startedAtMs))],
    ['Interfaces', `${status.interfacesForwarding ?? 0} of ${status.interfacesConfigured ?? 0} forwarding`],
    ['Memberships', String(status.memberships ?? 0)],
    ['Membership limit', used(status.membershipBudgetUsed, status.membershipBudgetLimit)],
    ['Routes', `${used(status.routesInstalled, status.routesLimit)}${refused > 0n ? `, ${formatCount(refused)} refused` : ''}`],
    ['Outgoing sets', used(status.replicationGroupsUsed, status.replicationGroupsLimit)],
  ];
  const conditions = (status.conditions ?? []).map((condition) => `  ! ${printable(condition)}\n`);
  return renderPairs(pairs) + (conditions.length === 0 ? '' : `Conditions:\n${conditions.join('')}`);
}

function used(count: number | null | undefined, limit: number | null | undefined): string {
  return `${formatCount(BigInt(count ?? 0))} of ${formatCount(BigInt(limit ?? 0))}`;
}
