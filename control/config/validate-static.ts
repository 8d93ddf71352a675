/**
 * The fields of static routes and of SSM mapping, each on its own. Whether the interfaces named exist is a matter of
 * static-route-relations.ts.
 */
import type { xmcast } from '#proto';
import { routedGroupsFault, unicastFault, unicastPrefixFault } from './address-faults';
import {
  listProblems,
  optionalTextProblems,
  problem,
  rangeProblems,
  requiredTextProblems,
  textListProblems,
  textProblems,
} from './field-rules';
import {
  MAX_DNS_SERVERS,
  MAX_INTERFACES,
  MAX_MAPPED_SOURCES,
  MAX_SSM_MAPPINGS,
  MAX_STATIC_ROUTES,
  STATIC_ROUTE_RANGES,
} from './ranges';
import type { Problem } from './settings';
import { keyPath } from './source-map';
import { dnsServerFault, domainFault, interfaceNameFault } from './text-faults';

export function staticRoutesProblems(routes: readonly xmcast.v1.StaticRoute.$Properties[] | null | undefined): Problem[] {
  return listProblems('static_routes', routes, MAX_STATIC_ROUTES, staticRouteFieldProblems);
}

export function staticRouteFieldProblems(route: xmcast.v1.StaticRoute.$Properties, path: string): Problem[] {
  return [
    ...staticRouteKeyProblems(route, path),
    ...requiredTextProblems(keyPath(path, 'upstream'), route.upstream, interfaceNameFault),
    ...textListProblems(keyPath(path, 'downstreams'), route.downstreams, MAX_INTERFACES, interfaceNameFault),
    ...rangeProblems(route, STATIC_ROUTE_RANGES, path),
  ];
}

/** What tells one route from another. */
export function staticRouteKeyProblems({ group, source }: xmcast.v1.StaticRouteKey.$Properties, path: string): Problem[] {
  return [
    ...requiredTextProblems(keyPath(path, 'group'), group, routedGroupsFault),
    ...optionalTextProblems(keyPath(path, 'source'), source, unicastPrefixFault),
  ];
}

export function ssmMappingProblems(mapping: xmcast.v1.SsmMappingConfig.$Properties | null | undefined): Problem[] {
  if (mapping === undefined || mapping === null) return [];
  return [
    ...listProblems('ssm_mapping.static', mapping.static, MAX_SSM_MAPPINGS, staticMappingProblems),
    ...textProblems('ssm_mapping.dns_domain', mapping.dnsDomain, domainFault),
    ...textListProblems('ssm_mapping.dns_servers', mapping.dnsServers, MAX_DNS_SERVERS, dnsServerFault),
  ];
}

function staticMappingProblems({ group, sources }: xmcast.v1.SsmMapping.$Properties, path: string): Problem[] {
  const sourcesPath = keyPath(path, 'sources');
  return [
    ...requiredTextProblems(keyPath(path, 'group'), group, routedGroupsFault),
    ...(sources === undefined || sources === null || sources.length === 0
      ? [problem(sourcesPath, `none given; allowed are 1 to ${MAX_MAPPED_SOURCES}`)]
      : textListProblems(sourcesPath, sources, MAX_MAPPED_SOURCES, unicastFault)),
  ];
}
