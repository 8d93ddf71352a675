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
    ...takenOver(status.takeover, nowMs),
    ...repaired(status.repairs),
    ['Outgoing sets', used(status.replicationGroupsUsed, status.replicationGroupsLimit)],
  ];
  if (status.dataplaneLink !== null && status.dataplaneLink !== undefined) pairs.push(['Data plane', dataplane(status.dataplaneLink, nowMs)]);
  const conditions = (status.conditions ?? []).map((condition) => `  ! ${printable(condition)}\n`);
  return renderPairs(pairs) + (conditions.length === 0 ? '' : `Conditions:\n${conditions.join('')}`);
}

function takenOver(takeover: xmcast.v1.TakeoverStatus.$Properties | null | undefined, nowMs: number): [string, string][] {
  if (takeover === null || takeover === undefined) return [];
  const { ports, routes, staleRoutes, unclaimedMemberships } = takeover;
  const ends = fromWireTime(takeover.holdEndTime);
  const found = `${formatCount(BigInt(routes ?? 0))} routes, ${ports ?? 0} ports`;
  const held = `; ${formatCount(BigInt(staleRoutes ?? 0))} routes stale, ${formatCount(BigInt(unclaimedMemberships ?? 0))} memberships unclaimed`;
  return [['Taken over', ends === undefined ? found : `${found}${held}, hold ends in ${formatDuration(Math.max(0, ends - nowMs))}`]];
}

function repaired(repairs: xmcast.v1.GetStatusResponse.$Properties['repairs']): [string, string][] {
  const kinds = Object.entries(repairs ?? {}).map(([kind, count]) => `${formatCount(fromWire(count))} ${printable(kind)}`);
  return kinds.length === 0 ? [] : [['Repaired', kinds.join(', ')]];
}

function used(count: number | null | undefined, limit: number | null | undefined): string {
  return `${formatCount(BigInt(count ?? 0))} of ${formatCount(BigInt(limit ?? 0))}`;
}

function dataplane({ target, up, since, puntsLost }: xmcast.v1.DataplaneLink.$Properties, nowMs: number): string {
  const lost = fromWire(puntsLost);
  const duration = formatDuration(Math.max(0, nowMs - (fromWireTime(since) ?? nowMs)));
  return `${target ?? ''}, ${up === true ? 'up' : 'not reachable'} for ${duration}${lost > 0n ? `, ${formatCount(lost)} punts lost` : ''}`;
}
