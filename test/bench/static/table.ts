/** The results as text: what the terminal and table.txt show. */
import { renderTable, type Column } from '../../../control/cli/table';
import { targetLines } from '../targets';
import type { Results } from './results';

const right = (title: string): Column => ({ title, align: 'right' });

export function renderResults({ environment, rows, singles, memory, targets }: Results): string {
  const { kernel, node, cpus, cpu } = environment;
  return [
    `Linux ${kernel}, Node ${node}, ${cpus} x ${cpu}`,
    '',
    renderTable(
      [{ title: 'one call' }, right('entries'), right('request kB'), right('ms'), right('CPU ms'), right('longest stall ms'), right('in the worst run'), right('99 % wait ms')],
      rows.map(({ what, entries, bytes, wallMs, cpuMs, stallMs, worstStallMs, waitP99Ms }) => [
        what,
        String(entries),
        bytes === 0 ? '-' : (bytes / 1000).toFixed(0),
        wallMs.toFixed(0),
        cpuMs.toFixed(0),
        stallMs.toFixed(1),
        worstStallMs.toFixed(1),
        waitP99Ms.toFixed(1),
      ]),
    ),
    renderTable(
      [{ title: 'calls of one entry' }, right('at once'), right('calls/s'), right('longest stall ms')],
      singles.map(({ calls, atOnce, perSecond, stallMs }) => [String(calls), String(atOnce), perSecond.toFixed(0), stallMs.toFixed(1)]),
    ),
    renderTable(
      [{ title: 'memory' }, right('entries'), right('heap bytes/entry')],
      memory.map(({ kind, entries, bytesPerEntry }) => [kind, String(entries), bytesPerEntry.toFixed(0)]),
    ),
    ...targetLines(targets),
    '',
  ].join('\n');
}
