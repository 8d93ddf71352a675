/**
 * IgmpConfig → what holds on one interface: overrides laid over the common values, every default filled in. Also asked by the
 * rules between fields, so each function takes any IgmpConfig whose fields are right one by one.
 */
import type { xmcast } from '#proto';
import type { AccessRule, QuickLeave, StaticGroup } from '../protocol/igmp/router/api';
import type { Ipv4Prefix } from '../protocol/packet/address';
import { optionalMs } from './duration';
import type { IgmpSettings } from './settings';
import { validPrefix, validPrefixes } from './validated';

export type IgmpConfig = xmcast.v1.IgmpConfig.$Properties;

/** Timers and counts are those of RFC 3376 §8; what has a formula there is derived where it is used. */
export const IGMP_DEFAULTS = {
  version: 3,
  robustness: 2,
  queryIntervalMs: 125_000,
  queryResponseIntervalMs: 10_000,
  lastMemberQueryIntervalMs: 1_000,
  maxGroups: 4096,
  maxSourcesPerGroup: 128,
  acceptOffSubnet: false,
  requireRouterAlert: false,
  ssmRange: '232.0.0.0/8',
  quickLeave: 'off',
  maxGroupsPerHost: 4096,
  maxTrackedHosts: 65_536,
} as const;

export const QUICK_LEAVES = ['off', 'tracked', 'always'] as const satisfies readonly QuickLeave[];
export const ACCESS_ACTIONS = ['permit', 'deny'] as const;

/** Field by field: unset ones (undefined, or null as the message classes have it) let the common value show. Not for lists. */
export function overlayIgmp(common: IgmpConfig, override: IgmpConfig): IgmpConfig {
  const set = Object.entries(override).filter(([, value]) => value !== undefined && value !== null);
  return { ...common, ...Object.fromEntries(set) };
}

/** Interfaces without lists of their own share the common ones: these may have thousands of entries. */
export interface IgmpLists {
  readonly exceptions: readonly Ipv4Prefix[];
  readonly queriers: readonly Ipv4Prefix[];
  readonly access: readonly AccessRule[];
}

const NO_LISTS: IgmpLists = { exceptions: [], queriers: [], access: [] };

/** A list that is not empty replaces the one below it. */
export function igmpLists(igmp: IgmpConfig, below = NO_LISTS): IgmpLists {
  const { limitExceptions, queriers, access } = igmp;
  return {
    exceptions: limitExceptions?.length ? validPrefixes(limitExceptions) : below.exceptions,
    queriers: queriers?.length ? validPrefixes(queriers) : below.queriers,
    access: access?.length ? access.map(accessRule) : below.access,
  };
}

/** `igmp`: what overlayIgmp() made; its lists are not read. */
export function igmpSettings(igmp: IgmpConfig, lists: IgmpLists, staticGroups: readonly StaticGroup[]): IgmpSettings {
  return {
    version: igmp.version === 1 || igmp.version === 2 ? igmp.version : IGMP_DEFAULTS.version,
    timing: timingSettings(igmp),
    limits: {
      groups: igmp.maxGroups ?? IGMP_DEFAULTS.maxGroups,
      sourcesPerGroup: igmp.maxSourcesPerGroup ?? IGMP_DEFAULTS.maxSourcesPerGroup,
      groupsPerHost: igmp.maxGroupsPerHost ?? IGMP_DEFAULTS.maxGroupsPerHost,
      trackedHosts: igmp.maxTrackedHosts ?? IGMP_DEFAULTS.maxTrackedHosts,
      exceptions: lists.exceptions,
    },
    acceptOffSubnet: igmp.acceptOffSubnet ?? IGMP_DEFAULTS.acceptOffSubnet,
    requireRouterAlert: igmp.requireRouterAlert ?? IGMP_DEFAULTS.requireRouterAlert,
    ssmRange: ssmRangeOf(igmp),
    queriers: lists.queriers,
    ignoreV1: igmp.ignoreV1 ?? false,
    ignoreV2: igmp.ignoreV2 ?? false,
    quickLeave: QUICK_LEAVES.find((word) => word === igmp.quickLeave) ?? IGMP_DEFAULTS.quickLeave,
    access: lists.access,
    staticGroups,
  };
}

/** `igmp`: what overlayIgmp() made. */
export function timingSettings(igmp: IgmpConfig): IgmpSettings['timing'] {
  const robustness = igmp.robustness ?? IGMP_DEFAULTS.robustness;
  const queryIntervalMs = optionalMs(igmp.queryInterval) ?? IGMP_DEFAULTS.queryIntervalMs;
  return {
    robustness,
    queryIntervalMs,
    queryResponseIntervalMs: optionalMs(igmp.queryResponseInterval) ?? IGMP_DEFAULTS.queryResponseIntervalMs,
    lastMemberQueryIntervalMs: optionalMs(igmp.lastMemberQueryInterval) ?? IGMP_DEFAULTS.lastMemberQueryIntervalMs,
    lastMemberQueryCount: igmp.lastMemberQueryCount ?? robustness,
    startupQueryIntervalMs: optionalMs(igmp.startupQueryInterval) ?? defaultStartupIntervalMs(queryIntervalMs),
    startupQueryCount: igmp.startupQueryCount ?? robustness,
  };
}

/** `igmp`: what overlayIgmp() made. */
export function ssmRangeOf(igmp: IgmpConfig): IgmpSettings['ssmRange'] {
  return validPrefix(igmp.ssmRange ?? IGMP_DEFAULTS.ssmRange);
}

/** RFC 3376 §8.6: a quarter of the query interval; never below the second that is the floor of every query timer. */
function defaultStartupIntervalMs(queryIntervalMs: number): number {
  return Math.max(1_000, Math.floor(queryIntervalMs / 4));
}

function accessRule(rule: xmcast.v1.AccessRule.$Properties): AccessRule {
  return {
    permit: rule.action === 'permit',
    group: validPrefix(rule.group || '224.0.0.0/4'),
    source: rule.source ? validPrefix(rule.source) : undefined,
    reporter: validPrefix(rule.reporter || '0.0.0.0/0'),
  };
}
