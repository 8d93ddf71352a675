/**
 * InterfaceConfig → InterfaceSettings: which side of the router an interface is on, and what that side needs.
 */
import type { xmcast } from '#proto';
import { optionalMs } from './duration';
import { igmpLists, igmpSettings, overlayIgmp, type IgmpConfig, type IgmpLists } from './igmp-settings';
import type { InterfaceSettings, UpstreamSettings } from './settings';
import { staticGroups } from './static-settings';
import { validPrefixes } from './validated';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

const INTERFACE_DEFAULTS = { ttlThreshold: 1, upstreamPriority: 100, forwardIfNotQuerier: false, mode: 'auto' } as const;

export const INTERFACE_MODES = ['auto', 'xdp', 'tc'] as const satisfies readonly InterfaceSettings['mode'][];

/** RFC 3376 §8.1; RFC 2236 §8.11: as long as version 1 routers are remembered. */
const HOST_DEFAULTS = { version: 3, robustness: 2, olderVersionQuerierTimeoutMs: 400_000 } as const;

export function interfacesSettings(interfaces: readonly InterfaceConfig[], common: IgmpConfig): InterfaceSettings[] {
  const lists = igmpLists(common);
  return interfaces.map((item) => interfaceSettings(item, common, lists));
}

function interfaceSettings(item: InterfaceConfig, common: IgmpConfig, lists: IgmpLists): InterfaceSettings {
  const own = item.igmp ?? {};
  const igmp = overlayIgmp(common, own);
  return {
    name: item.name ?? '',
    upstream: item.upstream === true ? upstreamSettings(item) : undefined,
    ttlThreshold: item.ttlThreshold ?? INTERFACE_DEFAULTS.ttlThreshold,
    boundaries: validPrefixes(item.boundaries),
    alternativeSubnets: validPrefixes(item.alternativeSubnets),
    forwardIfNotQuerier: igmp.forwardIfNotQuerier ?? INTERFACE_DEFAULTS.forwardIfNotQuerier,
    igmp: igmpSettings(igmp, igmpLists(own, lists), staticGroups(item.staticGroups ?? [])),
    mode: INTERFACE_MODES.find((mode) => mode === item.mode) ?? INTERFACE_DEFAULTS.mode,
    joinGroups: staticGroups(item.joinGroups ?? []),
  };
}

function upstreamSettings(item: InterfaceConfig): UpstreamSettings {
  const host = item.igmpHost ?? {};
  return {
    groups: validPrefixes(item.upstreamGroups),
    sources: validPrefixes(item.upstreamSources),
    priority: item.upstreamPriority ?? INTERFACE_DEFAULTS.upstreamPriority,
    host: {
      version: host.version === 1 || host.version === 2 ? host.version : HOST_DEFAULTS.version,
      robustness: host.robustness ?? HOST_DEFAULTS.robustness,
      unsolicitedReportIntervalMs: optionalMs(host.unsolicitedReportInterval),
      olderVersionQuerierTimeoutMs: optionalMs(host.olderVersionQuerierTimeout) ?? HOST_DEFAULTS.olderVersionQuerierTimeoutMs,
    },
  };
}
