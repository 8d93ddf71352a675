/** The results as text: what the terminal and table.txt show. */
import { renderTable, type Column } from '../../../control/cli/table';
import { handled, perCpuSecond, type Cell, type Results } from './results';
import { targetLines } from '../targets';

const right = (title: string): Column => ({ title, align: 'right' });
const COLUMNS: readonly Column[] = [
  { title: 'reports', align: 'left' },
  right('offered/s'),
  { title: 'router', align: 'left' },
  right('groups offered'),
  right('handled'),
  right('lost messages'),
  right('CPU us/group'),
  right('groups/CPU s'),
  right('wall ms'),
  right('RSS MB'),
  right('bytes/group'),
];

export function renderResults({ environment, cells, targets }: Results): string {
  const { kernel, node, cpus, cpu } = environment;
  return [
    `Linux ${kernel}, Node ${node}, ${cpus} x ${cpu}`,
    '',
    renderTable(COLUMNS, cells.map(row)),
    ...targetLines(targets),
    '',
  ].join('\n');
}

export function reportsText({ version, change, recordsPerReport }: Cell): string {
  const what = change === 'join' ? 'new' : 'known';
  return `v${version}, ${what}${recordsPerReport === 1 ? '' : `, ${recordsPerReport} in a message`}`;
}

function row(cell: Cell): readonly string[] {
  const groups = handled(cell);
  return [
    reportsText(cell),
    thousands(cell.offeredPerSecond),
    cell.router,
    thousands(cell.offered),
    thousands(groups),
    thousands(cell.lostMessages),
    groups === 0 ? '-' : ((cell.cpuMs * 1000) / groups).toFixed(1),
    groups === 0 ? '-' : thousands(perCpuSecond(cell)),
    cell.wallMs.toFixed(0),
    (cell.residentBytes / 1e6).toFixed(0),
    cell.change === 'join' && groups > 0 ? thousands(cell.grownBytes / groups) : '-',
  ];
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en');
}
