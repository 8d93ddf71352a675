/**
 * StateService over a StateSource: filters, orders and pages what the router knows. Never changes anything.
 */
import type { xmcast } from '#proto';

import type { ServiceHandlers } from './define-service';
import { addressFilter, sourceFilter } from './filters';
import { flowMessage, interfaceMessage, membershipMessage, routeMessage } from './messages';
import { type PageKey, pageOf } from './paging';
import type { FlowState, MembershipState, RouteState, StateSource } from './state-source';

type Handlers = ServiceHandlers<xmcast.v1.StateService>;

export function stateServiceHandlers(state: StateSource): Handlers {
  return {
    listInterfaces: (request) => listInterfaces(state, request),
    listMemberships: (request) => listMemberships(state, request),
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
    { query: ['interfaces', name], keyOf: ({ position }) => [position] },
  );
  return { interfaces: page.items.map(({ entry }) => interfaceMessage(entry)), nextPageToken: page.nextPageToken };
}

function listMemberships(
  state: StateSource,
  request: xmcast.v1.ListMembershipsRequest.$Properties,
): xmcast.v1.ListMembershipsResponse.$Properties {
  const name = request.interface ?? '';
  const group = addressFilter('group', request.group ?? '');
  const page = pageOf(
    state.memberships().filter((entry) => (name === '' || entry.interface === name) && group.matches(entry.group)),
    request,
    { query: ['memberships', name, group.canonical], keyOf: membershipKey },
  );
  return { memberships: page.items.map(membershipMessage), nextPageToken: page.nextPageToken };
}

function listRoutes(
  state: StateSource,
  request: xmcast.v1.ListRoutesRequest.$Properties,
): xmcast.v1.ListRoutesResponse.$Properties {
  const group = addressFilter('group', request.group ?? '');
  const source = sourceFilter('source', request.source ?? '');
  const page = pageOf(
    state.routes().filter((entry) => group.matches(entry.group) && source.matches(entry.source)),
    request,
    { query: ['routes', group.canonical, source.canonical], keyOf: routeKey },
  );
  return { routes: page.items.map(routeMessage), nextPageToken: page.nextPageToken };
}

async function listFlows(
  state: StateSource,
  request: xmcast.v1.ListFlowsRequest.$Properties,
): Promise<xmcast.v1.ListFlowsResponse.$Properties> {
  const group = addressFilter('group', request.group ?? '');
  const source = sourceFilter('source', request.source ?? '');
  if (request.fresh === true) await state.refreshCounters();
  const page = pageOf(
    state.flows().filter((entry) => group.matches(entry.group) && source.matches(entry.source)),
    request,
    { query: ['flows', group.canonical, source.canonical], keyOf: routeKey },
  );
  return { flows: page.items.map(flowMessage), nextPageToken: page.nextPageToken };
}

function membershipKey(entry: MembershipState): PageKey {
  return [entry.interface, entry.group];
}

/** The interface is the third field only so that keys stay distinct should a route ever be listed once per incoming interface. */
function routeKey(entry: RouteState | FlowState): PageKey {
  return [entry.group, entry.source, entry.incomingInterface];
}
