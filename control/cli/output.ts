/**
 * A view as text in one of the formats of -o.
 */
import { stringify } from 'yaml';

import type { View } from './views';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'jsonl', 'yaml'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Formats for people, which say nothing where nothing is; the others always give a document. */
export function isTable(format: OutputFormat): boolean {
  return format === 'table' || format === 'wide';
}

export interface OutputStyle {
  readonly format: OutputFormat;
  readonly colour: boolean;
  /** One of many, one after the other: told apart in every format. */
  readonly repeated: boolean;
}

/** Ends with a line feed, unless it is empty. */
export function renderView(view: View, { format, colour, repeated }: OutputStyle): string {
  switch (format) {
    case 'table':
    case 'wide':
      return view.table({ colour, wide: format === 'wide' });
    case 'json':
      return `${JSON.stringify(view.json(), undefined, repeated ? 0 : 2)}\n`;
    case 'jsonl':
      return view
        .items()
        .map((item) => `${JSON.stringify(item)}\n`)
        .join('');
    case 'yaml':
      return (repeated ? '---\n' : '') + stringify(view.json(), { lineWidth: 0, aliasDuplicateObjects: false });
  }
}
