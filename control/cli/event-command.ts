/**
 * `xmcastctl events`: what has happened, and with --watch what happens, line by line.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import { xmcast } from '#proto';

import { stateServiceDefinition } from '../api/services';

import { withExamples } from './examples';
import { EXIT, type ExitStatus } from './failure';
import { eventLine, eventTitles, formatEvents, severityText, typeText } from './format-events';
import { isTable, renderView } from './output';
import { messageToJson } from './proto-json';
import type { CommandTools, RunAction } from './tools';

const { Severity, Type } = xmcast.v1.Event;

interface EventOptions {
  readonly severity?: number;
  readonly type?: readonly number[];
  readonly about?: string;
  readonly last: number;
  readonly watch?: true;
}

const SHOWN = 50;

export function addEventCommand(program: Command, run: RunAction): void {
  const command = program
    .command('events')
    .description('what has happened: links, queriers, limits, refused routes, loops, changes of the configuration')
    .addOption(new Option('--severity <least>', 'info, warning or error, and what is above').argParser(parseSeverity))
    .addOption(new Option('--type <type...>', 'only these types, e.g. querier-changed').argParser(parseType))
    .option('--about <subject>', 'only about this interface or route')
    .addOption(new Option('-n, --last <count>', 'so many of the newest, 0: all that are kept').argParser(parseCount).default(SHOWN))
    .option('-w, --watch', 'go on with what happens from now on')
    .action((options: EventOptions, own: Command) => run(own, (tools) => eventsAction(tools, options)));
  withExamples(
    command,
    ['xmcastctl events --severity warning', 'what somebody may have to look at'],
    ['xmcastctl events --about eth1 -w', 'one interface, as it goes on'],
    ['xmcastctl events -w -o jsonl', 'for a program'],
  );
}

function eventsAction(tools: CommandTools, options: EventOptions): Promise<ExitStatus> {
  return options.watch === true ? watchEvents(tools, options) : listEvents(tools, options);
}

function filterOf({ severity, type, about }: EventOptions) {
  return { minSeverity: severity ?? Severity.SEVERITY_UNSPECIFIED, types: [...(type ?? [])], subject: about ?? '' };
}

async function listEvents({ client, io, style }: CommandTools, options: EventOptions): Promise<ExitStatus> {
  const listed = await client.listEvents(filterOf(options));
  const events = options.last === 0 ? listed : listed.slice(-options.last);
  const items = (): object[] => events.map((event) => messageToJson('xmcast.v1.Event', event));
  io.stdout.write(renderView({ table: (table) => formatEvents(events, table), items, json: () => ({ events: items() }) }, style));
  return EXIT.ok;
}

/** Lines that stay; a document for each event where documents are asked for. */
async function watchEvents({ client, io, style }: CommandTools, options: EventOptions): Promise<ExitStatus> {
  const signal = io.interrupted?.() ?? new AbortController().signal;
  const table = { colour: style.colour, wide: style.format === 'wide' };
  if (isTable(style.format)) io.stdout.write(eventTitles(table));
  const show = (event: xmcast.v1.Event.$Properties): void => {
    const json = (): object => messageToJson('xmcast.v1.Event', event);
    const view = { table: () => eventLine(event, table), json, items: () => [json()] };
    io.stdout.write(renderView(view, { ...style, repeated: true }));
  };
  const request = xmcast.v1.WatchEventsRequest.create({ ...filterOf(options), backlog: options.last });
  await client.watch(stateServiceDefinition.watchEvents, request, {
    signal,
    onMessage: ({ progress, events }) => {
      const missed = Number(progress?.coalescedCount ?? 0);
      if (missed > 0) io.stderr.write(`xmcastctl: ${missed} events were missed: they came faster than they were read\n`);
      for (const event of events) show(event);
    },
  });
  return EXIT.ok;
}

function parseSeverity(text: string): number {
  const found = numbersOf(Severity).find((value) => severityText(value) === text);
  if (found === undefined) throw new InvalidArgumentError(`"${text}" is none of ${numbersOf(Severity).map(severityText).join(', ')}.`);
  return found;
}

function parseType(text: string, before: readonly number[] = []): readonly number[] {
  const found = numbersOf(Type).find((value) => typeText(value) === text);
  if (found === undefined) throw new InvalidArgumentError(`"${text}" is none of ${numbersOf(Type).map(typeText).join(', ')}.`);
  return [...before, found];
}

/** All but the one that says nothing. */
function numbersOf(values: object): number[] {
  return Object.values(values).filter((value): value is number => typeof value === 'number' && value !== 0);
}

export function parseCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError(`"${text}" is no number from 0 to 999999.`);
  return Number(text);
}
