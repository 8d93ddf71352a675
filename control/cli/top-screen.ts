/**
 * What `top` draws: a head, one of two tables in the order asked for, and the keys; as many lines as the terminal has. Pure.
 */
import { paint, type Colour } from './colour';
import { sparkline } from './sparkline';
import { printable } from './table';
import type { FlowRow, PortRow, TopModel } from './top-model';
import { formatBitRate, formatRate } from './units';

export type TopTable = 'flows' | 'ports';

export interface TopChoice {
  readonly table: TopTable;
  /** A column of the table that can be an order. */
  readonly sort: string;
  readonly isReversed: boolean;
  readonly isPaused: boolean;
}

export interface TopSize {
  readonly rows: number;
  readonly columns: number;
}

export interface TopColumn<Row> {
  readonly name: string;
  readonly title: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  readonly text: (row: Row) => string;
  readonly colour?: (row: Row) => Colour | undefined;
  /** What the column is sorted by: figures with the largest first, words in ascending order. */
  readonly key: (row: Row) => number | string;
}

const left = <Row>(name: string, width: number, text: (row: Row) => string): TopColumn<Row> => ({
  name, title: name.toUpperCase(), width, align: 'left', text, key: (row) => sortableAddress(text(row)),
});
/** `head`: name and title, in one word where they are the same. */
const figure = <Row>(head: string, width: number, value: (row: Row) => number, text: (value: number) => string): TopColumn<Row> => {
  const [name = '', title = name.toUpperCase()] = head.split(':');
  return { name, title, width, align: 'right', text: (row) => text(value(row)), key: value };
};
/** Red from the first one on. */
const loss = <Row>(name: string, width: number, value: (row: Row) => number): TopColumn<Row> => ({
  ...figure(`${name}:${name.toUpperCase()}/S`, width, value, (count) => (count > 0 ? formatRate(count) : '-')),
  colour: (row) => (value(row) > 0 ? 'bad' : undefined),
});

export const FLOW_COLUMNS: readonly TopColumn<FlowRow>[] = [
  left('source', 15, (row) => row.source),
  left('group', 15, (row) => row.group),
  left('from', 6, (row) => row.from),
  figure('out', 3, (row) => row.out, String),
  figure('pps:PKT/S', 7, (row) => row.packetsPerSecond, formatRate),
  figure('rate', 9, (row) => row.bitsPerSecond, formatBitRate),
  loss('lost', 6, (row) => row.lostPerSecond),
];

export const PORT_COLUMNS: readonly TopColumn<PortRow>[] = [
  left('name', 10, (row) => row.name),
  { ...left<PortRow>('status', 10, (row) => row.status), colour: (row) => (row.status === 'forwarding' ? undefined : 'bad') },
  { ...left<PortRow>('mode', 4, (row) => row.mode), colour: (row) => (row.mode === 'xdp' ? undefined : 'warning') },
  figure('rx-pps:RX P/S', 7, (row) => row.rxPacketsPerSecond, formatRate),
  figure('rx:RX RATE', 9, (row) => row.rxBitsPerSecond, formatBitRate),
  figure('tx-pps:TX P/S', 7, (row) => row.txPacketsPerSecond, formatRate),
  figure('tx:TX RATE', 9, (row) => row.txBitsPerSecond, formatBitRate),
  loss('drops', 7, (row) => row.droppedPerSecond),
];

export const SORTS: Readonly<Record<TopTable, readonly string[]>> = {
  flows: FLOW_COLUMNS.map(({ name }) => name),
  ports: PORT_COLUMNS.map(({ name }) => name),
};
export const USUAL_SORT: Readonly<Record<TopTable, string>> = { flows: 'rate', ports: 'name' };

const KEYS = ' q quit   tab flows/ports   s sort   r reverse   p pause ';
/** Head, state, titles, keys; and the last row of the terminal, which stays empty. */
const OTHER_LINES = 5;
const LEAST_HISTORY = 4;
const MOST_HISTORY = 40;

export function drawTop(model: TopModel, choice: TopChoice, { rows, columns }: TopSize, colour: boolean): string {
  const room = Math.max(1, rows - OTHER_LINES);
  const body =
    choice.table === 'flows'
      ? drawTable(model.flows(), FLOW_COLUMNS, { choice, room, columns, colour })
      : drawTable(model.ports(), PORT_COLUMNS, { choice, room, columns, colour });
  const lines = [headLine(model, columns, colour), stateLine(choice, columns, colour), ...body];
  while (lines.length < room + OTHER_LINES - 2) lines.push('');
  return [...lines, paint(KEYS.padEnd(columns).slice(0, columns), 'chosen', colour)].join('\n');
}

/** In the order chosen; what is equal stays as it was. */
export function sortedRows<Row>(rows: readonly Row[], columns: readonly TopColumn<Row>[], { sort, isReversed }: Pick<TopChoice, 'sort' | 'isReversed'>): readonly Row[] {
  const column = columns.find(({ name }) => name === sort) ?? columns[0];
  if (column === undefined) return rows;
  const sign = isAscending(column, { isReversed }) ? 1 : -1;
  return rows
    .map((row) => ({ row, key: column.key(row) }))
    .sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -sign : sign))
    .map(({ row }) => row);
}

/** Words begin with the first, figures with the largest. */
function isAscending({ align }: { readonly align: 'left' | 'right' }, { isReversed }: Pick<TopChoice, 'isReversed'>): boolean {
  return (align === 'right') === isReversed;
}

interface Drawing {
  readonly choice: TopChoice;
  readonly room: number;
  readonly columns: number;
  readonly colour: boolean;
}

function drawTable<Row extends { readonly history: readonly number[] }>(rows: readonly Row[], columns: readonly TopColumn<Row>[], drawing: Drawing): string[] {
  const { choice, room, colour } = drawing;
  const used = columns.reduce((sum, { width }) => sum + width + 1, 0);
  const history = Math.min(MOST_HISTORY, drawing.columns - used);
  const titles = columns.map((column) => {
    const arrow = isAscending(column, choice) ? '▴' : '▾';
    const text = fitted(column.name === choice.sort ? `${column.title}${arrow}` : column.title, column);
    return paint(text, column.name === choice.sort ? 'chosen' : 'title', colour);
  });
  const line = (row: Row): string => {
    const cells = columns.map((column) => paint(fitted(printable(column.text(row)), column), column.colour?.(row), colour));
    return [...cells, ...(history >= LEAST_HISTORY ? [paint(sparkline(row.history, history), 'good', colour)] : [])].join(' ').trimEnd();
  };
  const sorted = sortedRows(rows, columns, choice);
  const shown = sorted.length > room ? room - 1 : room;
  const more = sorted.length > room ? [`… ${sorted.length - shown} more`] : [];
  return [titles.join(' '), ...sorted.slice(0, shown).map(line), ...more];
}

function headLine(model: TopModel, columns: number, colour: boolean): string {
  const ports = model.ports();
  const sum = (value: (row: PortRow) => number): number => ports.reduce((total, row) => total + value(row), 0);
  const flows = model.flows().length;
  const dropped = sum((row) => row.droppedPerSecond);
  const parts = [
    `xmcast ${flows} ${flows === 1 ? 'flow' : 'flows'} ${ports.length} ports`,
    `in ${formatBitRate(sum((row) => row.rxBitsPerSecond))} ${formatRate(sum((row) => row.rxPacketsPerSecond))}/s`,
    `out ${formatBitRate(sum((row) => row.txBitsPerSecond))} ${formatRate(sum((row) => row.txPacketsPerSecond))}/s`,
  ];
  const head = `${parts.join('  ')}  `.slice(0, columns);
  return head + paint(`lost ${formatRate(dropped)}/s`.slice(0, columns - head.length), dropped > 0 ? 'bad' : undefined, colour);
}

function stateLine({ table, sort, isReversed, isPaused }: TopChoice, columns: number, colour: boolean): string {
  const tabs = (['flows', 'ports'] as const).map((name) => (name === table ? `[${name}]` : ` ${name} `)).join(' ');
  const order = `by ${sort}${isReversed ? ', reversed' : ''}`;
  const text = `${tabs}   ${order}`.slice(0, columns);
  return isPaused ? `${text}   ${paint('PAUSED', 'warning', colour)}` : text;
}

/** Exactly as wide as its column. */
function fitted(text: string, { width, align }: { readonly width: number; readonly align: 'left' | 'right' }): string {
  const shown = text.length > width ? `${text.slice(0, width - 1)}…` : text;
  return align === 'right' ? shown.padStart(width) : shown.padEnd(width);
}

/** Octets as they count: 10.0.0.2 is before 10.0.0.10. */
function sortableAddress(text: string): string {
  return text.replace(/\d+/g, (digits) => digits.padStart(3, '0'));
}
