/**
 * xmcastctl as a function of arguments and streams: parses, calls, prints, and returns the exit status. Touches neither the process's
 * streams nor its exit.
 */
import { Command, CommanderError, Option } from 'commander';
import { setTimeout as delay } from 'node:timers/promises';

import { ApiClient } from '../api/client';

import { CliFailure, EXIT, type ExitStatus, failureOf } from './failure';
import {
  DEFAULT_TARGET,
  type GlobalOptions,
  parseAddress,
  parseBoolean,
  parseSeconds,
  parseTarget,
  socketPathOf,
  type WatchOption,
} from './options';
import {
  type Filters,
  type FlowFilters,
  flowsReport,
  interfacesReport,
  membershipsReport,
  type Report,
  routesReport,
  statusReport,
} from './reports';
import { printable } from './table';
import { installedVersion } from './version';

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_WATCH_MS = 2000;
/** ESC [H ESC [J: to the upper left, then clear what follows. */
const REDRAW = '\u001b[H\u001b[J';

export interface CliIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal: colour and redrawing. */
  readonly isTerminal: boolean;
  /** Ends --watch. Without it --watch goes on until the process dies. */
  readonly signal?: AbortSignal;
}

type MakeReport<Options> = (client: ApiClient, options: Options) => Promise<Report>;

/** `argv` without interpreter and script. Never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<ExitStatus> {
  const outcome: { status: ExitStatus } = { status: EXIT.ok };
  const program = createProgram(io, (status) => (outcome.status = status));
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return outcome.status;
  } catch (error) {
    // Commander has already printed its message; help and version are errors of exit code 0 to it.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = error instanceof CliFailure ? error : new CliFailure(EXIT.error, String(error));
    io.stderr.write(`xmcastctl: ${printable(failure.message)}\n`);
    return failure.exitStatus;
  }
}

function createProgram(io: CliIo, finish: (status: ExitStatus) => void): Command {
  const program = new Command('xmcastctl')
    .description('Shows what a running xmcastd knows and forwards.')
    .version(installedVersion())
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride()
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addOption(targetOption(io))
    .addOption(
      new Option('--timeout <seconds>', 'for each request; 500ms is understood too')
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_MS, '5'),
    )
    .addHelpText('after', '\nExit status: 0 ok, 1 error, 2 usage, 3 nothing matches, 4 xmcastd cannot be reached.');
  const add = <Options>(name: string, description: string, report: MakeReport<Options>): Command =>
    program
      .command(name)
      .description(description)
      .addOption(
        new Option('-w, --watch [seconds]', 'print again and again, every 2 seconds unless given').argParser(parseSeconds),
      )
      .action(async (_own, command: Command) => finish(await show(command, report, io)));
  addCommands(add);
  return program;
}

function addCommands(add: <Options>(name: string, description: string, report: MakeReport<Options>) => Command): void {
  const group = ['-g, --group <prefix>', 'only groups in this prefix, e.g. 239.1.0.0/16 or 239.1.1.1'] as const;
  const source = ['-s, --source <prefix>', 'only sources in this prefix'] as const;
  add('status', 'the daemon as a whole', (client) => statusReport(client, Date.now));
  add<Filters>('interfaces', 'configured interfaces with counters', interfacesReport).option(
    '-i, --interface <name>',
    'only this one, with its counters by reason',
  );
  add<Filters>('memberships', 'what the hosts behind each interface listen to', membershipsReport)
    .option(...group)
    .addOption(new Option('-s, --source <address>', 'only where a host named this source').argParser(parseAddress))
    .option('-i, --interface <name>', 'only this interface');
  add<Filters>('routes', 'the forwarding table', routesReport)
    .option(...group)
    .option(...source)
    .option('-i, --interface <name>', 'only routes that come in or go out by this interface');
  add<FlowFilters>('flows', 'counters and rates of each route', flowsReport)
    .option(...group)
    .option(...source)
    .option('-i, --interface <name>', 'only flows that come in or go out by this interface')
    .addOption(new Option('--fresh <boolean>', 'read the counters now').argParser(parseBoolean).default(true));
}

/** XMCAST_TARGET is read here and not by commander so that a test decides over the environment. */
function targetOption(io: CliIo): Option {
  const fallback = io.env['XMCAST_TARGET'] || DEFAULT_TARGET;
  return new Option('--target <socket>', 'where xmcastd listens; also XMCAST_TARGET').argParser(parseTarget).default(fallback);
}

async function show<Options>(command: Command, makeReport: MakeReport<Options>, io: CliIo): Promise<ExitStatus> {
  const { output, target, timeout, watch, ...filters } = command.optsWithGlobals<GlobalOptions & WatchOption & Options>();
  const socketPath = pathOfTarget(target);
  const client = new ApiClient({ target: `unix:${socketPath}`, timeoutMs: timeout });
  const everyMs = watch === true ? DEFAULT_WATCH_MS : watch;
  try {
    for (;;) {
      const report = await makeReport(client, filters as Options);
      const status = print(report, output, io, everyMs !== undefined);
      if (everyMs === undefined || !(await pause(everyMs, io.signal))) return status;
    }
  } catch (error) {
    throw await failureOf(error, { socketPath, timeoutMs: timeout });
  } finally {
    client.close();
  }
}

/** The environment's target has not been through the option's parser. */
function pathOfTarget(target: string): string {
  try {
    return socketPathOf(target);
  } catch (error) {
    throw new CliFailure(EXIT.usage, `XMCAST_TARGET: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function print(report: Report, output: GlobalOptions['output'], io: CliIo, again: boolean): ExitStatus {
  const colour = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '';
  const text = output === 'json' ? `${JSON.stringify(report.json(), undefined, again ? 0 : 2)}\n` : report.table({ colour });
  const redraw = again && io.isTerminal && output === 'table' ? REDRAW : '';
  if (report.missing === undefined || output === 'json') io.stdout.write(redraw + text);
  if (report.missing === undefined) return EXIT.ok;
  io.stderr.write(`xmcastctl: ${printable(report.missing.message)}\n`);
  return report.missing.exitStatus;
}

/** false: it is over. */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
    return true;
  } catch {
    // The only rejection is the abort, which is how --watch ends.
    return false;
  }
}
