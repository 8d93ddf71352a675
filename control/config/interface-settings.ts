/**
 * InterfaceConfig → InterfaceSettings: which side of the router an interface is on, and what that side needs.
 */
import type { xmcast } from '#proto';
import { optionalMs } from './duration';
import { igmpLists, igmpSettings, overlayIgmp, type IgmpConfig, type IgmpLists } from './igmp-settings';
import type { InterfaceSettings, UpstreamSettings } from './settings';
import { staticGroups } from './static-settings';
import { deviceOf, sharedModes } from './trunk-rules';
import { validInterfaceAddress, validPrefixes } from './validated';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

const INTERFACE_DEFAULTS = { ttlThreshold: 1, upstreamPriority: 100, forwardIfNotQuerier: false, mode: 'auto' } as const;

export const INTERFACE_MODES = ['auto', 'xdp', 'tc'] as const satisfies readonly InterfaceSettings['mode'][];

/** RFC 3376 §8.1; RFC 2236 §8.11: as long as version 1 routers are remembered. */
const HOST_DEFAULTS = { version: 3, robustness: 2, olderVersionQuerierTimeoutMs: 400_000 } as const;

export function interfacesSettings(interfaces: readonly InterfaceConfig[], common: IgmpConfig): InterfaceSettings[] {
  const lists = igmpLists(common);
  const modes = sharedModes(interfaces);
  return interfaces.map((item) => interfaceSettings(item, modes.get(deviceOf(item)), common, lists));
}

/** `mode`: that of the device. */
function interfaceSettings(item: InterfaceConfig, mode: string | undefined, common: IgmpConfig, lists: IgmpLists): InterfaceSettings {
  const own = item.igmp ?? {};
  const igmp = overlayIgmp(common, own);
  return {
    name: item.name ?? '',
    addresses: (item.addresses ?? []).map(validInterfaceAddress),
    upstream: item.upstream === true ? upstreamSettings(item) : undefined,
    ttlThreshold: item.ttlThreshold ?? INTERFACE_DEFAULTS.ttlThreshold,
    boundaries: validPrefixes(item.boundaries),
    alternativeSubnets: validPrefixes(item.alternativeSubnets),
    forwardIfNotQuerier: igmp.forwardIfNotQuerier ?? INTERFACE_DEFAULTS.forwardIfNotQuerier,
    igmp: igmpSettings(igmp, igmpLists(own, lists), staticGroups(item.staticGroups ?? [])),
    mode: INTERFACE_MODES.find((known) => known === mode) ?? INTERFACE_DEFAULTS.mode,
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
