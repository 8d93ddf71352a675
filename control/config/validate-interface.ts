/**
 * The fields of one entry of interfaces[], each on its own.
 */
import type { xmcast } from '#proto';
import { groupFault, interfaceAddressFault, multicastPrefixFault, routedGroupsFault, unicastFault, unicastPrefixFault } from './address-faults';
import { listProblems, rangeProblems, requiredTextProblems, textListProblems, textProblems } from './field-rules';
import { INTERFACE_MODES } from './interface-settings';
import { HOST_RANGES, INTERFACE_RANGES, MAX_ADDRESSES, MAX_JOIN_GROUP_SOURCES, MAX_JOIN_GROUPS, MAX_PREFIXES, MAX_STATIC_GROUPS, MAX_STATIC_GROUP_SOURCES } from './ranges';
import type { Problem } from './settings';
import { keyPath } from './source-map';
import { interfaceNameFault, wordFault } from './text-faults';
import { igmpProblems } from './validate-igmp';

export function interfaceProblems(item: xmcast.v1.InterfaceConfig.$Properties, path: string): Problem[] {
  return [
    ...textProblems(keyPath(path, 'name'), item.name ?? '', interfaceNameFault),
    ...rangeProblems(item, INTERFACE_RANGES, path),
    ...textProblems(keyPath(path, 'mode'), item.mode, (mode) => wordFault(mode, INTERFACE_MODES)),
    ...textListProblems(keyPath(path, 'addresses'), item.addresses, MAX_ADDRESSES, interfaceAddressFault),
    ...textListProblems(keyPath(path, 'boundaries'), item.boundaries, MAX_PREFIXES, multicastPrefixFault),
    ...textListProblems(keyPath(path, 'alternative_subnets'), item.alternativeSubnets, MAX_PREFIXES, unicastPrefixFault),
    ...textListProblems(keyPath(path, 'upstream_groups'), item.upstreamGroups, MAX_PREFIXES, routedGroupsFault),
    ...textListProblems(keyPath(path, 'upstream_sources'), item.upstreamSources, MAX_PREFIXES, unicastPrefixFault),
    ...listProblems(keyPath(path, 'static_groups'), item.staticGroups, MAX_STATIC_GROUPS, staticGroupProblems),
    ...listProblems(keyPath(path, 'join_groups'), item.joinGroups, MAX_JOIN_GROUPS, joinGroupProblems),
    ...igmpProblems(item.igmp, keyPath(path, 'igmp')),
    ...rangeProblems(item.igmpHost ?? {}, HOST_RANGES, keyPath(path, 'igmp_host')),
  ];
}

/** Also of what the API calls a static membership. */
export const staticGroupProblems = groupProblems(MAX_STATIC_GROUP_SOURCES);
const joinGroupProblems = groupProblems(MAX_JOIN_GROUP_SOURCES);

function groupProblems(mostSources: number): (entry: xmcast.v1.StaticGroup.$Properties, path: string) => Problem[] {
  return ({ group, sources }, path) => [
    ...requiredTextProblems(keyPath(path, 'group'), group, groupFault),
    ...textListProblems(keyPath(path, 'sources'), sources, mostSources, unicastFault),
  ];
}
