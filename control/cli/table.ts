/**
 * Plain-text tables: aligned columns, numbers to the right, no frames, nothing that a screen reader or grep stumbles over.
 */
import { type Colour, paint } from './colour';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Shown only where there is room (-o wide). */
  readonly wide?: true;
}

export interface TableStyle {
  /** Bold titles, and the colours of cells. Only for terminals. */
  readonly colour: boolean;
  /** Everything, however long the lines get. */
  readonly wide: boolean;
}

/** Plain text, or text with a colour that means something. */
export type Cell = string | { readonly text: string; readonly colour: Colour | undefined };

export const PLAIN: TableStyle = { colour: false, wide: false };

const GAP = '  ';

/** Ends with a line feed. Each row has a cell for each column, whether or not the column is shown. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], style: TableStyle = PLAIN): string {
  const shown = columns
    .map((column, index) => ({ ...column, cells: rows.map((row) => cellOf(row[index] ?? '')) }))
    .filter(({ wide }) => style.wide || wide !== true)
    .map((column) => ({ ...column, width: widthOf(column.title, column.cells) }));
  const line = (at: (column: (typeof shown)[number]) => ShownCell): string =>
    shown
      .map((column, index) => aligned(at(column), column, { isLast: index === shown.length - 1, colour: style.colour }))
      .join(GAP)
      .trimEnd();
  const titles = paint(line(({ title }) => ({ text: title, colour: undefined })), 'title', style.colour);
  return [titles, ...rows.map((_, index) => line(({ cells }) => cells[index] ?? cellOf('')))].map((text) => `${text}\n`).join('');
}

interface ShownCell {
  readonly text: string;
  readonly colour: Colour | undefined;
}

function cellOf(cell: Cell): ShownCell {
  return typeof cell === 'string' ? { text: printable(cell), colour: undefined } : { text: printable(cell.text), colour: cell.colour };
}

/** Spaces are outside the colour, and none follow the last cell. */
function aligned({ text, colour }: ShownCell, column: { readonly align?: 'left' | 'right'; readonly width: number }, style: { readonly isLast: boolean; readonly colour: boolean }): string {
  const space = ' '.repeat(Math.max(0, column.width - text.length));
  const painted = paint(text, colour, style.colour);
  if (column.align === 'right') return space + painted;
  return style.isLast ? painted : painted + space;
}

function widthOf(title: string, cells: readonly ShownCell[]): number {
  return cells.reduce((width, { text }) => Math.max(width, text.length), title.length);
}

/** "name: value" lines with aligned values. */
export function renderPairs(pairs: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length + 1));
  return pairs.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${printable(value)}`.trimEnd() + '\n').join('');
}

/** Names of interfaces may hold escape sequences; a terminal must not obey them. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
