/**
 * The commands about the daemon itself: capabilities, trace, reset, log-level, health.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import { xmcast } from '#proto';

import { checkHealth } from '../api/health-check';
import { systemServiceDefinition } from '../api/services';
import { fromWireTime, toWireTime } from '../api/wire-time';

import { withExamples } from './examples';
import { EXIT, type ExitStatus } from './failure';
import { formatCapabilities } from './format-capabilities';
import { formatTrace } from './format-trace';
import { parseAddress } from './options';
import { renderView } from './output';
import { messageToJson } from './proto-json';
import type { TableStyle } from './table';
import type { CommandTools, RunAction } from './tools';

export function addSystemCommands(program: Command, run: RunAction): void {
  addTrace(program, run);
  addCapabilities(program, run);
  addReset(program, run);
  addLogLevel(program, run);
  addHealth(program, run);
}

interface TraceOptions {
  readonly source?: string;
  readonly in?: string;
  readonly ttl?: number;
  readonly size?: number;
  readonly host?: string;
}

function addTrace(program: Command, run: RunAction): void {
  const command = program
    .command('trace')
    .description('why a packet is forwarded or not: every decision from its arrival to each interface')
    .argument('<group>', 'address of the group', parseAddress)
    .addOption(new Option('-s, --source <address>', 'address of the source; without it, one that nobody knows yet').argParser(parseAddress))
    .option('-i, --in <interface>', 'the interface by which it comes; without it, the one by which it should')
    .addOption(new Option('--ttl <ttl>', 'received with this TTL').argParser(parseNumber(1, 255)).default(64))
    .addOption(new Option('--size <bytes>', 'of the IP packet').argParser(parseNumber(28, 65_535)).default(1400))
    .addOption(new Option('--host <address>', 'a host that should get it, or not').argParser(parseAddress))
    .addHelpText('after', '\nExit status: 0 forwarded, 6 not forwarded.')
    .action((group: string, options: TraceOptions, own: Command) => run(own, (tools) => traceAction(tools, group, options)));
  withExamples(
    command,
    ['xmcastctl trace 239.1.1.1 -s 10.0.0.5', 'where one stream goes'],
    ['xmcastctl trace 239.1.1.1 -s 10.0.0.5 --host 10.1.0.9', 'why one host does not get it'],
    ['xmcastctl trace 239.1.1.1 -s 10.0.0.5 -i eth2 --ttl 4', 'by another interface, from far away'],
  );
}

async function traceAction(tools: CommandTools, group: string, options: TraceOptions): Promise<ExitStatus> {
  const { source = '', in: name = '', ttl = 0, size = 0, host = '' } = options;
  const request = xmcast.v1.TraceRequest.create({ group, source, interface: name, ttl, size, host });
  const found = await tools.client.call(systemServiceDefinition.trace, request);
  print(tools, 'xmcast.v1.TraceResponse', found, (style) => formatTrace(found, style));
  return found.forwarded ? EXIT.ok : EXIT.differs;
}

function addCapabilities(program: Command, run: RunAction): void {
  const command = program
    .command('capabilities')
    .description('what this version, this kernel and these interfaces can do, and where their limits are')
    .action((_: object, own: Command) => run(own, capabilitiesAction));
  withExamples(command, ['xmcastctl capabilities -o json', 'for a program that decides by it']);
}

async function capabilitiesAction(tools: CommandTools): Promise<ExitStatus> {
  const found = await tools.client.call(systemServiceDefinition.getCapabilities, xmcast.v1.GetCapabilitiesRequest.create({}));
  print(tools, 'xmcast.v1.GetCapabilitiesResponse', found, (style) => formatCapabilities(found, style));
  return EXIT.ok;
}

interface ResetOptions {
  readonly flows?: boolean;
  readonly interfaces?: boolean;
}

function addReset(program: Command, run: RunAction): void {
  const command = program
    .command('reset')
    .description('shows counters from now on as counted since; those of Prometheus go on')
    .option('--flows', 'those of flows alone')
    .option('--interfaces', 'those of interfaces alone')
    .action((options: ResetOptions, own: Command) => run(own, (tools) => resetAction(tools, options)));
  withExamples(command, ['xmcastctl reset && sleep 60 && xmcastctl interfaces', 'what happens in a minute']);
}

async function resetAction(tools: CommandTools, { flows = false, interfaces = false }: ResetOptions): Promise<ExitStatus> {
  const request = xmcast.v1.ResetCountersRequest.create({ flows, interfaces });
  const done = await tools.client.call(systemServiceDefinition.resetCounters, request);
  print(tools, 'xmcast.v1.ResetCountersResponse', done, () => `counters are shown as counted since ${timeText(done.resetTime)}\n`);
  return EXIT.ok;
}

interface LevelOptions {
  readonly for?: number;
}

function addLogLevel(program: Command, run: RunAction): void {
  const command = program
    .command('log-level')
    .description('logs more or less than configured, for a while; without a level, as configured again')
    .argument('[level]', 'trace, debug, info, warn or error')
    .addOption(new Option('--for <seconds>', 'after this time the configured level is back').argParser(parseNumber(1, 86_400)).default(600))
    .action((level: string | undefined, options: LevelOptions, own: Command) => run(own, (tools) => levelAction(tools, level ?? '', options)));
  withExamples(
    command,
    ['xmcastctl log-level debug --for 60', 'one minute of everything'],
    ['xmcastctl log-level', 'as configured'],
  );
}

async function levelAction(tools: CommandTools, level: string, { for: seconds = 0 }: LevelOptions): Promise<ExitStatus> {
  const request = xmcast.v1.SetLogLevelRequest.create({ level, duration: toWireTime(seconds * 1000) });
  const set = await tools.client.call(systemServiceDefinition.setLogLevel, request);
  const until = set.revertTime === null || set.revertTime === undefined ? 'as configured' : `until ${timeText(set.revertTime)}`;
  print(tools, 'xmcast.v1.SetLogLevelResponse', set, () => `the log has level ${set.level}, ${until}\n`);
  return EXIT.ok;
}

function addHealth(program: Command, run: RunAction): void {
  const command = program
    .command('health')
    .description('whether xmcastd serves, as grpc.health.v1 says: for probes')
    .argument('[service]', 'dataplane, or a service such as xmcast.v1.StateService; without it, the whole', '')
    .addHelpText('after', '\nExit status: 0 it serves, 1 it does not, 3 there is no such service, 4 it cannot be reached.')
    .action((service: string, _: object, own: Command) => run(own, (tools) => healthAction(tools, service)));
  withExamples(command, ['xmcastctl health dataplane', 'exit status 0 when packets are forwarded']);
}

async function healthAction({ client, io, style }: CommandTools, service: string): Promise<ExitStatus> {
  const status = await checkHealth(client, service);
  const json = (): object => ({ status });
  io.stdout.write(renderView({ table: () => `${status.toLowerCase().replaceAll('_', ' ')}\n`, json, items: () => [json()] }, style));
  return status === 'SERVING' ? EXIT.ok : EXIT.error;
}

function print({ io, style }: CommandTools, type: string, message: object, table: (style: TableStyle) => string): void {
  const json = (): object => messageToJson(type, message);
  io.stdout.write(renderView({ table, json, items: () => [json()] }, style));
}

function timeText(time: Parameters<typeof fromWireTime>[0]): string {
  return new Date(fromWireTime(time) ?? 0).toISOString();
}

function parseNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`"${text}" is no number from ${min} to ${max}.`);
    return value;
  };
}
