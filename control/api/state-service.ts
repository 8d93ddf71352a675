/**
 * StateService over a StateSource: filters, orders and pages what the router knows. Never changes anything.
 */
import type { xmcast } from '#proto';

import type { ServiceHandlers } from './define-service';
import { addressFilter, sourceFilter } from './filters';
import { membershipMessage, membershipWeight } from './membership-message';
import { flowMessage, interfaceMessage, reportMessage, routeMessage } from './messages';
import { type PageKey, pageOf } from './paging';
import { groupRange, sourceRange } from './route-text';
import type { FlowState, MembershipState, ReportState, RouteState, StateSource } from './state-source';

type Handlers = ServiceHandlers<xmcast.v1.StateService>;
type Route = RouteState | FlowState;

/** Names, counters and times of an entry beside its lists, in addresses. */
const ENTRY_WEIGHT = 8;

export function stateServiceHandlers(state: StateSource): Handlers {
  return {
    listInterfaces: (request) => listInterfaces(state, request),
    listMemberships: (request) => listMemberships(state, request),
    listReports: (request) => listReports(state, request),
    listRoutes: (request) => listRoutes(state, request),
    listFlows: (request) => listFlows(state, request),
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
    weightOf: ({ filter }) => ENTRY_WEIGHT + filter.sources.length,
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

/** The filters of a request as a predicate, and in canonical spelling. */
interface ReadFilters<Entry> {
  readonly query: readonly string[];
  matches(entry: Entry): boolean;
}

function interfaceAndGroup(
  request: Pick<xmcast.v1.ListReportsRequest.$Properties, 'interface' | 'group'>,
): ReadFilters<MembershipState | ReportState> {
  const name = request.interface ?? '';
  const group = addressFilter('group', request.group ?? '');
  return {
    query: [name, group.canonical],
    matches: (entry) => (name === '' || entry.interface === name) && group.matches(entry.group),
  };
}

function groupAndSource(request: Pick<xmcast.v1.ListRoutesRequest.$Properties, 'group' | 'source'>): ReadFilters<Route> {
  const group = addressFilter('group', request.group ?? '');
  const source = sourceFilter('source', request.source ?? '');
  return {
    query: [group.canonical, source.canonical],
    matches: (entry) => group.overlaps(groupRange(entry)) && source.overlaps(sourceRange(entry)),
  };
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

function routeWeight(entry: Route): number {
  return ENTRY_WEIGHT + entry.outgoingInterfaces.length;
}
