#!/usr/bin/env node
/**
 * xmcastd: arguments, logger, signals, exit status. docs/errors.md lists the statuses.
 */
import { join, resolve } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import pino from 'pino';
import type { Logger } from 'pino';
import { FileLock } from '#bindings';
import { toSettings } from './config/defaults';
import { nodeFileSystem } from './config/file-system';
import { loadConfigFile } from './config/load';
import { RevisionStore, type RevisionStoreOptions } from './config/revision-store';
import { startingConfig } from './config/starting-config';
import { startDaemon, type Daemon } from './daemon';
import { detachForwarder } from './dataplane/detach';
import { ERROR_CODES, XmcastError } from './errors';
import { bpfObjectPath, productVersion } from './paths';

interface Arguments {
  readonly config?: string;
  readonly stateDir: string;
  readonly check: boolean;
  readonly requireInterfaces: boolean;
  readonly bpfObject: string;
  readonly flush: boolean;
  readonly detach: boolean;
  readonly pinPath?: string;
}

const DEFAULT_STATE_DIR = '/var/lib/xmcast';
/** Below the state folder. */
const STATIC_ENTRIES = 'static-entries';
/** A stop that takes longer has met something that will not end. */
const STOP_TIMEOUT_MS = 10_000;

function parseArguments(argv: readonly string[]): Arguments {
  return daemonCommand().parse(argv, { from: 'user' }).opts<Arguments>();
}

/** Also what the manual page is made of. */
export function daemonCommand(): Command {
  return new Command('xmcastd')
    .description('Multicast router: forwards in eBPF, speaks IGMP, serves gRPC and Prometheus.')
    .option('-c, --config <file>', 'configuration file; without it the API configures xmcastd, and the state folder keeps what it applied')
    .option('--state-dir <folder>', 'state folder; also STATE_DIRECTORY', stateDirFromEnvironment())
    .option('--check', 'check the configuration file and exit', false)
    .option('--require-interfaces', 'fail when a configured interface does not exist, instead of waiting for it', false)
    .addOption(new Option('--bpf-object <file>', 'eBPF object to load').default(bpfObjectPath(), 'the one that was built with it'))
    .option('--flush', 'begin with nothing, whatever a daemon before this one has left forwarding', false)
    .option('--detach', 'when no daemon runs: end what one has left forwarding, remove every trace of it, and exit', false)
    .option('--pin-path <folder>', 'with --detach: its dataplane.pin_path, instead of a configuration')
    .version(productVersion())
    .addHelpText('after', '\nExit status: 0 stopped by a signal; otherwise the status of the error, see docs/errors.md.\nExamples: xmcastd --config xmcast.yaml --check\n          xmcastd --state-dir /var/lib/xmcast')
    .exitOverride();
}

/** systemd.exec(5): StateDirectory= may name several, with colons between. */
function stateDirFromEnvironment(): string {
  return process.env['STATE_DIRECTORY']?.split(':')[0] || DEFAULT_STATE_DIR;
}

async function run(options: Arguments): Promise<void> {
  if (options.check) return check(options.config);
  const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime });
  const state: RevisionStoreOptions = {
    folder: resolve(options.stateDir),
    files: nodeFileSystem,
    lock: (folder) => new FileLock(folder),
    log,
  };
  if (options.detach) return detach(options, state, log);
  const begin = async (): Promise<Daemon> => {
    const starting = await startingConfig(options.config, state);
    log.level = toSettings(starting.running.config).logLevel;
    const { requireInterfaces, flush, bpfObject: bpfObjectPath } = options;
    const onStopRequested = (): void => void process.kill(process.pid, 'SIGTERM');
    const entryStore = { ...state, folder: join(state.folder, STATIC_ENTRIES) };
    return startDaemon({ starting, openStore: () => RevisionStore.open(state), entryStore, bpfObjectPath, requireInterfaces, flush, onStopRequested, log });
  };
  let starting: Promise<Daemon> | undefined;
  // First of all: a signal that comes in the middle of the start must leave as little behind as one that comes later.
  stopOnSignal(log, async () => (await starting)?.close());
  process.on('SIGHUP', () => void starting?.then((daemon) => daemon.reload()).catch(() => undefined));
  starting = begin();
  await starting;
}

async function detach({ config, pinPath }: Arguments, state: RevisionStoreOptions, log: Logger): Promise<void> {
  const starting = pinPath === undefined ? await startingConfig(config, state) : undefined;
  await starting?.store?.close();
  const path = pinPath ?? toSettings(starting?.running.config ?? {}).dataplane.pinPath;
  const names = await detachForwarder(path, (message) => log.error({}, message));
  process.stdout.write(`${path}: ${names.length === 0 ? 'nothing was forwarding' : `detached from ${names.join(', ')}`}\n`);
}

async function check(file: string | undefined): Promise<void> {
  if (file === undefined) throw new XmcastError('XM_USAGE', 'check a configuration: no file is given', { hint: 'Name it with --config.' });
  await loadConfigFile(file);
  process.stdout.write(`${file}: the configuration is valid\n`);
}

function stopOnSignal(log: Logger, close: () => Promise<void>): void {
  const stop = (signal: string): void => {
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(ERROR_CODES.XM_INTERNAL), STOP_TIMEOUT_MS).unref();
    close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
}

function fail(error: unknown): never {
  if (error instanceof XmcastError) {
    process.stderr.write(`xmcastd: ${error.code}: ${error.message}\n  ${error.hint}\n`);
    process.exit(error.exitStatus);
  }
  process.stderr.write(`xmcastd: XM_INTERNAL: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(ERROR_CODES.XM_INTERNAL);
}

function main(): void {
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  try {
    run(parseArguments(process.argv.slice(2))).catch(fail);
  } catch (error) {
    // commander has printed its own words: help and version end well, everything else is a usage error.
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : ERROR_CODES.XM_USAGE);
  }
}

if (require.main === module) main();
