/** The results as text: what the terminal and table.txt show. */
import { renderTable, type Column } from '../../../control/cli/table';
import { CONTENDERS } from './protocol';
import type { Cell, Results, Spread, TableCell } from './results';

const RED = ['\u001b[31m', '\u001b[0m'] as const;
const GREEN = ['\u001b[32m', '\u001b[0m'] as const;

export function renderResults(results: Results, colour: boolean): string {
  return [
    'Million copies per second of CPU time, as counted by the receivers: median of the rounds (lowest to highest)',
    renderTable(RATE_COLUMNS, results.cells.map(rateRow)),
    'CPU time, and ratios of paired rounds: median (lowest to highest)',
    renderTable(RATIO_COLUMNS, results.cells.map(ratioRow)),
    'egress: the bare broadcast with an egress program that does nothing, the least that writing to each copy costs',
    ...generatorLines(results),
    ...(results.table === null ? [] : tableLines(results.table)),
    ...memoryLines(results),
    '',
    ...results.targets.map(({ target, value, met }) => verdict(met, `${target}: ${value.toFixed(2)}`, colour)),
    ...results.contradictions.map((sentence) => paint(`CONTRADICTION  ${sentence}`, RED, colour)),
    '',
  ].join('\n');
}

const right = (title: string): Column => ({ title, align: 'right' });
const RATE_COLUMNS: readonly Column[] = [
  right('ports'),
  right('bytes'),
  ...CONTENDERS.map(right),
  right('lost copies'),
  right('rounds'),
];
const RATIO_COLUMNS: readonly Column[] = [
  right('ports'),
  right('bytes'),
  ...CONTENDERS.map((name) => right(`${name} ns/copy`)),
  right('xmcast/kernel'),
  right('tc/kernel'),
  right('xmcast/bare'),
  right('egress/bare'),
];

function rateRow(cell: Cell): readonly string[] {
  const figures = CONTENDERS.map((name) => cell.contenders[name]);
  const rates = figures.map(({ copiesPerSecond: { median, min, max } }) =>
    spreadText({ median: median / 1e6, min: min / 1e6, max: max / 1e6 }),
  );
  return [String(cell.ports), String(cell.size), ...rates, figures.map(({ lost }) => lost).join(' / '), String(cell.rounds)];
}

function ratioRow(cell: Cell): readonly string[] {
  const costs = CONTENDERS.map((name) => cell.contenders[name].nsPerCopy.toFixed(0));
  return [String(cell.ports), String(cell.size), ...costs, spreadText(cell.overKernel), spreadText(cell.tcOverKernel), spreadText(cell.overBare), spreadText(cell.egressOverBare)];
}

export function spreadText({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
}

function generatorLines({ generatorNsPerPacket }: Results): readonly string[] {
  const costs = Object.entries(generatorNsPerPacket).map(([size, ns]) => `${ns.toFixed(0)} ns at ${size} bytes`);
  return [`Making a frame, part of every figure: ${costs.join(', ')} per packet`];
}

function tableLines(table: TableCell): readonly string[] {
  const { routes, ports, oneRouteNsPerPacket: one, allRoutesNsPerPacket: all, ratio, fill } = table;
  return [
    `A packet to ${ports} ports: ${one.toFixed(0)} ns with one route, ${all.toFixed(0)} ns walking ${routes} routes: ${spreadText(ratio)} x`,
    `Installing ${routes} routes took ${fill.elapsedMs.toFixed(0)} ms, ${((fill.elapsedMs * 1000) / routes).toFixed(1)} us each`,
  ];
}

function memoryLines({ memory, table }: Results): readonly string[] {
  const controller = table === null ? '' : ` and ${(table.fill.heapBytes / table.routes).toFixed(0)} in the controller`;
  const groups = memory.groups.map(({ slots, bytes }) => `${bytes} (${slots} slots)`).join(', ');
  return [
    `Memory per route: ${memory.perRouteBytes.toFixed(0)} bytes in the kernel (${memory.cpus} CPUs)${controller}`,
    `Memory per replication group, empty: ${groups} bytes`,
    `Memory per vport: ${memory.perVportBytes.toFixed(0)} bytes; whatever the numbers: ${(memory.fixedBytes / 1024).toFixed(0)} KiB`,
  ];
}

function verdict(met: boolean, text: string, colour: boolean): string {
  return paint(`${met ? 'met   ' : 'MISSED'}  ${text}`, met ? GREEN : RED, colour);
}

function paint(text: string, [on, off]: readonly [string, string], colour: boolean): string {
  return colour ? `${on}${text}${off}` : text;
}
