/**
 * xmcastctl as a function of arguments and streams: parses, calls, prints, and returns the exit status. Touches neither the process's
 * streams nor its exit.
 */
import { Command, CommanderError, Option } from 'commander';

import { ApiClient } from '../api/client';

import { addViews, type MakeView } from './commands';
import type { ConfigTools } from './config-actions';
import { detachAction } from './detach-action';
import { addConfigCommands } from './config-commands';
import { CliFailure, EXIT, type ExitStatus, failureOf } from './failure';
import { addImportCommand } from './import-command';
import { DEFAULT_TARGET, type GlobalOptions, parseSeconds, parseTarget, socketPathOf, type WatchOption } from './options';
import { isTable, OUTPUT_FORMATS, type OutputStyle, renderView } from './output';
import { Screen } from './screen';
import { printable } from './table';
import { installedVersion } from './version';
import type { View } from './views';
import { watchUntilStopped } from './watch';

const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_WATCH_MS = 2000;
/** Of a terminal that does not tell, or tells 0. */
const DEFAULT_ROWS = 24;

export interface CliIo {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  /** Default: nothing. */
  readonly stdin?: AsyncIterable<Uint8Array | string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether stdout is a terminal: colour and redrawing. */
  readonly isTerminal: boolean;
  /** Height of the terminal now. */
  readonly rows?: () => number | undefined;
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

function createProgram(io: CliIo, finish: (status: ExitStatus) => void): Command {
  const program = new Command('xmcastctl')
    .description('Shows what a running xmcastd knows and forwards, and changes its configuration.')
    .version(installedVersion())
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) })
    .exitOverride()
    .addOption(outputOption())
    .addOption(targetOption(io))
    .addOption(
      new Option('--timeout <seconds>', 'for each request; 500ms is understood too')
        .argParser(parseSeconds)
        .default(DEFAULT_TIMEOUT_MS, '5'),
    )
    .addHelpText('after', '\nxmcastctl help <command> has examples.')
    .addHelpText('after', '\nExit status: 0 ok, 1 error, 2 usage, 3 nothing matches, 4 xmcastd cannot be reached.');
  const add = <Options>(name: string, description: string, makeView: MakeView<Options>): Command =>
    program
      .command(name)
      .description(description)
      .addOption(
        new Option('-w, --watch [seconds]', 'print again and again, every 2 seconds unless given').argParser(parseSeconds),
      )
      .action(async (_own, command: Command) => finish(await show(command, makeView, io)));
  addViews(add);
  addImportCommand(program, io, finish);
  program
    .command('detach')
    .description('forwarding ends: xmcastd takes its programs, pins and settings off the interfaces, and stops')
    .action(async (_own, command: Command) => finish(await act(command, detachAction, io)));
  addConfigCommands(program, async (command, action) => finish(await act(command, action, io)));
  return program;
}

function outputOption(): Option {
  const formats = 'table; wide: all columns and sources; json and yaml: one document; jsonl: one line for each entry';
  return new Option('-o, --output <format>', formats).choices([...OUTPUT_FORMATS]).default('table');
}

/** XMCAST_TARGET is read here and not by commander so that a test decides over the environment. */
function targetOption(io: CliIo): Option {
  const fallback = io.env['XMCAST_TARGET'] || DEFAULT_TARGET;
  return new Option('--target <socket>', 'where xmcastd listens; also XMCAST_TARGET').argParser(parseTarget).default(fallback);
}

async function show<Options>(command: Command, makeView: MakeView<Options>, io: CliIo): Promise<ExitStatus> {
  const { output, target, timeout, watch, ...options } = command.optsWithGlobals<GlobalOptions & WatchOption & Options>();
  const socketPath = pathOfTarget(target);
  const client = new ApiClient({ target: `unix:${socketPath}`, timeoutMs: timeout });
  const colour = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '';
  const style: OutputStyle = { format: output, colour, repeated: watch !== undefined };
  const look = (): Promise<View> => makeView(client, options as Options);
  try {
    if (watch === undefined) return print(await look(), style, io);
    const signal = io.interrupted?.() ?? new AbortController().signal;
    return await showAgain({ look, everyMs: watch === true ? DEFAULT_WATCH_MS : watch, signal }, style, io);
  } catch (error) {
    throw await failureOf(error, { socketPath, timeoutMs: timeout });
  } finally {
    client.close();
  }
}

async function act(command: Command, action: (tools: ConfigTools) => Promise<ExitStatus>, io: CliIo): Promise<ExitStatus> {
  const { output, target, timeout } = command.optsWithGlobals<GlobalOptions>();
  const socketPath = pathOfTarget(target);
  const client = new ApiClient({ target: `unix:${socketPath}`, timeoutMs: timeout });
  const colour = io.isTerminal && (io.env['NO_COLOR'] ?? '') === '';
  try {
    return await action({ client, io, style: { format: output, colour, repeated: false } });
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

function print(view: View, style: OutputStyle, io: CliIo): ExitStatus {
  if (view.missing === undefined || !isTable(style.format)) io.stdout.write(renderView(view, style));
  if (view.missing === undefined) return EXIT.ok;
  io.stderr.write(missingText(view.missing));
  return view.missing.exitStatus;
}

function missingText(missing: CliFailure): string {
  return `xmcastctl: ${printable(missing.message)}\n`;
}

interface Repetition {
  readonly look: () => Promise<View>;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Tables on a terminal are redrawn in place, everything else follows one after the other. The status is that of the last look. */
async function showAgain(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  return io.isTerminal && isTable(style.format) ? redraw(repetition, style, io) : printOneAfterAnother(repetition, style, io);
}

async function redraw(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  const screen = new Screen(
    (text) => io.stdout.write(text),
    () => io.rows?.() || DEFAULT_ROWS,
  );
  let status: ExitStatus = EXIT.ok;
  const show = (view: View): void => {
    status = view.missing?.exitStatus ?? EXIT.ok;
    screen.draw(view.missing === undefined ? renderView(view, style) : missingText(view.missing));
  };
  try {
    await watchUntilStopped({ ...repetition, show });
  } finally {
    screen.close();
  }
  return status;
}

async function printOneAfterAnother(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  let status: ExitStatus | undefined;
  const show = (view: View): void => {
    if (status !== undefined && isTable(style.format)) io.stdout.write('\n');
    status = print(view, style, io);
  };
  await watchUntilStopped({ ...repetition, show });
  return status ?? EXIT.ok;
}
