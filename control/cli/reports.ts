/**
 * What each command shows: which call it makes, which filters apply, and the reply as table and as JSON. Prints nothing itself.
 */
import type { xmcast } from '#proto';

import type { ApiClient } from '../api/client';

import { CliFailure, EXIT } from './failure';
import { formatFlows } from './format-flows';
import { formatInterfaceCounters, formatInterfaces } from './format-interfaces';
import { formatMemberships } from './format-memberships';
import { formatRoutes } from './format-routes';
import { formatStatus } from './format-status';
import { messageToJson } from './proto-json';
import type { TableStyle } from './table';

export interface Filters {
  readonly group?: string;
  readonly source?: string;
  readonly interface?: string;
}

export interface FlowFilters extends Filters {
  readonly fresh: boolean;
}

export interface Report {
  table(style: TableStyle): string;
  json(): object;
  /** Filters were given and nothing matched: said on stderr, with exit status 3. */
  readonly missing?: CliFailure;
}

export async function statusReport(client: ApiClient, nowMs: () => number): Promise<Report> {
  const status = await client.getStatus();
  return {
    table: () => formatStatus(status, nowMs()),
    json: () => messageToJson('xmcast.v1.GetStatusResponse', status),
  };
}

export async function interfacesReport(client: ApiClient, filters: Filters): Promise<Report> {
  const interfaces = await client.listInterfaces({ name: filters.interface ?? '' });
  const [only] = interfaces;
  const table = (style: TableStyle): string => {
    const counters = filters.interface === undefined || only === undefined ? '' : formatInterfaceCounters(only, style);
    return formatInterfaces(interfaces, style) + (counters === '' ? '' : `\n${counters}`);
  };
  return listReport({ noun: 'interfaces', typeName: 'xmcast.v1.Interface', items: interfaces, filters, table });
}

export async function membershipsReport(client: ApiClient, filters: Filters): Promise<Report> {
  const { group = '', source, interface: name = '' } = filters;
  const listed = await client.listMemberships({ group, interface: name });
  const items =
    source === undefined ? listed : listed.filter((entry) => (entry.sources ?? []).some((each) => each.source === source));
  return listReport({
    noun: 'memberships',
    typeName: 'xmcast.v1.Membership',
    items,
    filters,
    table: (style) => formatMemberships(items, style),
  });
}

export async function routesReport(client: ApiClient, filters: Filters): Promise<Report> {
  const { group = '', source = '' } = filters;
  const items = (await client.listRoutes({ group, source })).filter((route) => touches(route, filters.interface));
  return listReport({
    noun: 'routes',
    typeName: 'xmcast.v1.Route',
    items,
    filters,
    table: (style) => formatRoutes(items, style),
  });
}

export async function flowsReport(client: ApiClient, { fresh, ...filters }: FlowFilters): Promise<Report> {
  const { group = '', source = '' } = filters;
  const items = (await client.listFlows({ group, source, fresh })).filter((flow) => touches(flow, filters.interface));
  return listReport({ noun: 'flows', typeName: 'xmcast.v1.Flow', items, filters, table: (style) => formatFlows(items, style) });
}

/** Comes in by this interface or goes out by it. */
function touches(entry: xmcast.v1.Route.$Properties | xmcast.v1.Flow.$Properties, name: string | undefined): boolean {
  return name === undefined || entry.incomingInterface === name || (entry.outgoingInterfaces ?? []).includes(name);
}

interface ListReport {
  readonly noun: string;
  readonly typeName: string;
  readonly items: readonly object[];
  readonly filters: Filters;
  readonly table: (style: TableStyle) => string;
}

function listReport({ noun, typeName, items, filters, table }: ListReport): Report {
  const given = Object.entries(filters).map(([name, value]) => `--${name} ${String(value)}`);
  const report = { table, json: () => ({ [noun]: items.map((item) => messageToJson(typeName, item)) }) };
  if (items.length > 0 || given.length === 0) return report;
  return { ...report, missing: new CliFailure(EXIT.notFound, `no ${noun} match ${given.join(' ')}`) };
}
