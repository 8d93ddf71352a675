/**
 * The catalogue of metrics with few series: the router as a whole and its interfaces. docs/metrics.md describes each; a test compares
 * the two. Flows have a file of their own.
 */
import type { InterfaceState, StateSource, StatusState, TakeoverState } from '../api/state-source';
import { REPAIR_KINDS, type DataplaneLink } from '../dataplane/api';

import type { TopicUsage } from '../api/watch-usage';

import { familyHeader, type Labels, labelText, type MetricFamily, sampleLine, type SampleValue } from './text';

interface RouterView {
  readonly status: StatusState;
  readonly interfaces: readonly InterfaceState[];
  readonly flows: number;
  readonly watches: readonly TopicUsage[];
}

type Sample = readonly [labels: Labels, value: SampleValue];

interface RouterFamily extends MetricFamily {
  readonly samples: (view: RouterView) => readonly Sample[];
}

/** One text with all families; short, since its size depends on interfaces and reasons only. */
export function renderRouterMetrics(state: StateSource, flows: number): string {
  const watches = state.watchUsage.snapshot();
  const view: RouterView = { status: state.status(), interfaces: state.interfaces(), flows, watches };
  return FAMILIES.map((family) => {
    const lines = family.samples(view).map(([labels, value]) => sampleLine(family.name, labelText(labels), value));
    return familyHeader(family) + lines.join('');
  }).join('');
}

function gauge(name: string, help: string, value: (status: StatusState) => number): RouterFamily {
  return { name, type: 'gauge', help, samples: (view) => [[{}, value(view.status)]] };
}

function perInterface(
  name: string,
  type: MetricFamily['type'],
  help: string,
  value: (state: InterfaceState) => SampleValue,
): RouterFamily {
  return { name, type, help, samples: (view) => view.interfaces.map((state) => [{ interface: state.name }, value(state)]) };
}

/** A counter by reason, class or kind. Only what has occurred has a series. */
function perInterfaceAnd(
  label: string,
  name: string,
  help: string,
  counters: (state: InterfaceState) => ReadonlyMap<string, bigint>,
): RouterFamily {
  const samplesOf = (state: InterfaceState): Sample[] =>
    [...counters(state)].map(([kind, value]) => [{ interface: state.name, [label]: kind }, value]);
  return { name, type: 'counter', help, samples: (view) => view.interfaces.flatMap(samplesOf) };
}

/** A gauge of those interfaces that have a figure to show. */
function perInterfaceIf(name: string, help: string, value: (state: InterfaceState) => SampleValue | undefined): RouterFamily {
  const samplesOf = (state: InterfaceState): Sample[] => {
    const found = value(state);
    return found === undefined ? [] : [[{ interface: state.name }, found]];
  };
  return { name, type: 'gauge', help, samples: (view) => view.interfaces.flatMap(samplesOf) };
}

/** 0 where the daemon began with nothing. */
function takeoverGauge(name: string, help: string, value: (state: TakeoverState) => number): RouterFamily {
  return gauge(name, help, ({ takeover }) => (takeover === undefined ? 0 : value(takeover)));
}

/** Only where the data plane is another process. */
function ofLink(name: string, type: MetricFamily['type'], help: string, valueOf: (link: DataplaneLink) => number | bigint): RouterFamily {
  return { name, type, help, samples: ({ status: { dataplane } }) => (dataplane === undefined ? [] : [[{ target: dataplane.target }, valueOf(dataplane)]]) };
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}

const STATUS_FAMILIES: readonly RouterFamily[] = [
  {
    name: 'xmcast_build_info',
    type: 'gauge',
    help: 'Always 1; the version is a label.',
    samples: ({ status }) => [[{ version: status.version, node: process.version }, 1]],
  },
  gauge('xmcast_start_time_seconds', 'When xmcastd started, as Unix time.', (status) => status.startedAtMs / 1000),
  gauge('xmcast_ready', '1 while the forwarder is attached to every configured interface that exists.', (status) =>
    flag(status.ready),
  ),
  gauge(
    'xmcast_conditions',
    'Things an operator should look at; xmcastctl status names them.',
    (status) => status.conditions.length,
  ),
  gauge('xmcast_interfaces_configured', 'Interfaces in the configuration.', (status) => status.interfaces.configured),
  gauge('xmcast_interfaces_forwarding', 'Interfaces that forward.', (status) => status.interfaces.forwarding),
  gauge('xmcast_memberships', 'Groups with listeners, counted once per interface.', (status) => status.memberships),
  gauge(
    'xmcast_membership_budget_used',
    'Groups that count towards the limit of all interfaces together.',
    (status) => status.membershipBudget.used,
  ),
  gauge('xmcast_membership_budget_limit', 'That limit.', (status) => status.membershipBudget.limit),
  gauge('xmcast_routes_installed', 'Routes in the data plane.', (status) => status.routes.installed),
  gauge('xmcast_routes_limit', 'Routes the data plane has room for.', (status) => status.routes.limit),
  {
    name: 'xmcast_routes_refused_total',
    type: 'counter',
    help: 'Routes not installed because a table was full.',
    samples: ({ status }) => [[{}, status.routes.refused]],
  },
  gauge('xmcast_static_routes', 'Static routes given over the API, in effect or not.', (status) => status.staticEntries.routes),
  gauge('xmcast_static_memberships', 'Static memberships given over the API, in effect or not.', (status) => status.staticEntries.memberships),
  gauge('xmcast_static_entries_limit', 'How many of both there may be.', (status) => status.staticEntries.limit),
  {
    name: 'xmcast_static_leases_expired_total',
    type: 'counter',
    help: 'Owners whose static entries went because nobody renewed their lease.',
    samples: ({ status }) => [[{}, status.staticEntries.expiredLeases]],
  },
  gauge('xmcast_replication_groups_used', 'Distinct outgoing sets in the data plane.', (status) => status.replicationGroups.used),
  gauge(
    'xmcast_replication_groups_limit',
    'Outgoing sets the data plane has room for.',
    (status) => status.replicationGroups.limit,
  ),
  takeoverGauge('xmcast_takeover_routes', 'Routes that were forwarding before the start and went on.', ({ routes }) => routes),
  takeoverGauge('xmcast_takeover_stale_routes', 'Routes among them that nothing known so far asks for.', ({ staleRoutes }) => staleRoutes),
  takeoverGauge('xmcast_takeover_unclaimed_memberships', 'Memberships of before the start that no host has claimed so far.', (state) => state.unclaimedMemberships),
  {
    name: 'xmcast_repairs_total',
    type: 'counter',
    help: 'What somebody else had changed in the kernel and was put right.',
    samples: ({ status }) => REPAIR_KINDS.map((kind): Sample => [{ kind }, status.repairs.get(kind) ?? 0n]),
  },
  ofLink('xmcast_dataplane_up', 'gauge', '1 while the data plane can be reached and has what it should have.', ({ isUp }) => flag(isUp)),
  ofLink('xmcast_dataplane_connects_total', 'counter', 'Times the data plane came within reach.', ({ connects }) => connects),
  ofLink('xmcast_dataplane_punts_lost_total', 'counter', 'Packets for the controller that were lost between the two processes.', ({ puntsLost }) => puntsLost),
  { name: 'xmcast_flows', type: 'gauge', help: 'Routes with counters.', samples: (view) => [[{}, view.flows]] },
];

const INTERFACE_FAMILIES: readonly RouterFamily[] = [
  {
    name: 'xmcast_interface_info',
    type: 'gauge',
    help: 'Always 1; role, status and mode of the interface are labels.',
    samples: (view) => view.interfaces.map(({ name, role, status, mode }) => [{ interface: name, role, status, mode }, 1]),
  },
  perInterface('xmcast_interface_forwarding', 'gauge', '1 while the interface forwards.', (state) =>
    flag(state.status === 'forwarding'),
  ),
  perInterface(
    'xmcast_interface_received_packets_total',
    'counter',
    'Multicast data packets received.',
    (state) => state.rxPackets,
  ),
  perInterface(
    'xmcast_interface_received_bytes_total',
    'counter',
    'Bytes of multicast data received, from the IP header on.',
    (state) => state.rxBytes,
  ),
  perInterface(
    'xmcast_interface_accepted_packets_total',
    'counter',
    'Multicast data packets taken by a route.',
    (state) => state.acceptedPackets,
  ),
  perInterface(
    'xmcast_interface_resent_packets_total',
    'counter',
    'First packets of flows sent on once their route was there.',
    (state) => state.resentPackets,
  ),
  perInterface(
    'xmcast_interface_originated_packets_total',
    'counter',
    'Multicast data packets that the machine itself sent out here, as if they had come in.',
    (state) => state.originatedPackets,
  ),
  perInterface(
    'xmcast_interface_transmitted_packets_total',
    'counter',
    'Copies handed to the driver.',
    (state) => state.txPackets,
  ),
  perInterface(
    'xmcast_interface_transmitted_bytes_total',
    'counter',
    'Bytes of copies handed to the driver, from the IP header on.',
    (state) => state.txBytes,
  ),
  perInterface('xmcast_igmp_groups', 'gauge', 'Groups with listeners.', (state) => state.memberships),
  perInterfaceAnd('reason', 'xmcast_dropped_packets_total', 'Data packets and copies dropped.', (state) => state.drops),
  perInterfaceAnd('class', 'xmcast_punted_packets_total', 'Packets handed to the controller.', (state) => state.punts),
  perInterfaceAnd(
    'class',
    'xmcast_punt_policed_packets_total',
    'Packets that the policers kept from the controller.',
    (state) => state.puntDrops,
  ),
];

const IGMP_FAMILIES: readonly RouterFamily[] = [
  perInterfaceAnd('message', 'xmcast_igmp_messages_received_total', 'IGMP messages received.', (state) => state.igmpReceived),
  perInterfaceAnd('message', 'xmcast_igmp_messages_sent_total', 'IGMP messages sent.', (state) => state.igmpSent),
  perInterfaceAnd(
    'reason',
    'xmcast_igmp_dropped_total',
    'IGMP packets, records or sources refused.',
    (state) => state.igmpDropped,
  ),
  perInterfaceIf(
    'xmcast_igmp_querier',
    '1 while this router is the querier of the link; downstream interfaces only.',
    ({ querier }) => (querier === undefined ? undefined : flag(querier.isQuerier)),
  ),
  perInterfaceIf(
    'xmcast_interface_forwards_to_hosts',
    '0 while streams are kept from the hosts because another router is the querier; downstream interfaces only.',
    (state) => (state.role === 'downstream' ? flag(state.forwardsToHosts) : undefined),
  ),
  perInterfaceIf(
    'xmcast_igmp_host_version',
    'IGMP version of the reports; upstream interfaces only.',
    ({ host }) => host?.version,
  ),
  perInterfaceIf('xmcast_igmp_host_groups', 'Groups reported; upstream interfaces only.', ({ host }) => host?.groups),
  perInterfaceIf(
    'xmcast_igmp_host_last_query_age_seconds',
    'Since the last query was heard; upstream interfaces only, once there was one.',
    ({ host }) => (host?.lastQueryMs === undefined ? undefined : host.lastQueryMs / 1000),
  ),
];

function perTopic(name: string, type: MetricFamily['type'], help: string, value: (usage: TopicUsage) => SampleValue): RouterFamily {
  return { name, type, help, samples: (view) => view.watches.map((usage) => [{ topic: usage.topic }, value(usage)]) };
}

const WATCH_FAMILIES: readonly RouterFamily[] = [
  perTopic('xmcast_watch_subscribers', 'gauge', 'Watch streams of the API that are open.', (usage) => usage.subscribers),
  perTopic(
    'xmcast_watch_coalesced_total',
    'counter',
    'Changes not sent to a watcher because a later one of the same entry took their place, and events a watcher was too slow for.',
    (usage) => usage.coalesced,
  ),
  perTopic(
    'xmcast_watch_stalled_total',
    'counter',
    'Watch streams that were ended because their client did not read.',
    (usage) => usage.stalled,
  ),
];

const FAMILIES: readonly RouterFamily[] = [...STATUS_FAMILIES, ...INTERFACE_FAMILIES, ...IGMP_FAMILIES, ...WATCH_FAMILIES];
