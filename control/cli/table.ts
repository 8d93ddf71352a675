/**
 * Plain-text tables: aligned columns, numbers to the right, no frames, nothing that a screen reader or grep stumbles over.
 */

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Shown only where there is room (-o wide). */
  readonly wide?: true;
}

export interface TableStyle {
  /** Bold titles. Only for terminals. */
  readonly colour: boolean;
  /** Everything, however long the lines get. */
  readonly wide: boolean;
}

export const PLAIN: TableStyle = { colour: false, wide: false };

const GAP = '  ';
/** ESC [1m … ESC [0m */
const BOLD = ['\u001b[1m', '\u001b[0m'] as const;

/** Ends with a line feed. Each row has a cell for each column, whether or not the column is shown. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], style: TableStyle = PLAIN): string {
  const shown = columns
    .map((column, index) => ({ ...column, cells: rows.map((row) => printable(row[index] ?? '')) }))
    .filter(({ wide }) => style.wide || wide !== true)
    .map((column) => ({ ...column, width: widthOf(column.title, column.cells) }));
  const line = (cellOf: (column: (typeof shown)[number]) => string): string =>
    shown
      .map((column) => (column.align === 'right' ? cellOf(column).padStart(column.width) : cellOf(column).padEnd(column.width)))
      .join(GAP)
      .trimEnd();
  const titles = line(({ title }) => title);
  const head = style.colour ? BOLD.join(titles) : titles;
  return [head, ...rows.map((_, index) => line(({ cells }) => cells[index] ?? ''))].map((text) => `${text}\n`).join('');
}

function widthOf(title: string, cells: readonly string[]): number {
  return cells.reduce((width, cell) => Math.max(width, cell.length), title.length);
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
