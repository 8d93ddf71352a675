/**
 * Plain-text tables: aligned columns, numbers to the right, no frames, nothing that a screen reader or grep stumbles over.
 */

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

export interface TableStyle {
  /** Bold titles. Only for terminals. */
  readonly colour: boolean;
}

export const PLAIN: TableStyle = { colour: false };

const GAP = '  ';
/** ESC [1m … ESC [0m */
const BOLD = ['\u001b[1m', '\u001b[0m'] as const;

/** Ends with a line feed. Each row has a cell for each column. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[], style: TableStyle = PLAIN): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, index) =>
    cells.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), title.length),
  );
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? '';
        return align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0);
      })
      .join(GAP)
      .trimEnd();
  const titles = line(columns.map(({ title }) => title));
  const head = style.colour ? BOLD.join(titles) : titles;
  return [head, ...cells.map(line)].map((text) => `${text}\n`).join('');
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
