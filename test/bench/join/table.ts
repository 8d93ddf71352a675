/** The results as text: what the terminal and table.txt show. */
import { renderTable, type Column } from '../../../control/cli/table';
import { METHOD_TEXT, type Results, type Row } from './results';
import { targetLines } from '../targets';

const right = (title: string): Column => ({ title, align: 'right' });
const COLUMNS: readonly Column[] = [
  { title: 'what', align: 'left' },
  { title: 'router', align: 'left' },
  right('trials'),
  right('missing'),
  right('median ms'),
  right('99 % ms'),
  right('max ms'),
  right('lost frames/trial'),
];

export function renderResults({ environment, version, streamPps, rows, targets }: Results): string {
  const { kernel, node, cpus, cpu } = environment;
  return [
    `Linux ${kernel}, Node ${node}, ${cpus} x ${cpu}`,
    `IGMPv${version}; a stream of ${streamPps.toLocaleString('en')} frames a second, so a delay is seen to within ${(1000 / streamPps).toFixed(2)} ms`,
    '',
    renderTable(COLUMNS, [...rows].sort(byMethod).map(row)),
    ...targetLines(targets),
    '',
  ].join('\n');
}

function byMethod(left: Row, right: Row): number {
  const order = Object.keys(METHOD_TEXT);
  return order.indexOf(left.method) - order.indexOf(right.method);
}

function row({ router, method, trials, missing, passed, delayMs }: Row): readonly string[] {
  const times = delayMs === null ? ['-', '-', '-'] : [delayMs.p50, delayMs.p99, delayMs.max].map((ms) => ms.toFixed(2));
  const arrived = trials - missing;
  // While the stream runs already, whatever passes before the first frame is the delay itself.
  const lost = method === 'silent' && arrived > 0 ? (passed / arrived).toFixed(1) : '-';
  return [METHOD_TEXT[method], router, String(trials), String(missing), ...times, lost];
}
