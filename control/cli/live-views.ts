/**
 * The lists that --watch follows through the Watch calls: which call, with which filters, and what is shown of it.
 */
import type { MethodDefinition } from '@grpc/grpc-js';

import type { xmcast } from '#proto';

import type { ApiClient } from '../api/client';
import { stateServiceDefinition, systemServiceDefinition } from '../api/services';
import { toWireTime } from '../api/wire-time';

import { agedMembership, agedNeighbor, agedRoute } from './aging';
import { LiveList, type LiveListOptions, type WatchMessage } from './live-list';
import {
  type Filters,
  type FlowOptions,
  flowsOf,
  interfacesOf,
  type ListOptions,
  type MembershipOptions,
  membershipsOf,
  neighborsOf,
  reportsOf,
  routesOf,
  statusOf,
  type View,
} from './views';

export interface Live {
  /** The server decides when it is shown: with each sample. Otherwise as often as asked for, and when something has changed. */
  readonly isSampled: boolean;
  /** Resolves when the signal comes. */
  follow(onSynced: () => void, signal: AbortSignal): Promise<void>;
  view(): View;
}

/** `everyMs`: between two looks. */
export type MakeLive<Options> = (client: ApiClient, options: Options, everyMs: number) => Live;

/** As the API has it; the first look of a shorter interval than that would be refused. */
const SHORTEST_SAMPLE_MS = 100;

export const interfacesLive: MakeLive<Filters> = (client, options, everyMs) =>
  live(client, {
    method: stateServiceDefinition.watchInterfaces,
    request: { name: options.interface ?? '', sampleInterval: sampleInterval(everyMs) },
    messageOf: ({ progress, interfaces, removed }) => ({ progress, items: interfaces, removed }),
    list: { keyOf: ({ name }) => name ?? '', nowMs },
    viewOf: (items: xmcast.v1.Interface.$Properties[]) => interfacesOf(items, options),
    isSampled: true,
  });

export const flowsLive: MakeLive<FlowOptions> = (client, options, everyMs) =>
  live(client, {
    method: stateServiceDefinition.watchFlows,
    request: { group: options.group ?? '', source: options.source ?? '', sampleInterval: sampleInterval(everyMs) },
    messageOf: ({ progress, flows, removed }) => ({ progress, items: flows, removed: removed.map(routeKey) }),
    list: { keyOf: routeKey, nowMs },
    viewOf: (items: xmcast.v1.Flow.$Properties[]) => flowsOf(items, options),
    isSampled: true,
  });

export const membershipsLive: MakeLive<MembershipOptions> = (client, options) =>
  live(client, {
    method: stateServiceDefinition.watchMemberships,
    request: { interface: options.interface ?? '', group: options.group ?? '' },
    messageOf: ({ progress, memberships, removed }) => ({ progress, items: memberships, removed: removed.map(interfaceAndGroup) }),
    list: { keyOf: interfaceAndGroup, aged: agedMembership, nowMs },
    viewOf: (items: xmcast.v1.Membership.$Properties[]) => membershipsOf(items, options),
    isSampled: false,
  });

export const reportsLive: MakeLive<ListOptions> = (client, options) =>
  live(client, {
    method: stateServiceDefinition.watchReports,
    request: { interface: options.interface ?? '', group: options.group ?? '' },
    messageOf: ({ progress, reports, removed }) => ({ progress, items: reports, removed: removed.map(interfaceAndGroup) }),
    list: { keyOf: interfaceAndGroup, nowMs },
    viewOf: (items: xmcast.v1.Report.$Properties[]) => reportsOf(items, options),
    isSampled: false,
  });

export const neighborsLive: MakeLive<Filters> = (client, options) =>
  live(client, {
    method: stateServiceDefinition.watchNeighbors,
    request: { interface: options.interface ?? '' },
    messageOf: ({ progress, neighbors, removed }) => ({ progress, items: neighbors, removed: removed.map(neighborKey) }),
    list: { keyOf: neighborKey, aged: agedNeighbor, nowMs },
    viewOf: (items: xmcast.v1.Neighbor.$Properties[]) => neighborsOf(items, options),
    isSampled: false,
  });

/** A list of one: what is left out when nothing has changed is what was there before. */
export const statusLive: MakeLive<object> = (client) =>
  live(client, {
    method: systemServiceDefinition.watchStatus,
    request: {},
    messageOf: ({ progress, status }) => ({ progress, items: status === null || status === undefined ? [] : [status], removed: [] }),
    list: { keyOf: () => '', nowMs },
    viewOf: ([status]: xmcast.v1.GetStatusResponse.$Properties[]) => statusOf(status ?? {}, Date.now),
    isSampled: false,
  });

export const routesLive: MakeLive<ListOptions> = (client, options) =>
  live(client, {
    method: stateServiceDefinition.watchRoutes,
    request: { group: options.group ?? '', source: options.source ?? '' },
    messageOf: ({ progress, routes, removed }) => ({ progress, items: routes, removed: removed.map(routeKey) }),
    list: { keyOf: routeKey, aged: agedRoute, nowMs },
    viewOf: (items: xmcast.v1.Route.$Properties[]) => routesOf(items, options),
    isSampled: false,
  });

interface LiveOptions<Request, Response, Item> {
  readonly method: MethodDefinition<Request, Response>;
  readonly request: object;
  readonly messageOf: (response: Response) => WatchMessage<Item>;
  readonly list: LiveListOptions<Item>;
  readonly viewOf: (items: Item[]) => View;
  readonly isSampled: boolean;
}

function live<Request, Response, Item>(client: ApiClient, options: LiveOptions<Request, Response, Item>): Live {
  const { method, messageOf, viewOf, isSampled } = options;
  const list = new LiveList(options.list);
  // The fields left out are those at their default.
  const request = options.request as Request;
  return {
    isSampled,
    follow: (onSynced, signal) =>
      client.watch(method, request, {
        signal,
        onMessage: (response) => {
          if (list.take(messageOf(response))) onSynced();
        },
      }),
    view: () => viewOf(list.items()),
  };
}

function sampleInterval(everyMs: number): ReturnType<typeof toWireTime> {
  return toWireTime(Math.max(SHORTEST_SAMPLE_MS, everyMs));
}

export function routeKey({ source, group }: { readonly source?: string | null; readonly group?: string | null }): string {
  return `${source ?? ''} ${group ?? ''}`;
}

function interfaceAndGroup(entry: { readonly interface?: string | null; readonly group?: string | null }): string {
  return `${entry.interface ?? ''} ${entry.group ?? ''}`;
}

function neighborKey(entry: { readonly interface?: string | null; readonly address?: string | null }): string {
  return `${entry.interface ?? ''} ${entry.address ?? ''}`;
}

function nowMs(): number {
  return performance.now();
}
