/** The results as text: what the terminal and table.txt show. */
import { renderTable, type Column } from '../../../control/cli/table';
import { figuresOf, PROCESSES, type Results } from './results';

const right = (title: string): Column => ({ title, align: 'right' });

export function renderResults({ environment, measured }: Results): string {
  const { kernel, node, cpus, cpu } = environment;
  const [first] = measured;
  const [one, split] = [measured.find(({ form }) => form === 'one'), measured.find(({ form }) => form === 'split')];
  const columns: readonly Column[] = [{ title: 'what', align: 'left' }, { title: 'unit', align: 'left' }, right(PROCESSES.one), right(PROCESSES.split), right('ratio')];
  const rows = (first === undefined ? [] : figuresOf(first)).map(({ what, unit, valueOf }) => {
    const [before, after] = [one, split].map((found) => (found === undefined ? NaN : valueOf(found)));
    return [what, unit, shown(before), shown(after), shown((after ?? NaN) / (before ?? NaN))];
  });
  return [`Linux ${kernel}, Node ${node}, ${cpus} x ${cpu}`, '', renderTable(columns, rows), ''].join('\n');
}

function shown(value = NaN): string {
  if (Number.isNaN(value)) return '-';
  return value >= 1000 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
}
