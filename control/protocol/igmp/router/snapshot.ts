/** A membership as StateService, CLI and metrics see it. Reads only. */
import type { IgmpInterfaceSettings, MembershipSnapshot } from './api';
import { compatibilityVersion } from './compatibility';
import { BLOCKED } from './group-state';
import { describeHosts } from './hosts';
import type { Membership } from './membership';

export interface SnapshotContext {
  readonly nowMs: number;
  readonly settings: IgmpInterfaceSettings;
  readonly hostsHaveAnswered: boolean;
}

export function snapshotOf(membership: Membership, { nowMs, settings, hostsHaveAnswered }: SnapshotContext): MembershipSnapshot {
  const { fixed } = membership;
  const wantsEverySource = fixed?.length === 0;
  return {
    group: membership.group,
    mode: wantsEverySource ? 'exclude' : membership.mode,
    compatibilityVersion: compatibilityVersion(membership, settings, nowMs),
    groupTimerMs: membership.mode === 'exclude' ? Math.max(0, membership.groupExpiryMs - nowMs) : undefined,
    sources: sourcesOf(membership, nowMs),
    lastReporter: membership.lastReporter,
    ageMs: nowMs - membership.createdMs,
    isStatic: fixed !== undefined,
    hosts: describeHosts(membership, nowMs),
    allHostsKnown: hostsHaveAnswered && membership.hiddenUntilMs <= nowMs,
  };
}

/** A source that a static membership holds is forwarded, whatever its timer; timer 0 when no host asks for it. */
function sourcesOf({ fixed, sources }: Membership, nowMs: number): MembershipSnapshot['sources'] {
  const wantsEverySource = fixed?.length === 0;
  const list = Array.from(sources, ([source, expiryMs]) => ({
    source,
    forwarded: expiryMs !== BLOCKED || wantsEverySource || fixed?.includes(source) === true,
    timerMs: expiryMs === BLOCKED ? 0 : Math.max(0, expiryMs - nowMs),
  }));
  for (const source of fixed ?? []) if (!sources.has(source)) list.push({ source, forwarded: true, timerMs: 0 });
  return list;
}
