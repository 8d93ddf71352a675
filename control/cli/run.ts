/**
 * xmcastctl as a function of arguments and streams: parses, calls, prints, and returns the exit status. Touches neither the process's
 * streams nor its exit.
 */
import { Command, CommanderError, Option } from 'commander';

import { addViews, type AddView, type MakeView } from './commands';
import { detachAction } from './detach-action';
import { addConfigCommands } from './config-commands';
import { CliFailure, EXIT, EXIT_TEXT, type ExitStatus, failureOf } from './failure';
import { addCompletion } from './completion';
import { connectionOf } from './connection';
import { addEventCommand } from './event-command';
import { examplesText } from './examples';
import { addImportCommand } from './import-command';
import { liveNamesOf } from './live-names';
import type { MakeLive } from './live-views';
import { DEFAULT_TARGET, type GlobalOptions, parseSeconds, parseTarget, type WatchOption } from './options';
import { OUTPUT_FORMATS, type OutputStyle } from './output';
import { print, showAgain } from './show';
import { addStaticCommands } from './static-commands';
import { addSystemCommands } from './system-commands';
import { printable } from './table';
import type { CommandTools, RunAction } from './tools';
import { addTopCommand } from './top-command';
import { installedVersion } from './version';
import type { View } from './views';

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_WATCH_MS = 2000;

export interface CliIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Default: nothing. */
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal: colour and redrawing. */
  readonly isTerminal: boolean;
  /** Height and width of the terminal now. */
  readonly rows?: () => number | undefined;
  readonly columns?: () => number | undefined;
  /** Keys as they are pressed, until what is returned is called. Only on a terminal. */
  readonly keys?: (onKey: (key: string) => void) => () => void;
  /** Asked for once --watch begins: what ends it. Without it --watch goes on until the process dies. */
  readonly interrupted?: () => AbortSignal;
}

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

/** Also what manual pages are made of. */
export function createProgram(io: CliIo, finish: (status: ExitStatus) => void): Command {
  const program = new Command('xmcastctl')
    .description('Shows what a running xmcastd knows and forwards, and changes its configuration.')
    .version(installedVersion())
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride()
    .addOption(outputOption())
    .addOption(
      new Option('--timeout <seconds>', 'for each request; 500ms is understood too')
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_MS, '5'),
    )
    .addHelpText('after', '\nxmcastctl help <command> has examples.')
    .addHelpText('after', `\nExit status: ${EXIT_TEXT}.`);
  for (const option of targetOptions(io)) program.addOption(option);
  const run: RunAction = async (command, action) => finish(await act(command, action, io));
  const addTo =
    (parent: Command): AddView =>
    <Options>(name: string, description: string, makeView: MakeView<Options>, makeLive?: MakeLive<Options>): Command =>
      parent
        .command(name)
        .description(description)
        .addOption(
          new Option('-w, --watch [seconds]', 'print again and again, every 2 seconds unless given').argParser(parseSeconds),
        )
        .action(async (_own, command: Command) => finish(await show(command, { makeView, makeLive }, io)));
  addViews(addTo(program));
  addImportCommand(program, io, finish);
  addCompletion(program, io, liveNamesOf(program), finish);
  program
    .command('detach')
    .description('forwarding ends: xmcastd takes its programs, pins and settings off the interfaces, and stops')
    .addHelpText('after', examplesText(['xmcastctl detach', 'before the package is removed']))
    .action((_own, command: Command) => run(command, detachAction));
  addEventCommand(program, run);
  addTopCommand(program, run);
  addSystemCommands(program, run);
  addConfigCommands(program, run);
  addStaticCommands(program, addTo, run);
  return program;
}

function outputOption(): Option {
  const formats = 'table; wide: all columns and sources; json and yaml: one document; jsonl: one line for each entry';
  return new Option('-o, --output <format>', formats).choices([...OUTPUT_FORMATS]).default('table');
}

/** The environment is read here and not by commander so that a test decides over it. */
function targetOptions({ env }: CliIo): Option[] {
  const target = new Option('--target <target>', 'where xmcastd listens: unix:///path, or host:port with certificates; also XMCAST_TARGET');
  const files = [
    ['ca', '<file>', 'authorities of its certificate, of targets on TCP'],
    ['cert', '<file>', 'certificate to show there'],
    ['key', '<file>', 'private key of that certificate'],
    ['server-name', '<name>', 'name its certificate must have, where it is not the host'],
  ] as const;
  return [
    target.argParser(parseTarget).default(env['XMCAST_TARGET'] || DEFAULT_TARGET),
    ...files.map(([name, value, text]) => {
      const variable = `XMCAST_TLS_${name.toUpperCase().replace('-', '_')}`;
      return new Option(`--tls-${name} ${value}`, `${text}; also ${variable}`).default(env[variable] || undefined);
    }),
  ];
}

interface Views<Options> {
  readonly makeView: MakeView<Options>;
  readonly makeLive: MakeLive<Options> | undefined;
}

async function show<Options>(command: Command, { makeView, makeLive }: Views<Options>, io: CliIo): Promise<ExitStatus> {
  const globals = command.optsWithGlobals<GlobalOptions & WatchOption>();
  const { output, watch } = globals;
  const { client, context } = connectionOf(globals);
  const colour = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '';
  const style: OutputStyle = { format: output, colour, repeated: watch !== undefined };
  const look = (): Promise<View> => makeView(client, ownOptions<Options>(command));
  try {
    if (watch === undefined) return print(await look(), style, io);
    const signal = io.interrupted?.() ?? new AbortController().signal;
    const everyMs = watch === true ? DEFAULT_WATCH_MS : watch;
    const live = makeLive?.(client, ownOptions<Options>(command), everyMs);
    return await showAgain({ look, live, everyMs, signal }, style, io);
  } catch (error) {
    throw await failureOf(error, context);
  } finally {
    client.close();
  }
}

async function act(command: Command, action: (tools: CommandTools) => Promise<ExitStatus>, io: CliIo): Promise<ExitStatus> {
  const globals = command.optsWithGlobals<GlobalOptions>();
  const { output } = globals;
  const { client, context } = connectionOf(globals);
  const colour = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '';
  try {
    return await action({ client, io, style: { format: output, colour, repeated: false } });
  } catch (error) {
    throw await failureOf(error, context);
  } finally {
    client.close();
  }
}

/** The command's own, without --watch and what all commands have: filters that match nothing are named by these. */
function ownOptions<Options>(command: Command): Options {
  const { watch: _watch, ...options } = command.opts<WatchOption & Options>();
  return options as Options;
}
