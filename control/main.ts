#!/usr/bin/env node
/**
 * xmcastd: arguments, logger, signals, exit status. docs/errors.md lists the statuses.
 */
import { Command, CommanderError } from 'commander';
import pino from 'pino';
import type { Logger } from 'pino';
import { loadConfigFile } from './config/load';
import { startDaemon, type Daemon } from './daemon';
import { ERROR_CODES, XmcastError } from './errors';
import { bpfObjectPath, productVersion } from './paths';

interface Arguments {
  readonly config: string;
  readonly check: boolean;
  readonly requireInterfaces: boolean;
  readonly bpfObject: string;
}

const DEFAULT_CONFIG = '/etc/xmcast/xmcast.yaml';
/** A stop that takes longer has met something that will not end. */
const STOP_TIMEOUT_MS = 10_000;

function parseArguments(argv: readonly string[]): Arguments {
  const command = new Command('xmcastd')
    .description('Multicast router: forwards in eBPF, speaks IGMP, serves gRPC and Prometheus.')
    .option('-c, --config <file>', 'configuration file', DEFAULT_CONFIG)
    .option('--check', 'check the configuration and exit', false)
    .option('--require-interfaces', 'fail when a configured interface does not exist, instead of waiting for it', false)
    .option('--bpf-object <file>', 'eBPF object to load', bpfObjectPath())
    .version(productVersion())
    .addHelpText('after', '\nExit status: 0 stopped by a signal; otherwise the status of the error, see docs/errors.md.\nExample: xmcastd --config xmcast.yaml --check')
    .exitOverride();
  command.parse(argv, { from: 'user' });
  return command.opts<Arguments>();
}

async function run(options: Arguments): Promise<void> {
  const { settings } = await loadConfigFile(options.config);
  if (options.check) {
    process.stdout.write(`${options.config}: the configuration is valid\n`);
    return;
  }
  const log = pino({ level: settings.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime });
  let starting: Promise<Daemon> | undefined;
  // First of all: a signal that comes in the middle of the start must leave as little behind as one that comes later.
  stopOnSignal(log, async () => (await starting)?.close());
  starting = startDaemon({ settings, bpfObjectPath: options.bpfObject, requireInterfaces: options.requireInterfaces, log });
  await starting;
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
  process.on('SIGHUP', () => log.warn({}, 'SIGHUP ignored: restart xmcastd to apply a changed configuration'));
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

main();
