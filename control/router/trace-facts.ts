/**
 * Everything a trace has to know of the router about one packet, as plain data. Decides nothing: trace.ts does.
 */
import type { TraceQuestion } from '../api/trace-source';
import { wants, type Demand } from '../mrib/group-state';
import { isRange, nameOf, type VportId, type WantedRoute } from '../mrib/route';
import { permitted } from '../protocol/igmp/router/access';
import type { TrackedHost } from '../protocol/igmp/router/api';
import { RecordType } from '../protocol/igmp/message';
import { formatIpv4, formatPrefix, prefixContains, type Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';
import type { ReversePathRule } from './reverse-path';
import type { Router } from './router';

export interface PortFacts {
  readonly vport: VportId;
  readonly name: string;
  readonly isUpstream: boolean;
  readonly exists: boolean;
  readonly isUp: boolean;
  readonly mode: 'xdp' | 'tc' | undefined;
  /** Why it could not be attached. */
  readonly problem: string | undefined;
  readonly ttlThreshold: number;
  readonly mtu: number;
  /** The boundary the group must not cross here. */
  readonly boundary: string | undefined;
  readonly forwardsToHosts: boolean;
  /** Address of the other router that asks here. */
  readonly otherQuerier: string | undefined;
  /** What the interface asks for of the group; undefined: nothing. */
  readonly demand: { readonly mode: 'include' | 'exclude'; readonly wantsSource: boolean; readonly isStatic: boolean } | undefined;
  /** Hosts known to want these packets. */
  readonly hosts: readonly string[];
  /** Of the host that was asked about: undefined when it is not behind this interface. */
  readonly host: HostFacts | undefined;
  /** Why a join for the group would be refused here now. */
  readonly refusal: string | undefined;
}

export interface HostFacts {
  readonly address: string;
  readonly wants: 'nothing' | 'these' | 'others';
}

export interface RouteFacts {
  readonly name: string;
  readonly kind: 'source' | 'group' | 'range';
  readonly isStatic: boolean;
  readonly incoming: VportId | undefined;
  readonly outgoing: readonly VportId[];
  readonly ttlThreshold: number;
  readonly isLocal: boolean;
  /** Why it is not installed; "" when it is. */
  readonly problem: string;
  readonly counted: { readonly packets: bigint; readonly wrongInterface: bigint; readonly ttlDrops: bigint } | undefined;
}

export interface TraceFacts {
  readonly ports: readonly PortFacts[];
  readonly expected: { readonly vports: readonly VportId[]; readonly rule: ReversePathRule };
  /** The entry of the forwarding table that takes the packet. */
  readonly route: RouteFacts | undefined;
  /** Without an entry: what the first packet by this interface would make. */
  readonly preview: (incoming: VportId) => { readonly outgoing: readonly VportId[]; readonly isLocal: boolean } | undefined;
  /** One of the router's own addresses is the source. */
  readonly ownAddressOf: string | undefined;
}

export function traceFacts(router: Router, question: TraceQuestion, nowMs: number): TraceFacts {
  const { source, group } = question;
  const { mrib, path } = router;
  return {
    ports: router.ports.map((port) => portFacts(router, port, question, nowMs)),
    // Where an unknown source is nobody can say: upstream, if anywhere.
    expected: source === 0 ? { vports: path.upstreams(group), rule: 'upstream' } : path.explain(source, group),
    route: routeFacts(router, mrib.wantedRoute(source, group) ?? mrib.wantedRoute(0, group) ?? mrib.rangeFor(source, group)),
    preview: (incoming) => {
      const route = mrib.preview(source, group, incoming);
      return route === undefined ? undefined : { outgoing: route.outgoing, isLocal: route.local !== undefined };
    },
    ownAddressOf: path.ownerOf(source)?.name,
  };
}

function routeFacts(router: Router, route: WantedRoute | undefined): RouteFacts | undefined {
  if (route === undefined) return undefined;
  const source = route.source === 0 ? '*' : formatIpv4(route.source);
  const range = `(${nameOf(route).replace(' ', ', ')})`;
  const counters = router.counters.snapshot.route(nameOf(route));
  return {
    name: isRange(route) ? range : `(${source}, ${formatIpv4(route.group)})`,
    kind: isRange(route) ? 'range' : route.source === 0 ? 'group' : 'source',
    isStatic: router.mrib.isStatic(route),
    incoming: route.incoming,
    outgoing: route.outgoing,
    ttlThreshold: route.ttlThreshold ?? 0,
    isLocal: route.local !== undefined,
    problem: router.routes.problemOf(route),
    counted: counters === undefined ? undefined : { packets: counters.packets, wrongInterface: counters.wrongInterface, ttlDrops: counters.ttlDrops },
  };
}

function portFacts(router: Router, port: Port, question: TraceQuestion, nowMs: number): PortFacts {
  const { settings, link } = port;
  const { group, source, host } = question;
  const querier = port.igmp?.querier(nowMs);
  const membership = port.igmp?.membership(group, nowMs);
  const boundary = settings.boundaries.find((prefix) => prefixContains(prefix, group));
  const demand = router.mrib.demandsOf(group).find(({ vport }) => vport === port.vport);
  return {
    vport: port.vport,
    name: port.name,
    isUpstream: settings.upstream !== undefined,
    exists: link !== undefined,
    isUp: link?.up === true,
    mode: port.attachment?.mode,
    problem: port.problem?.message,
    ttlThreshold: settings.ttlThreshold,
    mtu: link?.mtu ?? 0,
    boundary: boundary === undefined ? undefined : formatPrefix(boundary),
    forwardsToHosts: port.forwardsToHosts,
    otherQuerier: querier?.isQuerier === false && querier.address !== 0 ? formatIpv4(querier.address) : undefined,
    demand: demand === undefined ? undefined : { ...demandFacts(demand, source), isStatic: membership?.isStatic === true },
    hosts: (membership?.hosts ?? []).filter((one) => hostWants(one, source)).map(({ address }) => formatIpv4(address)),
    host: host === undefined || !isBehind(port, host) ? undefined : hostFacts(membership?.hosts ?? [], host, source),
    refusal: refusalOf(router, port, question),
  };
}

function demandFacts(demand: Demand, source: Ipv4): { readonly mode: 'include' | 'exclude'; readonly wantsSource: boolean } {
  return { mode: demand.mode, wantsSource: source === 0 ? demand.mode === 'exclude' : wants(demand, source) };
}

function hostWants({ mode, sources }: TrackedHost, source: Ipv4): boolean {
  return source === 0 ? mode === 'exclude' : sources.includes(source) === (mode === 'include');
}

function hostFacts(hosts: readonly TrackedHost[], address: Ipv4, source: Ipv4): HostFacts {
  const host = hosts.find((one) => one.address === address);
  const text = formatIpv4(address);
  if (host === undefined) return { address: text, wants: 'nothing' };
  return { address: text, wants: hostWants(host, source) ? 'these' : 'others' };
}

function isBehind({ addresses, settings }: Port, host: Ipv4): boolean {
  return [...addresses, ...settings.alternativeSubnets].some((prefix) => prefix.length > 0 && prefixContains(prefix, host));
}

/** As the router side of IGMP would decide about a join from the host asked about, or from any. */
function refusalOf(router: Router, port: Port, { group, source, host }: TraceQuestion): string | undefined {
  const { igmp } = port.settings;
  if (port.settings.upstream !== undefined) return undefined;
  const isMember = router.mrib.demandsOf(group).some(({ vport }) => vport === port.vport);
  const type = source === 0 ? RecordType.MODE_IS_EXCLUDE : RecordType.MODE_IS_INCLUDE;
  const sources = source === 0 ? [] : [source];
  const record = { type, group, sources, reporter: host ?? 0, version: 3 as const, isLeave: false, mapped: undefined };
  const everySource = { ...record, type: RecordType.MODE_IS_EXCLUDE, sources: [] };
  if (host !== undefined && permitted(record, igmp.access) === undefined && permitted(everySource, igmp.access) === undefined) {
    return `igmp.access denies ${formatIpv4(host)} this group`;
  }
  if (source === 0 && prefixContains(igmp.ssmRange, group) && !isMember) return `the group is in the source-specific range ${formatPrefix(igmp.ssmRange)}: a host has to name sources`;
  if (isMember || igmp.limits.exceptions.some((prefix) => prefixContains(prefix, group))) return undefined;
  const { groups } = igmp.limits;
  if ((port.igmp?.membershipCount ?? 0) >= groups) return `igmp.max_groups of ${groups} is reached: new groups are refused`;
  const { used, limit } = router.budget;
  return used >= limit ? `limits.memberships of ${limit} is reached: new groups are refused` : undefined;
}
