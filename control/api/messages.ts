/**
 * State of the router as messages of the API: names, addresses as text, counters and times in their wire form. Pure.
 */
import { xmcast } from '#proto';

import type { DataplaneLink } from '../dataplane/api';
import { formatIpv4, formatPrefix, type Ipv4 } from '../protocol/packet/address';
import type { IgmpHostSnapshot } from '../protocol/igmp/host/api';
import type { QuerierSnapshot } from '../protocol/igmp/router/api';
import { groupText, sourceText } from './route-text';
import type { FlowState, InterfaceState, NeighborState, ReportState, RouteState, StatusState, TakeoverState } from './state-source';
import { toWire, toWireMap } from './u64';
import { toWireTime } from './wire-time';

const { Interface, Membership } = xmcast.v1;

const STATUS = {
  absent: Interface.Status.STATUS_ABSENT,
  down: Interface.Status.STATUS_DOWN,
  'no-address': Interface.Status.STATUS_NO_ADDRESS,
  attaching: Interface.Status.STATUS_ATTACHING,
  error: Interface.Status.STATUS_ERROR,
  forwarding: Interface.Status.STATUS_FORWARDING,
} as const;
const ROLE = { upstream: Interface.Role.ROLE_UPSTREAM, downstream: Interface.Role.ROLE_DOWNSTREAM } as const;
export const MODE = { none: Interface.Mode.MODE_NONE, xdp: Interface.Mode.MODE_XDP, tc: Interface.Mode.MODE_TC } as const;
export const FILTER_MODE = {
  include: Membership.FilterMode.FILTER_MODE_INCLUDE,
  exclude: Membership.FilterMode.FILTER_MODE_EXCLUDE,
} as const;

function takeoverMessage(state: TakeoverState): xmcast.v1.TakeoverStatus.$Properties {
  const { ports, routes, staleRoutes, unclaimedMemberships, holdEndsAtMs } = state;
  return { ports, routes, staleRoutes, unclaimedMemberships, ...(holdEndsAtMs === undefined ? {} : { holdEndTime: toWireTime(holdEndsAtMs) }) };
}

export function statusMessage(state: StatusState): xmcast.v1.GetStatusResponse.$Properties {
  return {
    version: state.version,
    startTime: toWireTime(state.startedAtMs),
    ready: state.ready,
    interfacesConfigured: state.interfaces.configured,
    interfacesForwarding: state.interfaces.forwarding,
    memberships: state.memberships,
    routesInstalled: state.routes.installed,
    routesLimit: state.routes.limit,
    routesRefused: toWire(state.routes.refused),
    replicationGroupsUsed: state.replicationGroups.used,
    replicationGroupsLimit: state.replicationGroups.limit,
    conditions: [...state.conditions],
    membershipBudgetUsed: state.membershipBudget.used,
    membershipBudgetLimit: state.membershipBudget.limit,
    ...(state.takeover === undefined ? {} : { takeover: takeoverMessage(state.takeover) }),
    repairs: Object.fromEntries([...state.repairs].map(([kind, count]) => [kind, toWire(count)])),
    ...(state.dataplane === undefined ? {} : { dataplaneLink: linkMessage(state.dataplane) }),
    ...(state.countersResetWallMs === undefined ? {} : { countersResetTime: toWireTime(state.countersResetWallMs) }),
  };
}

function linkMessage({ target, isUp, sinceMs, problem, connects, puntsLost }: DataplaneLink): xmcast.v1.DataplaneLink.$Properties {
  return { target, up: isUp, since: toWireTime(sinceMs), problem, connects, puntsLost: toWire(puntsLost) };
}

export function interfaceMessage(state: InterfaceState): xmcast.v1.Interface.$Properties {
  return {
    name: state.name,
    ifindex: state.ifindex,
    role: ROLE[state.role],
    status: STATUS[state.status],
    problem: state.problem,
    mode: MODE[state.mode],
    modeReason: state.modeReason,
    macAddress: state.macAddress,
    addresses: state.addresses.map(formatPrefix),
    mtu: state.mtu,
    ttlThreshold: state.ttlThreshold,
    rxPackets: toWire(state.rxPackets),
    rxBytes: toWire(state.rxBytes),
    acceptedPackets: toWire(state.acceptedPackets),
    resentPackets: toWire(state.resentPackets),
    originatedPackets: toWire(state.originatedPackets),
    txPackets: toWire(state.txPackets),
    txBytes: toWire(state.txBytes),
    drops: toWireMap(state.drops),
    punts: toWireMap(state.punts),
    puntDrops: toWireMap(state.puntDrops),
    querier: state.querier === undefined ? null : querierMessage(state.querier),
    memberships: state.memberships,
    igmpVersion: state.igmpVersion,
    igmpReceived: toWireMap(state.igmpReceived),
    igmpSent: toWireMap(state.igmpSent),
    igmpDropped: toWireMap(state.igmpDropped),
    forwardsToHosts: state.forwardsToHosts,
    igmpHost: state.host === undefined ? null : igmpHostMessage(state.host),
    alternativeSubnets: state.alternativeSubnets.map(formatPrefix),
    parent: state.trunk?.name ?? '',
    vlanId: state.trunk?.vlan ?? 0,
  };
}

/** An address of 0 means that nobody asks (the link is down): empty, not "0.0.0.0". */
function querierMessage(state: QuerierSnapshot): xmcast.v1.Querier.$Properties {
  return {
    self: state.isQuerier,
    address: addressOrNone(state.address),
    expiresIn: timeOrNone(state.otherQuerierPresentMs),
  };
}

function igmpHostMessage(state: IgmpHostSnapshot): xmcast.v1.IgmpHost.$Properties {
  return {
    version: state.version,
    querier: addressOrNone(state.querier),
    lastQueryAge: timeOrNone(state.lastQueryMs),
    olderVersionExpiresIn: timeOrNone(state.olderVersionMs),
    groups: state.groups,
  };
}

export function reportMessage(state: ReportState): xmcast.v1.Report.$Properties {
  return {
    interface: state.interface,
    group: formatIpv4(state.group),
    filterMode: FILTER_MODE[state.filter.mode],
    sources: state.filter.sources.map(formatIpv4),
  };
}

export function routeMessage(state: RouteState): xmcast.v1.Route.$Properties {
  return {
    source: sourceText(state),
    group: groupText(state),
    incomingInterface: state.incomingInterface,
    outgoingInterfaces: [...state.outgoingInterfaces],
    localInterfaces: [...state.localInterfaces],
    installed: state.installed,
    problem: state.problem,
    age: toWireTime(state.ageMs),
    static: state.isStatic,
  };
}

export function flowMessage(state: FlowState): xmcast.v1.Flow.$Properties {
  return {
    source: sourceText(state),
    group: groupText(state),
    incomingInterface: state.incomingInterface,
    outgoingInterfaces: [...state.outgoingInterfaces],
    packets: toWire(state.packets),
    bytes: toWire(state.bytes),
    replicatedPackets: toWire(state.replicatedPackets),
    replicatedBytes: toWire(state.replicatedBytes),
    expectedPackets: toWire(state.expectedPackets),
    failedPackets: toWire(state.failedPackets),
    droppedPackets: toWire(state.droppedPackets),
    skippedPackets: toWire(state.skippedPackets),
    wrongInterfacePackets: toWire(state.wrongInterfacePackets),
    ttlDroppedPackets: toWire(state.ttlDroppedPackets),
    packetsPerSecond: state.packetsPerSecond,
    bitsPerSecond: state.bitsPerSecond,
    readTime: toWireTime(state.readAtMs),
  };
}

export function neighborMessage(state: NeighborState): xmcast.v1.Neighbor.$Properties {
  return {
    interface: state.interface,
    address: formatIpv4(state.address),
    querier: state.isQuerier,
    igmpVersion: state.version,
    age: toWireTime(state.ageMs),
    lastHeardAge: toWireTime(state.lastHeardMs),
    expiresIn: toWireTime(state.expiresMs),
    queries: toWire(state.queries),
  };
}

function addressOrNone(address: Ipv4): string {
  return address === 0 ? '' : formatIpv4(address);
}

function timeOrNone(ms: number | undefined): ReturnType<typeof toWireTime> | null {
  return ms === undefined ? null : toWireTime(ms);
}
