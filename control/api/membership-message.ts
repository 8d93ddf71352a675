/**
 * Memberships and the hosts behind them as messages of the API. Pure. Hosts decide how many there are and what they name, so this is
 * also where one message is kept from growing without bound.
 */
import type { xmcast } from '#proto';

import { formatIpv4 } from '../protocol/packet/address';
import type { TrackedHost } from '../protocol/igmp/router/api';
import { FILTER_MODE } from './messages';
import type { MembershipState } from './state-source';
import { toWireTime } from './wire-time';

/** What a host costs beside its sources, in addresses. */
const HOST_WEIGHT = 4;
/** Addresses that the hosts of one membership may fill: about half a megabyte, where clients of gRPC take four by default. */
const HOSTS_WEIGHT_LIMIT = 32_768;

export function membershipMessage(state: MembershipState): xmcast.v1.Membership.$Properties {
  return {
    interface: state.interface,
    group: formatIpv4(state.group),
    filterMode: FILTER_MODE[state.mode],
    compatibilityVersion: state.compatibilityVersion,
    expiresIn: expiry(state.groupTimerMs),
    sources: state.sources.map(({ source, forwarded, timerMs }) => ({
      source: formatIpv4(source),
      forwarded,
      expiresIn: expiry(timerMs),
    })),
    // 0.0.0.0 is also what hosts without an address report from (RFC 3376 §4.2.13); nobody has reported a group that is only static.
    lastReporter: state.isStatic && state.lastReporter === 0 ? '' : formatIpv4(state.lastReporter),
    age: toWireTime(state.ageMs),
    static: state.isStatic,
    hosts: namedHosts(state.hosts).map(hostMessage),
    allHostsKnown: state.allHostsKnown,
    hostCount: state.hosts.length,
  };
}

/** How much of a page it fills, in addresses. */
export function membershipWeight({ sources, hosts }: MembershipState): number {
  return (
    HOST_WEIGHT +
    sources.length +
    Math.min(
      HOSTS_WEIGHT_LIMIT,
      hosts.reduce((sum, host) => sum + hostWeight(host), 0),
    )
  );
}

/** By address; the first ones, as far as there is room. */
function namedHosts(hosts: readonly TrackedHost[]): readonly TrackedHost[] {
  const sorted = [...hosts].sort((left, right) => left.address - right.address);
  let weight = 0;
  const firstUnnamed = sorted.findIndex((host) => (weight += hostWeight(host)) > HOSTS_WEIGHT_LIMIT);
  return firstUnnamed === -1 ? sorted : sorted.slice(0, firstUnnamed);
}

function hostWeight(host: TrackedHost): number {
  return HOST_WEIGHT + host.sources.length;
}

function hostMessage(host: TrackedHost): xmcast.v1.MembershipHost.$Properties {
  return {
    address: formatIpv4(host.address),
    version: host.version,
    filterMode: FILTER_MODE[host.mode],
    sources: host.sources.map(formatIpv4),
    age: toWireTime(host.ageMs),
    lastReportAge: toWireTime(host.lastReportMs),
  };
}

/** No timer runs for what only the configuration wants. */
function expiry(timerMs: number | undefined): ReturnType<typeof toWireTime> | null {
  return timerMs === undefined || timerMs === Infinity ? null : toWireTime(timerMs);
}
