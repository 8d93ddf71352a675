#!/usr/bin/env node
/**
 * xmcastd: arguments, logger, signals, exit status. docs/errors.md lists the statuses.
 */
import { join, resolve } from 'node:path';
import { CommanderError } from 'commander';
import pino from 'pino';
import type { Logger } from 'pino';
import { FileLock } from '#bindings';
import { parseArguments, type Arguments } from './arguments';
import { dataplaneAddress, dataplaneNetwork } from './between-roles';
import { toSettings } from './config/defaults';
import { nodeFileSystem } from './config/file-system';
import { loadConfigFile } from './config/load';
import { RevisionStore, type RevisionStoreOptions } from './config/revision-store';
import { startingConfig } from './config/starting-config';
import { startDaemon, type Daemon } from './daemon';
import { startDataplaneDaemon, type DataplaneDaemon } from './dataplane-daemon';
import { detachForwarder } from './dataplane/detach';
import { ERROR_CODES, XmcastError } from './errors';

/** Below the state folder. */
const STATIC_ENTRIES = 'static-entries';
/** A stop that takes longer has met something that will not end. */
const STOP_TIMEOUT_MS = 10_000;

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
  if (options.role === 'dataplane') return runDataplane(options, log);
  const begin = async (): Promise<Daemon> => {
    const starting = await startingConfig(options.config, state);
    log.level = toSettings(starting.running.config).logLevel;
    const { role, electionId, requireInterfaces, flush, bpfObject: bpfObjectPath } = options;
    const remote = role === 'controller' ? { ...dataplaneAddress(options), electionId } : undefined;
    const onStopRequested = (): void => void process.kill(process.pid, 'SIGTERM');
    const openStore = (): Promise<RevisionStore> => RevisionStore.open(state);
    const entryStore = { ...state, folder: join(state.folder, STATIC_ENTRIES) };
    return startDaemon({ starting, remote, openStore, entryStore, bpfObjectPath, requireInterfaces, flush, onStopRequested, log });
  };
  let starting: Promise<Daemon> | undefined;
  // First of all: a signal that comes in the middle of the start must leave as little behind as one that comes later.
  stopOnSignal(log, async () => (await starting)?.close());
  process.on('SIGHUP', () => void starting?.then((daemon) => daemon.reload()).catch(() => undefined));
  starting = begin();
  await starting;
}

async function detach({ config, pinPath, role }: Arguments, state: RevisionStoreOptions, log: Logger): Promise<void> {
  const starting = pinPath === undefined && role === 'all' ? await startingConfig(config, state) : undefined;
  await starting?.store?.close();
  const path = pinPath ?? toSettings(starting?.running.config ?? {}).dataplane.pinPath;
  const names = await detachForwarder(path, (message) => log.error({}, message));
  process.stdout.write(`${path}: ${names.length === 0 ? 'nothing was forwarding' : `detached from ${names.join(', ')}`}\n`);
}

async function runDataplane(options: Arguments, log: Logger): Promise<void> {
  log.level = options.logLevel;
  let starting: Promise<DataplaneDaemon> | undefined;
  stopOnSignal(log, async () => (await starting)?.close());
  starting = startDataplaneDaemon({
    socketPath: options.dataplaneSocket,
    network: dataplaneNetwork(options),
    pinPath: options.pinPath ?? toSettings({}).dataplane.pinPath,
    routeLimit: options.maxRoutes,
    groupLimit: options.maxReplicationGroups,
    bpfObjectPath: options.bpfObject,
    flush: options.flush,
    keepOnStop: !options.detachOnStop,
    log,
  });
  await starting;
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

main();
