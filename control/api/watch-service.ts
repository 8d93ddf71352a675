/**
 * The Watch calls of StateService: requests become sessions, their batches become messages. Decides nothing about what has changed.
 */
import type { google, xmcast } from '#proto';

import { durationMs } from '../config/duration';
import type { EventLog } from '../events';

import { invalidArgument } from './api-error';
import type { ResponseStream, StreamHandlers } from './define-service';
import { eventFilter } from './event-filter';
import { eventMessage } from './event-message';
import { type EventStart, watchEvents } from './event-watch';
import { membershipMessage, membershipWeight } from './membership-message';
import { flowMessage, interfaceMessage, neighborMessage, reportMessage, routeMessage } from './messages';
import { readResumeToken } from './resume-token';
import { groupText, type RouteRange, sourceText } from './route-text';
import { groupAndSource, interfaceAndGroup } from './state-filters';
import { ENTRY_WEIGHT, reportWeight, routeWeight } from './state-service';
import type { StateSource } from './state-source';
import { counted, progressMessage, watch } from './watch-stream';
import { formatIpv4 } from '../protocol/packet/address';

type Handlers = StreamHandlers<xmcast.v1.StateService>;

const MIN_SAMPLE_MS = 100;
const MAX_SAMPLE_MS = 3_600_000;
const USUAL_SAMPLE_MS = 1000;

export function watchHandlers(state: StateSource, events: EventLog): Handlers {
  return {
    watchInterfaces: (request, stream) => watchInterfaces(state, request, stream),
    watchMemberships: (request, stream) => watchMemberships(state, request, stream),
    watchReports: (request, stream) => watchReports(state, request, stream),
    watchNeighbors: (request, stream) => watchNeighbors(state, request, stream),
    watchRoutes: (request, stream) => watchRoutes(state, request, stream),
    watchFlows: (request, stream) => watchFlows(state, request, stream),
    watchEvents: (request, stream) => watchEventStream(state, events, request, stream),
  };
}

function watchInterfaces(
  state: StateSource,
  request: xmcast.v1.WatchInterfacesRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchInterfacesResponse.$Properties>,
): Promise<void> {
  const name = request.name ?? '';
  const everyMs = readSampleInterval(request.sampleInterval);
  const refresh = (): Promise<void> => state.refreshCounters();
  return watch(state.watchUsage, stream, {
    topic: 'interfaces',
    query: [name],
    resumeToken: request.resumeToken ?? '',
    table: state.interfaceTable,
    matches: (key) => name === '' || key === name,
    weightOf: () => ENTRY_WEIGHT,
    ...(everyMs === 0 ? {} : { sampling: { everyMs, all: true, promptly: true, refresh } }),
    message: (progress, { entries, removed }) => ({ progress, interfaces: entries.map(interfaceMessage), removed: [...removed] }),
  });
}

function watchMemberships(
  state: StateSource,
  request: xmcast.v1.WatchMembershipsRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchMembershipsResponse.$Properties>,
): Promise<void> {
  return watch(state.watchUsage, stream, {
    topic: 'memberships',
    ...interfaceAndGroup(request),
    resumeToken: request.resumeToken ?? '',
    table: state.membershipTable,
    weightOf: membershipWeight,
    message: (progress, { entries, removed }) => ({
      progress,
      memberships: entries.map(membershipMessage),
      removed: removed.map((key) => ({ interface: key.interface, group: formatIpv4(key.group) })),
    }),
  });
}

function watchReports(
  state: StateSource,
  request: xmcast.v1.WatchReportsRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchReportsResponse.$Properties>,
): Promise<void> {
  return watch(state.watchUsage, stream, {
    topic: 'reports',
    ...interfaceAndGroup(request),
    resumeToken: request.resumeToken ?? '',
    table: state.reportTable,
    weightOf: reportWeight,
    message: (progress, { entries, removed }) => ({
      progress,
      reports: entries.map(reportMessage),
      removed: removed.map((key) => ({ interface: key.interface, group: formatIpv4(key.group) })),
    }),
  });
}

function watchNeighbors(
  state: StateSource,
  request: xmcast.v1.WatchNeighborsRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchNeighborsResponse.$Properties>,
): Promise<void> {
  const name = request.interface ?? '';
  return watch(state.watchUsage, stream, {
    topic: 'neighbors',
    query: [name],
    matches: (key) => name === '' || key.interface === name,
    resumeToken: request.resumeToken ?? '',
    table: state.neighborTable,
    weightOf: () => ENTRY_WEIGHT,
    message: (progress, { entries, removed }) => ({
      progress,
      neighbors: entries.map(neighborMessage),
      removed: removed.map((key) => ({ interface: key.interface, address: formatIpv4(key.address) })),
    }),
  });
}

function watchRoutes(
  state: StateSource,
  request: xmcast.v1.WatchRoutesRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchRoutesResponse.$Properties>,
): Promise<void> {
  return watch(state.watchUsage, stream, {
    topic: 'routes',
    ...groupAndSource(request),
    resumeToken: request.resumeToken ?? '',
    table: state.routeTable,
    weightOf: routeWeight,
    message: (progress, { entries, removed }) => ({ progress, routes: entries.map(routeMessage), removed: removed.map(routeKeyMessage) }),
  });
}

function watchFlows(
  state: StateSource,
  request: xmcast.v1.WatchFlowsRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchFlowsResponse.$Properties>,
): Promise<void> {
  const everyMs = readSampleInterval(request.sampleInterval) || USUAL_SAMPLE_MS;
  const all = request.suppressUnchanged !== true;
  return watch(state.watchUsage, stream, {
    topic: 'flows',
    ...groupAndSource(request),
    resumeToken: undefined,
    table: state.flowTable,
    weightOf: routeWeight,
    sampling: { everyMs, all, promptly: false, refresh: () => state.refreshCounters() },
    message: (progress, { entries, removed }) => ({ progress, flows: entries.map(flowMessage), removed: removed.map(routeKeyMessage) }),
  });
}

async function watchEventStream(
  state: StateSource,
  events: EventLog,
  request: xmcast.v1.WatchEventsRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchEventsResponse.$Properties>,
): Promise<void> {
  const filter = eventFilter(request);
  const query = ['events', ...filter.query];
  const after = readResumeToken(request.resumeToken ?? '', query);
  const newest = request.onlyNew === true ? 0 : request.backlog || Infinity;
  const start: EventStart = after === undefined ? { newest } : { after };
  await counted(state.watchUsage, 'events', () =>
    watchEvents(start, {
      events,
      matches: filter.matches,
      signal: stream.signal,
      send: ({ missed, events: batch, ...rest }) => {
        if (missed > 0) state.watchUsage.coalesced('events', missed);
        return stream.send({ progress: progressMessage({ ...rest, coalesced: missed }, query), events: batch.map(eventMessage) });
      },
    }),
  );
}

function routeKeyMessage(key: RouteRange): xmcast.v1.RouteKey.$Properties {
  return { source: sourceText(key), group: groupText(key) };
}

/** 0: none was given. */
function readSampleInterval(duration: google.protobuf.Duration.$Properties | null | undefined): number {
  if (duration === null || duration === undefined) return 0;
  const ms = durationMs(duration);
  if (ms === 0 || (ms >= MIN_SAMPLE_MS && ms <= MAX_SAMPLE_MS)) return Math.floor(ms);
  throw invalidArgument('sample_interval', `${ms / 1000}s`, `is not from ${MIN_SAMPLE_MS / 1000} to ${MAX_SAMPLE_MS / 1000} seconds`);
}
