/**
 * A trace as text: one line for each decision, then what becomes of the packet.
 */
import { xmcast } from '#proto';

import type { Colour } from './colour';
import { paint } from './colour';
import { type Cell, type Column, printable, renderTable, type TableStyle } from './table';

type Trace = xmcast.v1.TraceResponse.$Properties;
type Step = xmcast.v1.TraceStep.$Properties;

const { Stage, Verdict } = xmcast.v1.TraceStep;

const COLUMNS: readonly Column[] = [{ title: 'STAGE' }, { title: '' }, { title: 'INTERFACE' }, { title: 'DECISION' }];
const VERDICTS: Readonly<Record<number, readonly [word: string, colour: Colour | undefined]>> = {
  [Verdict.VERDICT_PASS]: ['ok', 'good'],
  [Verdict.VERDICT_DROP]: ['DROP', 'bad'],
  [Verdict.VERDICT_NOTE]: ['-', undefined],
};

export function formatTrace({ steps, summary, forwarded }: Trace, style: TableStyle): string {
  const table = renderTable(COLUMNS, (steps ?? []).map(stepRow), style);
  return `${table}\n${paint(printable(summary ?? ''), forwarded === true ? 'good' : 'bad', style.colour)}\n`;
}

function stepRow({ stage, verdict, interface: name, text }: Step): Cell[] {
  const [word, colour] = VERDICTS[verdict ?? 0] ?? [String(verdict), undefined];
  return [stageText(stage ?? 0), { text: word, colour }, name || '-', { text: text ?? '', colour: colour === 'bad' ? 'bad' : undefined }];
}

function stageText(stage: number): string {
  const name: unknown = Reflect.get(Stage, stage);
  return typeof name === 'string' ? name.slice('STAGE_'.length).toLowerCase().replaceAll('_', ' ') : String(stage);
}
