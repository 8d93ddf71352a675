/**
 * The Watch calls of StateService: requests become sessions, their batches become messages. Decides nothing about what has changed.
 */
import { status } from '@grpc/grpc-js';

import type { google, xmcast } from '#proto';

import { durationMs } from '../config/duration';
import type { EventLog } from '../events';

import { ApiError, invalidArgument } from './api-error';
import type { ResponseStream, StreamHandlers } from './define-service';
import { eventFilter } from './event-filter';
import { eventMessage } from './event-message';
import { type EventStart, watchEvents } from './event-watch';
import { membershipMessage, membershipWeight } from './membership-message';
import { flowMessage, interfaceMessage, routeMessage } from './messages';
import { readResumeToken, writeResumeToken } from './resume-token';
import { groupText, type RouteRange, sourceText } from './route-text';
import { groupAndSource, interfaceAndGroup } from './state-filters';
import { ENTRY_WEIGHT, routeWeight } from './state-service';
import type { StateSource } from './state-source';
import { StallError } from './streams';
import { toWire } from './u64';
import { type WatchBatch, WatchSession, type WatchOptions, type WatchPosition } from './watch-session';
import { MAX_WATCHERS, type WatchTopic } from './watch-usage';
import { formatIpv4 } from '../protocol/packet/address';

type Handlers = StreamHandlers<xmcast.v1.StateService>;
type Progress = xmcast.v1.WatchProgress.$Properties;

const MIN_SAMPLE_MS = 100;
const MAX_SAMPLE_MS = 3_600_000;
const USUAL_SAMPLE_MS = 1000;

export function watchHandlers(state: StateSource, events: EventLog): Handlers {
  return {
    watchInterfaces: (request, stream) => watchInterfaces(state, request, stream),
    watchMemberships: (request, stream) => watchMemberships(state, request, stream),
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
  return watch(state, stream, {
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
  return watch(state, stream, {
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

function watchRoutes(
  state: StateSource,
  request: xmcast.v1.WatchRoutesRequest.$Properties,
  stream: ResponseStream<xmcast.v1.WatchRoutesResponse.$Properties>,
): Promise<void> {
  return watch(state, stream, {
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
  return watch(state, stream, {
    topic: 'flows',
    ...groupAndSource(request),
    resumeToken: undefined,
    table: state.flowTable,
    weightOf: routeWeight,
    sampling: { everyMs, all, promptly: false, refresh: () => state.refreshCounters() },
    message: (progress, { entries, removed }) => ({ progress, flows: entries.map(flowMessage), removed: removed.map(routeKeyMessage) }),
  });
}

interface Watch<Key, State, Message> extends Omit<WatchOptions<Key, State>, 'send' | 'signal'> {
  readonly topic: WatchTopic;
  readonly query: readonly string[];
  /** undefined: this call has none. */
  readonly resumeToken: string | undefined;
  readonly message: (progress: Progress, batch: WatchBatch<Key, State>) => Message;
}

async function watch<Key, State, Message>(
  state: StateSource,
  stream: ResponseStream<Message>,
  options: Watch<Key, State, Message>,
): Promise<void> {
  const { topic, resumeToken, message } = options;
  const query = [topic, ...options.query];
  const from = readResumeToken(resumeToken ?? '', query);
  const send = (batch: WatchBatch<Key, State>): Promise<void> => {
    if (batch.coalesced > 0) state.watchUsage.coalesced(topic, batch.coalesced);
    const position = resumeToken === undefined ? undefined : batch.position;
    return stream.send(message(progressMessage({ ...batch, position }, query), batch));
  };
  const session = new WatchSession({ ...options, send, signal: stream.signal });
  await counted(state, topic, () => session.run(from));
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
  await counted(state, 'events', () =>
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

/** Within the limit of watchers. */
async function counted({ watchUsage }: StateSource, topic: WatchTopic, run: () => Promise<void>): Promise<void> {
  if (!watchUsage.enter(topic)) {
    throw new ApiError(status.RESOURCE_EXHAUSTED, `${MAX_WATCHERS} streams are watched already; end one, or list instead`);
  }
  try {
    await run();
  } catch (error) {
    if (error instanceof StallError) watchUsage.stalled(topic);
    throw error;
  } finally {
    watchUsage.leave(topic);
  }
}

interface Told {
  readonly reset: boolean;
  readonly synced: boolean;
  readonly position: WatchPosition | undefined;
  readonly coalesced: number;
}

function progressMessage({ reset, synced, position, coalesced }: Told, query: readonly string[]): Progress {
  const resumeToken = position === undefined ? '' : writeResumeToken(position, query);
  return { reset, synced, resumeToken, coalescedCount: toWire(BigInt(coalesced)) };
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
