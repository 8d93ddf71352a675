/**
 * StateService over a StateSource: filters, orders and pages what the router knows. Never changes anything.
 */
import type { xmcast } from '#proto';

import type { EventLog } from '../events';

import type { ServiceHandlers } from './define-service';
import { eventFilter } from './event-filter';
import { eventMessage } from './event-message';
import { membershipMessage, membershipWeight } from './membership-message';
import { flowMessage, interfaceMessage, neighborMessage, reportMessage, routeMessage } from './messages';
import { type PageKey, pageOf } from './paging';
import { groupRange, sourceRange } from './route-text';
import { groupAndSource, interfaceAndGroup } from './state-filters';
import type { FlowState, MembershipState, ReportState, RouteState, StateSource } from './state-source';

type Handlers = ServiceHandlers<xmcast.v1.StateService>;
type Route = RouteState | FlowState;

/** Names, counters and times of an entry beside its lists, in addresses. */
export const ENTRY_WEIGHT = 8;

export function stateServiceHandlers(state: StateSource, events: EventLog): Handlers {
  return {
    listInterfaces: (request) => listInterfaces(state, request),
    listMemberships: (request) => listMemberships(state, request),
    listReports: (request) => listReports(state, request),
    listRoutes: (request) => listRoutes(state, request),
    listFlows: (request) => listFlows(state, request),
    listNeighbors: (request) => listNeighbors(state, request),
    listEvents: (request) => listEvents(events, request),
  };
}

function listInterfaces(
  state: StateSource,
  request: xmcast.v1.ListInterfacesRequest.$Properties,
): xmcast.v1.ListInterfacesResponse.$Properties {
  const name = request.name ?? '';
  // Order of configuration is what operators know; names are unique in it, so the position is a key.
  const positioned = state.interfaces().map((entry, position) => ({ entry, position }));
  const page = pageOf(
    positioned.filter(({ entry }) => name === '' || entry.name === name),
    request,
    { query: ['interfaces', name], keyOf: ({ position }) => [position], weightOf: () => ENTRY_WEIGHT },
  );
  return { interfaces: page.items.map(({ entry }) => interfaceMessage(entry)), nextPageToken: page.nextPageToken };
}

function listMemberships(
  state: StateSource,
  request: xmcast.v1.ListMembershipsRequest.$Properties,
): xmcast.v1.ListMembershipsResponse.$Properties {
  const { query, matches } = interfaceAndGroup(request);
  const page = pageOf(state.memberships().filter(matches), request, {
    query: ['memberships', ...query],
    keyOf: interfaceAndGroupKey,
    weightOf: membershipWeight,
  });
  return { memberships: page.items.map(membershipMessage), nextPageToken: page.nextPageToken };
}

function listReports(
  state: StateSource,
  request: xmcast.v1.ListReportsRequest.$Properties,
): xmcast.v1.ListReportsResponse.$Properties {
  const { query, matches } = interfaceAndGroup(request);
  const page = pageOf(state.reports().filter(matches), request, {
    query: ['reports', ...query],
    keyOf: interfaceAndGroupKey,
    weightOf: reportWeight,
  });
  return { reports: page.items.map(reportMessage), nextPageToken: page.nextPageToken };
}

function listRoutes(
  state: StateSource,
  request: xmcast.v1.ListRoutesRequest.$Properties,
): xmcast.v1.ListRoutesResponse.$Properties {
  const { query, matches } = groupAndSource(request);
  const page = pageOf(state.routes().filter(matches), request, {
    query: ['routes', ...query],
    keyOf: routeKey,
    weightOf: routeWeight,
  });
  return { routes: page.items.map(routeMessage), nextPageToken: page.nextPageToken };
}

async function listFlows(
  state: StateSource,
  request: xmcast.v1.ListFlowsRequest.$Properties,
): Promise<xmcast.v1.ListFlowsResponse.$Properties> {
  const { query, matches } = groupAndSource(request);
  if (request.fresh === true) await state.refreshCounters();
  const page = pageOf(state.flows().filter(matches), request, {
    query: ['flows', ...query],
    keyOf: routeKey,
    weightOf: routeWeight,
  });
  return { flows: page.items.map(flowMessage), nextPageToken: page.nextPageToken };
}

function listNeighbors(
  state: StateSource,
  request: xmcast.v1.ListNeighborsRequest.$Properties,
): xmcast.v1.ListNeighborsResponse.$Properties {
  const name = request.interface ?? '';
  const page = pageOf(
    state.neighbors().filter((entry) => name === '' || entry.interface === name),
    request,
    { query: ['neighbors', name], keyOf: (entry) => [entry.interface, entry.address], weightOf: () => ENTRY_WEIGHT },
  );
  return { neighbors: page.items.map(neighborMessage), nextPageToken: page.nextPageToken };
}

function listEvents(events: EventLog, request: xmcast.v1.ListEventsRequest.$Properties): xmcast.v1.ListEventsResponse.$Properties {
  const { query, matches } = eventFilter(request);
  const page = pageOf([...events.after(0)].filter(matches), request, {
    query: ['events', events.epoch, ...query],
    keyOf: ({ sequence }) => [sequence],
    weightOf: () => ENTRY_WEIGHT,
  });
  return { events: page.items.map(eventMessage), nextPageToken: page.nextPageToken };
}

function interfaceAndGroupKey(entry: MembershipState | ReportState): PageKey {
  return [entry.interface, entry.group];
}

/**
 * A range comes before what lies within it. What follows the two prefixes keeps keys distinct: a static route may be a range of one
 * group beside the (S,G) or (*,G) of the same addresses, and a route might one day be listed once per incoming interface.
 */
function routeKey(entry: Route): PageKey {
  const group = groupRange(entry);
  const source = sourceRange(entry);
  const isRange = entry.groupLength !== undefined || entry.sourceLength !== undefined;
  return [group.address, group.length, source.address, source.length, isRange ? 0 : 1, entry.incomingInterface];
}

export function routeWeight(entry: Route): number {
  return ENTRY_WEIGHT + entry.outgoingInterfaces.length;
}

export function reportWeight({ filter }: ReportState): number {
  return ENTRY_WEIGHT + filter.sources.length;
}
