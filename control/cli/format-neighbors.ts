/**
 * Other routers as a table.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatCount, formatDuration } from './units';

type Neighbor = xmcast.v1.Neighbor.$Properties;

const COLUMNS: readonly Column[] = [
  { title: 'INTERFACE' },
  { title: 'ADDRESS' },
  { title: 'QUERIER' },
  { title: 'VERSION' },
  { title: 'LAST HEARD', align: 'right' },
  { title: 'EXPIRES', align: 'right' },
  { title: 'KNOWN FOR', align: 'right' },
  { title: 'QUERIES', align: 'right' },
];

export function formatNeighbors(neighbors: readonly Neighbor[], style: TableStyle = PLAIN): string {
  return renderTable(COLUMNS, neighbors.map(neighborRow), style);
}

function neighborRow(neighbor: Neighbor): string[] {
  const time = (duration: Neighbor['age']): string => formatDuration(fromWireTime(duration) ?? 0);
  return [
    neighbor.interface ?? '',
    neighbor.address ?? '',
    neighbor.querier === true ? 'yes' : 'no',
    `IGMPv${neighbor.igmpVersion ?? 0}`,
    time(neighbor.lastHeardAge),
    time(neighbor.expiresIn),
    time(neighbor.age),
    formatCount(fromWire(neighbor.queries)),
  ];
}
