/**
 * What is asked for at the upstreams, as a table.
 */
import type { xmcast } from '#proto';

import { filterText, modeText } from './format-sources';
import { type Column, PLAIN, renderTable, type TableStyle } from './table';

type Report = xmcast.v1.Report.$Properties;

const COLUMNS: readonly Column[] = [{ title: 'INTERFACE' }, { title: 'GROUP' }, { title: 'MODE' }, { title: 'SOURCES' }];

export function formatReports(reports: readonly Report[], style: TableStyle = PLAIN): string {
  return renderTable(
    COLUMNS,
    reports.map((entry) => [entry.interface ?? '', entry.group ?? '', modeText(entry), filterText(entry, style.wide)]),
    style,
  );
}
