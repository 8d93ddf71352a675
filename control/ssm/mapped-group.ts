/**
 * What is known from DNS about one group, and when something has to be done about it. Decides nothing.
 */
import type { Scheduled } from '../protocol/igmp/deadline-queue';
import { formatIpv4, type Ipv4 } from '../protocol/packet/address';
import type { SsmLimits } from './api';

export type Knowledge =
  | { readonly kind: 'pending' }
  | { readonly kind: 'mapped'; readonly sources: readonly Ipv4[]; readonly expiresMs: number }
  | { readonly kind: 'unmapped' };

export interface MappedGroup extends Scheduled {
  readonly group: Ipv4;
  readonly name: string;
  known: Knowledge;
  /** In a row. */
  failures: number;
  /** In the queue or on its way. */
  isAsking: boolean;
  /** When to ask next; meaningless while asking. */
  askAtMs: number;
  lastWantedMs: number;
}

/** 232.1.2.3 → 3.2.1.232.DOMAIN, as IOS asks. */
export function nameOfGroup(group: Ipv4, domain: string): string {
  return `${formatIpv4(group).split('.').reverse().join('.')}.${domain}`;
}

export function newMappedGroup(group: Ipv4, domain: string, nowMs: number): MappedGroup {
  return {
    group,
    name: nameOfGroup(group, domain),
    known: { kind: 'pending' },
    failures: 0,
    isAsking: false,
    askAtMs: nowMs,
    lastWantedMs: nowMs,
    deadlineMs: undefined,
    queueIndex: -1,
  };
}

/** When nobody is interested any more. A group without sources is asked about again only if somebody wanted it since. */
export function interestEndsMs({ known, lastWantedMs }: MappedGroup, limits: SsmLimits): number {
  return lastWantedMs + (known.kind === 'unmapped' ? limits.noSourcesMs : limits.interestMs);
}

/** When an answer that nobody confirms is given up. */
export function staleEndsMs({ known }: MappedGroup, limits: SsmLimits): number {
  return known.kind === 'mapped' ? known.expiresMs + limits.staleMs : Infinity;
}

export function nextDeadlineMs(entry: MappedGroup, limits: SsmLimits): number {
  const staleMs = staleEndsMs(entry, limits);
  return entry.isAsking ? staleMs : Math.min(entry.askAtMs, interestEndsMs(entry, limits), staleMs);
}

/** Half of it by chance, so that many groups that failed together do not come back together. */
export function retryDelayMs(failures: number, limits: SsmLimits, random: number): number {
  const ceiling = Math.min(limits.longestRetryMs, 2 * limits.shortestRetryMs * 2 ** Math.min(failures - 1, 30));
  return Math.floor(ceiling / 2 + (random * ceiling) / 2);
}
