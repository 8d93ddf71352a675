/**
 * The lists of StateService over a StateSource: filters, orders and pages what the router knows. Never changes anything.
 */
import type { xmcast } from '#proto';

import type { EventLog } from '../events';

import type { SerializedResponse, ServiceHandlers } from './define-service';
import { eventFilter } from './event-filter';
import { eventMessage } from './event-message';
import { membershipMessage, membershipWeight } from './membership-message';
import { flowMessage, interfaceMessage, neighborMessage, reportMessage, routeMessage } from './messages';
import { INTERFACE_AND_GROUP_ORDER, NEIGHBOR_ORDER, NUMBER_ORDER, ROUTE_ORDER } from './page-orders';
import { answerWithPage } from './page-response';
import { stateServiceDefinition as service } from './services';
import { groupAndSource, interfaceAndGroup } from './state-filters';
import type { FlowState, ReportState, RouteState, StateSource } from './state-source';

type Handlers = ServiceHandlers<xmcast.v1.StateService>;
type Answer = Promise<SerializedResponse>;

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

interface Positioned {
  readonly name: string;
  readonly sequence: number;
}

function listInterfaces({ interfaceTable }: StateSource, request: xmcast.v1.ListInterfacesRequest.$Properties): Answer {
  const only = request.name ?? '';
  // Order of configuration is what operators know; names are unique in it, so the position is a key.
  const table = {
    keys: () => Array.from(interfaceTable.keys(), (name, sequence) => ({ name, sequence })),
    read: ({ name }: Positioned) => interfaceTable.read(name),
  };
  const query = ['interfaces', only];
  const matches = ({ name }: Positioned): boolean => only === '' || name === only;
  const options = { table, query, matches, order: NUMBER_ORDER, weightOf: () => ENTRY_WEIGHT };
  return answerWithPage(service.listInterfaces, request, options, (entries) => ({ interfaces: entries.map(interfaceMessage) }));
}

function listMemberships(state: StateSource, request: xmcast.v1.ListMembershipsRequest.$Properties): Answer {
  const { query, matches } = interfaceAndGroup(request);
  const options = {
    table: state.membershipTable,
    query: ['memberships', ...query],
    matches,
    order: INTERFACE_AND_GROUP_ORDER,
    weightOf: membershipWeight,
  };
  return answerWithPage(service.listMemberships, request, options, (entries) => ({ memberships: entries.map(membershipMessage) }));
}

function listReports(state: StateSource, request: xmcast.v1.ListReportsRequest.$Properties): Answer {
  const { query, matches } = interfaceAndGroup(request);
  const options = { table: state.reportTable, query: ['reports', ...query], matches, order: INTERFACE_AND_GROUP_ORDER, weightOf: reportWeight };
  return answerWithPage(service.listReports, request, options, (entries) => ({ reports: entries.map(reportMessage) }));
}

function listRoutes(state: StateSource, request: xmcast.v1.ListRoutesRequest.$Properties): Answer {
  const { query, matches } = groupAndSource(request);
  const options = { table: state.routeTable, query: ['routes', ...query], matches, order: ROUTE_ORDER, weightOf: routeWeight };
  return answerWithPage(service.listRoutes, request, options, (entries) => ({ routes: entries.map(routeMessage) }));
}

async function listFlows(state: StateSource, request: xmcast.v1.ListFlowsRequest.$Properties): Answer {
  const { query, matches } = groupAndSource(request);
  if (request.fresh === true) await state.refreshCounters();
  const options = { table: state.flowTable, query: ['flows', ...query], matches, order: ROUTE_ORDER, weightOf: routeWeight };
  return answerWithPage(service.listFlows, request, options, (entries) => ({ flows: entries.map(flowMessage) }));
}

function listNeighbors(state: StateSource, request: xmcast.v1.ListNeighborsRequest.$Properties): Answer {
  const name = request.interface ?? '';
  const matches = (key: { readonly interface: string }): boolean => name === '' || key.interface === name;
  const options = { table: state.neighborTable, query: ['neighbors', name], matches, order: NEIGHBOR_ORDER, weightOf: () => ENTRY_WEIGHT };
  return answerWithPage(service.listNeighbors, request, options, (entries) => ({ neighbors: entries.map(neighborMessage) }));
}

function listEvents(events: EventLog, request: xmcast.v1.ListEventsRequest.$Properties): Answer {
  const { query, matches } = eventFilter(request);
  const kept = [...events.after(0)];
  const options = {
    table: { keys: () => kept, read: (event: (typeof kept)[number]) => event },
    query: ['events', events.epoch, ...query],
    matches,
    order: NUMBER_ORDER,
    weightOf: () => ENTRY_WEIGHT,
  };
  return answerWithPage(service.listEvents, request, options, (entries) => ({ events: entries.map(eventMessage) }));
}

export function routeWeight(entry: RouteState | FlowState): number {
  return ENTRY_WEIGHT + entry.outgoingInterfaces.length;
}

export function reportWeight({ filter }: ReportState): number {
  return ENTRY_WEIGHT + filter.sources.length;
}
