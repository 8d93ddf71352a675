/**
 * Routes as a table.
 */
import type { xmcast } from '#proto';

import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatDuration } from './units';

type Route = xmcast.v1.Route.$Properties;

const COLUMNS: readonly Column[] = [
  { title: 'SOURCE' },
  { title: 'GROUP' },
  { title: 'FROM' },
  { title: 'TO' },
  { title: 'KIND' },
  { title: 'AGE', align: 'right' },
  { title: 'INSTALLED' },
];

export function formatRoutes(routes: readonly Route[], style: TableStyle = PLAIN): string {
  return renderTable(COLUMNS, routes.map(routeRow), style);
}

function routeRow(route: Route): string[] {
  return [
    route.source ?? '',
    route.group ?? '',
    route.incomingInterface || 'any',
    [...(route.outgoingInterfaces ?? []), ...(route.localInterfaces ?? []).map((name) => `local(${name})`)].join(' ') || '-',
    route.static === true ? 'static' : 'dynamic',
    formatDuration(fromWireTime(route.age) ?? 0),
    route.installed === true ? 'yes' : `no: ${route.problem}`,
  ];
}
