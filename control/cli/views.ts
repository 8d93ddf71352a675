/**
 * What each command shows: which call it makes, which filters apply, and the reply as table and as JSON. Prints nothing itself.
 */
import type { xmcast } from '#proto';

import type { ApiClient } from '../api/client';

import { CliFailure, EXIT } from './failure';
import { formatFlows } from './format-flows';
import { formatInterfaceSheet } from './format-interface-sheet';
import { formatInterfaces } from './format-interfaces';
import { formatMembershipHosts, formatMemberships } from './format-memberships';
import { formatNeighbors } from './format-neighbors';
import { formatReports } from './format-reports';
import { formatRoutes } from './format-routes';
import { formatStatus } from './format-status';
import { messageToJson } from './proto-json';
import { FLOW_ORDERS, MEMBERSHIP_ORDERS, NEIGHBOR_ORDERS, REPORT_ORDERS, ROUTE_ORDERS, sorted, sortedBy } from './sort';
import type { TableStyle } from './table';

export interface Filters {
  readonly group?: string;
  readonly source?: string;
  readonly interface?: string;
}

export interface ListOptions extends Filters {
  /** A word of the list's orders. */
  readonly sort?: string;
}

export interface MembershipOptions extends ListOptions {
  /** A line for each host. */
  readonly hosts?: boolean;
}

export interface FlowOptions extends ListOptions {
  readonly fresh: boolean;
}

export interface View {
  table(style: TableStyle): string;
  /** One document. */
  json(): object;
  /** What it consists of, one by one. */
  items(): readonly object[];
  /** Filters were given and nothing matched: said on stderr, with exit status 3. */
  readonly missing?: CliFailure;
}

export async function statusView(client: ApiClient, nowMs: () => number): Promise<View> {
  return statusOf(await client.getStatus(), nowMs);
}

export function statusOf(status: xmcast.v1.GetStatusResponse.$Properties, nowMs: () => number): View {
  const json = (): object => messageToJson('xmcast.v1.GetStatusResponse', status);
  return { table: () => formatStatus(status, nowMs()), json, items: () => [json()] };
}

export async function interfacesView(client: ApiClient, filters: Filters): Promise<View> {
  return interfacesOf(await client.listInterfaces({ name: filters.interface ?? '' }), filters);
}

export function interfacesOf(items: readonly xmcast.v1.Interface.$Properties[], filters: Filters): View {
  const [only] = items;
  const table = (style: TableStyle): string =>
    filters.interface === undefined || only === undefined ? formatInterfaces(items, style) : formatInterfaceSheet(only, style);
  return listView({ noun: 'interfaces', typeName: 'xmcast.v1.Interface', items, filters, table });
}

export async function membershipsView(client: ApiClient, options: MembershipOptions): Promise<View> {
  const { group = '', interface: name = '' } = options;
  return membershipsOf(await client.listMemberships({ group, interface: name }), options);
}

export function membershipsOf(listed: readonly xmcast.v1.Membership.$Properties[], options: MembershipOptions): View {
  const { sort, hosts, ...filters } = options;
  const { source } = filters;
  const named =
    source === undefined ? listed : listed.filter((entry) => (entry.sources ?? []).some((each) => each.source === source));
  const items = sorted(sortedBy(named, MEMBERSHIP_ORDERS, ['interface', 'group']), MEMBERSHIP_ORDERS, sort);
  const table = (style: TableStyle): string =>
    hosts === true ? formatMembershipHosts(items, style) : formatMemberships(items, style);
  return listView({ noun: 'memberships', typeName: 'xmcast.v1.Membership', items, filters, table });
}

export async function reportsView(client: ApiClient, options: ListOptions): Promise<View> {
  const { group = '', interface: name = '' } = options;
  return reportsOf(await client.listReports({ group, interface: name }), options);
}

export function reportsOf(listed: readonly xmcast.v1.Report.$Properties[], { sort, ...filters }: ListOptions): View {
  const items = sorted(sortedBy(listed, REPORT_ORDERS, ['interface', 'group']), REPORT_ORDERS, sort);
  const table = (style: TableStyle): string => formatReports(items, style);
  return listView({ noun: 'reports', typeName: 'xmcast.v1.Report', items, filters, table });
}

export async function routesView(client: ApiClient, options: ListOptions): Promise<View> {
  const { group = '', source = '' } = options;
  return routesOf(await client.listRoutes({ group, source }), options);
}

export function routesOf(listed: readonly xmcast.v1.Route.$Properties[], { sort, ...filters }: ListOptions): View {
  const shown = listed.filter((route) => touches(route, filters.interface));
  const items = sorted(sortedBy(shown, ROUTE_ORDERS, ['group', 'source']), ROUTE_ORDERS, sort);
  const table = (style: TableStyle): string => formatRoutes(items, style);
  return listView({ noun: 'routes', typeName: 'xmcast.v1.Route', items, filters, table });
}

export async function flowsView(client: ApiClient, options: FlowOptions): Promise<View> {
  const { group = '', source = '', fresh } = options;
  return flowsOf(await client.listFlows({ group, source, fresh }), options);
}

export function flowsOf(listed: readonly xmcast.v1.Flow.$Properties[], { fresh: _, sort, ...filters }: FlowOptions): View {
  const shown = listed.filter((flow) => touches(flow, filters.interface));
  const items = sorted(sortedBy(shown, FLOW_ORDERS, ['group', 'source']), FLOW_ORDERS, sort);
  return listView({ noun: 'flows', typeName: 'xmcast.v1.Flow', items, filters, table: (style) => formatFlows(items, style) });
}

export async function neighborsView(client: ApiClient, filters: Filters): Promise<View> {
  return neighborsOf(await client.listNeighbors({ interface: filters.interface ?? '' }), filters);
}

export function neighborsOf(listed: readonly xmcast.v1.Neighbor.$Properties[], filters: Filters): View {
  const items = sortedBy(listed, NEIGHBOR_ORDERS, ['interface', 'address']);
  const table = (style: TableStyle): string => formatNeighbors(items, style);
  return listView({ noun: 'neighbors', typeName: 'xmcast.v1.Neighbor', items, filters, table });
}

/** Comes in by this interface or goes out by it. */
function touches(entry: xmcast.v1.Route.$Properties | xmcast.v1.Flow.$Properties, name: string | undefined): boolean {
  return name === undefined || entry.incomingInterface === name || (entry.outgoingInterfaces ?? []).includes(name);
}

interface List {
  readonly noun: string;
  readonly typeName: string;
  readonly items: readonly object[];
  readonly filters: Filters;
  readonly table: (style: TableStyle) => string;
}

function listView({ noun, typeName, items, filters, table }: List): View {
  const given = Object.entries(filters).map(([name, value]) => `--${name} ${String(value)}`);
  const messages = (): readonly object[] => items.map((item) => messageToJson(typeName, item));
  const view = { table, json: () => ({ [noun]: messages() }), items: messages };
  if (items.length > 0 || given.length === 0) return view;
  return { ...view, missing: new CliFailure(EXIT.notFound, `no ${noun} match ${given.join(' ')}`) };
}
