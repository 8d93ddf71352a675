/**
 * `xmcastctl top`: follows flows and interfaces by two streams, and draws them until a key or a signal ends it. Without a terminal, or with
 * --once, one look.
 */
import { type Command, Option } from 'commander';

import { xmcast } from '#proto';

import { stateServiceDefinition } from '../api/services';
import { toWireTime } from '../api/wire-time';

import { withExamples } from './examples';
import { CliFailure, EXIT, type ExitStatus } from './failure';
import { parseSeconds } from './options';
import { isTable, renderView } from './output';
import { Screen } from './screen';
import { DEFAULT_ROWS } from './show';
import { type Cell, type Column, renderTable, type TableStyle } from './table';
import type { CommandTools, RunAction } from './tools';
import { TopModel } from './top-model';
import { drawTop, FLOW_COLUMNS, PORT_COLUMNS, SORTS, sortedRows, type TopChoice, type TopColumn, type TopTable, USUAL_SORT } from './top-screen';

interface TopOptions {
  readonly every: number;
  readonly once?: true;
  readonly ports?: true;
  readonly sort?: string;
  readonly group?: string;
  readonly source?: string;
}

const USUAL_MS = 1000;
const SHORTEST_MS = 100;
const DEFAULT_COLUMNS = 80;
const CTRL_C = '\u0003';

export function addTopCommand(program: Command, run: RunAction): void {
  const command = program
    .command('top')
    .description('the largest flows and the busiest interfaces, live, with what is lost')
    .addOption(new Option('--every <seconds>', 'between two samples').argParser(parseSeconds).default(USUAL_MS, '1'))
    .option('--once', 'one look instead of a live one; so it is without a terminal')
    .option('--ports', 'begin with the interfaces')
    .option('--sort <column>', `flows: ${SORTS.flows.join(', ')}; interfaces: ${SORTS.ports.join(', ')}`)
    .option('-g, --group <prefix>', 'only groups in this prefix')
    .option('-s, --source <prefix>', 'only sources in this prefix')
    .addHelpText('after', '\nKeys: q ends it, tab shows the other table, s sorts by the next column, r turns the order round, p pauses.')
    .action((options: TopOptions, own: Command) => run(own, (tools) => topAction(tools, options)));
  withExamples(command, ['xmcastctl top', 'what is going on'], ['xmcastctl top --ports --sort drops', 'where packets are lost']);
}

async function topAction(tools: CommandTools, options: TopOptions): Promise<ExitStatus> {
  const choice = choiceOf(options);
  const { io, style } = tools;
  const isLive = io.isTerminal && options.once !== true && isTable(style.format);
  return isLive ? live(tools, options, choice) : once(tools, options, choice);
}

function choiceOf({ ports, sort }: TopOptions): TopChoice {
  const table: TopTable = ports === true ? 'ports' : 'flows';
  const by = sort ?? USUAL_SORT[table];
  if (!SORTS[table].includes(by)) throw new CliFailure(EXIT.usage, `--sort ${by}: the ${table} are sorted by ${SORTS[table].join(', ')}`);
  return { table, sort: by, isReversed: false, isPaused: false };
}

async function live(tools: CommandTools, options: TopOptions, first: TopChoice): Promise<ExitStatus> {
  const { io, style } = tools;
  const stop = new AbortController();
  io.interrupted?.().addEventListener('abort', () => stop.abort());
  const screen = new Screen((text) => io.stdout.write(text), () => io.rows?.() || DEFAULT_ROWS);
  const model = new TopModel();
  let choice = first;
  const draw = (): void => {
    const size = { rows: io.rows?.() || DEFAULT_ROWS, columns: io.columns?.() || DEFAULT_COLUMNS };
    screen.draw(drawTop(model, choice, size, style.colour));
  };
  const release = io.keys?.((key) => {
    if (key === 'q' || key === CTRL_C) return stop.abort();
    choice = chosen(choice, key);
    draw();
  });
  try {
    await follow(tools, options, { model, suppressUnchanged: true, signal: stop.signal, onSample: () => (choice.isPaused ? undefined : draw()) });
  } finally {
    release?.();
    screen.close();
  }
  return EXIT.ok;
}

/** What a key changes. */
export function chosen(choice: TopChoice, key: string): TopChoice {
  const { table, sort } = choice;
  switch (key) {
    case '\t': {
      const other = table === 'flows' ? 'ports' : 'flows';
      return { ...choice, table: other, sort: USUAL_SORT[other], isReversed: false };
    }
    case 's':
      return { ...choice, sort: SORTS[table][(SORTS[table].indexOf(sort) + 1) % SORTS[table].length] ?? sort, isReversed: false };
    case 'r':
      return { ...choice, isReversed: !choice.isReversed };
    case 'p':
      return { ...choice, isPaused: !choice.isPaused };
    default:
      return choice;
  }
}

interface Following {
  readonly model: TopModel;
  /** Most of a large table is silent most of the time. */
  readonly suppressUnchanged: boolean;
  readonly signal: AbortSignal;
  readonly onSample: () => void;
}

/** Both streams until the signal comes, or one of them fails. */
async function follow({ client }: CommandTools, options: TopOptions, { model, suppressUnchanged, signal, onSample }: Following): Promise<void> {
  const sampleInterval = toWireTime(Math.max(SHORTEST_MS, options.every));
  const { group = '', source = '' } = options;
  const both = new AbortController();
  const stop = (): void => both.abort();
  signal.addEventListener('abort', stop);
  const flows = client.watch(
    stateServiceDefinition.watchFlows,
    xmcast.v1.WatchFlowsRequest.create({ group, source, sampleInterval, suppressUnchanged }),
    {
      signal: both.signal,
      onMessage: (message) => {
        model.takeFlows(message);
        if (message.progress?.synced === true) onSample();
      },
    },
  );
  const interfaces = client.watch(stateServiceDefinition.watchInterfaces, xmcast.v1.WatchInterfacesRequest.create({ sampleInterval }), {
    signal: both.signal,
    onMessage: (message) => {
      model.takeInterfaces(message, performance.now());
      if (message.progress?.synced === true) onSample();
    },
  });
  try {
    await Promise.all([flows, interfaces]);
  } finally {
    stop();
    await Promise.allSettled([flows, interfaces]);
    signal.removeEventListener('abort', stop);
  }
}

/** Rates need two samples. */
async function once(tools: CommandTools, options: TopOptions, choice: TopChoice): Promise<ExitStatus> {
  const { io, style } = tools;
  const model = new TopModel();
  const enough = new AbortController();
  io.interrupted?.().addEventListener('abort', () => enough.abort());
  const onSample = (): void => (model.isReady ? enough.abort() : undefined);
  await follow(tools, options, { model, suppressUnchanged: false, signal: enough.signal, onSample });
  const by = (table: TopTable): Pick<TopChoice, 'sort' | 'isReversed'> => (table === choice.table ? choice : { sort: USUAL_SORT[table], isReversed: false });
  const flows = sortedRows(model.flows(), FLOW_COLUMNS, by('flows'));
  const ports = sortedRows(model.ports(), PORT_COLUMNS, by('ports'));
  const json = (): object => ({ flows, ports });
  const table = (look: TableStyle): string => `${plainTable(flows, FLOW_COLUMNS, look)}\n${plainTable(ports, PORT_COLUMNS, look)}`;
  io.stdout.write(renderView({ table, json, items: () => [json()] }, style));
  return EXIT.ok;
}

function plainTable<Row>(rows: readonly Row[], columns: readonly TopColumn<Row>[], style: TableStyle): string {
  const head: Column[] = columns.map(({ title, align }) => ({ title, align }));
  const cells = rows.map((row) => columns.map((column): Cell => ({ text: column.text(row), colour: column.colour?.(row) })));
  return renderTable(head, cells, style);
}
