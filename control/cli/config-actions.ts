/**
 * What the config commands do: the calls they make, and what they print. Each resolves with the exit status.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { parse } from 'yaml';

import { xmcast } from '#proto';

import { decodeRichError, DETAILS_TRAILER } from '../api/rich-error';
import { configServiceDefinition } from '../api/services';
import { toWireTime } from '../api/wire-time';
import { canonicalConfig, type PlainValue } from '../config/canonical';
import { configToYaml } from '../config/format';
import { setValue } from '../config/set-value';

import { type ConfigText, parseConfigText, readConfigText, refusedByDaemon } from './config-text';
import { editText } from './editor';
import { CliFailure, EXIT, type ExitStatus } from './failure';
import { type Applied, formatApplied, formatConfig, formatRevisions, outcomeText } from './format-config';
import { isTable, type OutputStyle, renderView } from './output';
import { messageToJson } from './proto-json';
import type { CommandTools } from './tools';

export type ConfigTools = CommandTools;

export interface ApplyOptions {
  readonly confirmTimeout?: number;
  readonly comment?: string;
  readonly dryRun?: boolean;
  readonly etag?: string;
  readonly requestId?: string;
  readonly takeover?: boolean;
}

export async function getAction({ client, io, style }: ConfigTools, revision: number): Promise<ExitStatus> {
  const view = await client.call(configServiceDefinition.getConfig, xmcast.v1.GetConfigRequest.create({ revision }));
  const { format } = style;
  // YAML is what the file is written in, so it is the file in that case too.
  const text = isTable(format) || format === 'yaml' ? formatConfig(view) : documentText('xmcast.v1.GetConfigResponse', view, style);
  io.stdout.write(text);
  return EXIT.ok;
}

export async function applyAction(tools: ConfigTools, file: string, options: ApplyOptions): Promise<ExitStatus> {
  const given = await readConfigText(file, tools.io);
  return show(tools, await apply(tools, given, options), options.dryRun === true);
}

export async function checkAction(tools: ConfigTools, file: string): Promise<ExitStatus> {
  const given = await readConfigText(file, tools.io);
  await apply(tools, given, { dryRun: true });
  if (isTable(tools.style.format)) tools.io.stdout.write(`${given.name}: the configuration is valid\n`);
  return EXIT.ok;
}

/** Status as diff(1) has it, with a number of its own. */
export async function diffAction(tools: ConfigTools, file: string): Promise<ExitStatus> {
  const applied = await apply(tools, await readConfigText(file, tools.io), { dryRun: true });
  show(tools, applied, true);
  return (applied.changes ?? []).length === 0 ? EXIT.ok : EXIT.differs;
}

/** What is in brackets may have an equals sign. */
const ASSIGNMENT = /^((?:[^=[]|\[[^\]]*\])+)=(.*)$/s;

/** The etag makes sure that nobody else's change is lost. */
export async function setAction(tools: ConfigTools, assignments: readonly string[], options: ApplyOptions): Promise<ExitStatus> {
  const { config, etag } = await tools.client.call(configServiceDefinition.getConfig, xmcast.v1.GetConfigRequest.create({}));
  let plain = canonicalConfig(config ?? {});
  for (const assignment of assignments) {
    const [, path, value = ''] = ASSIGNMENT.exec(assignment) ?? [];
    if (path === undefined) throw new CliFailure(EXIT.usage, `"${assignment}" is no assignment such as igmp.query_interval=60s`);
    const set = setValue(plain, path, readValue(value));
    if (set.plain === undefined) throw new CliFailure(EXIT.usage, `${path}: ${set.fault}`);
    plain = set.plain;
  }
  const given = { name: 'the changed configuration', text: JSON.stringify(plain) };
  return show(tools, await apply(tools, given, { etag, ...options }), options.dryRun === true);
}

export async function editAction(tools: ConfigTools, options: ApplyOptions): Promise<ExitStatus> {
  const { client, io } = tools;
  const view = await client.call(configServiceDefinition.getConfig, xmcast.v1.GetConfigRequest.create({}));
  const text = view.config === null ? '' : configToYaml(view.config ?? {});
  const edited = await editText(text, io.env['VISUAL'] || io.env['EDITOR'] || 'vi');
  if (edited.text === text) {
    await edited.remove();
    io.stderr.write('nothing was edited\n');
    return EXIT.ok;
  }
  const applied = await apply(tools, { name: edited.path, text: edited.text }, { etag: view.etag, ...options });
  await edited.remove();
  return show(tools, applied, options.dryRun === true);
}

export async function confirmAction({ client, io, style }: ConfigTools, revision: number): Promise<ExitStatus> {
  const confirmed = await client.call(configServiceDefinition.confirmConfig, xmcast.v1.ConfirmConfigRequest.create({ revision }));
  const text = `revision ${confirmed.revision} is confirmed\n`;
  io.stdout.write(isTable(style.format) ? text : documentText('xmcast.v1.ConfirmConfigResponse', confirmed, style));
  return EXIT.ok;
}

export async function rollbackAction(tools: ConfigTools, revision: number, options: ApplyOptions): Promise<ExitStatus> {
  const request = xmcast.v1.RollbackConfigRequest.create({ revision, ...requestFields(options) });
  return show(tools, await tools.client.call(configServiceDefinition.rollbackConfig, request), options.dryRun === true);
}

export async function reloadAction(tools: ConfigTools, { dryRun = false, takeover = false }: ApplyOptions): Promise<ExitStatus> {
  const request = xmcast.v1.ReloadConfigRequest.create({ validateOnly: dryRun, takeover });
  const applied = await tools.client.call(configServiceDefinition.reloadConfig, request).catch((error: unknown) => {
    for (const { field, description } of violationsOf(error)) tools.io.stderr.write(`${field}: ${description}\n`);
    throw error;
  });
  return show(tools, applied, dryRun);
}

export async function revisionsAction({ client, io, style }: ConfigTools): Promise<ExitStatus> {
  const { revisions } = await client.call(configServiceDefinition.listRevisions, xmcast.v1.ListRevisionsRequest.create({}));
  const items = (): object[] => revisions.map((revision) => messageToJson('xmcast.v1.Revision', revision));
  io.stdout.write(renderView({ table: (table) => formatRevisions(revisions, table), items, json: () => ({ revisions: items() }) }, style));
  return EXIT.ok;
}

async function apply({ client, io }: ConfigTools, given: ConfigText, options: ApplyOptions): Promise<Applied> {
  const config = parseConfigText(given, io);
  const request = xmcast.v1.ApplyConfigRequest.create({ config, takeover: options.takeover ?? false, ...requestFields(options) });
  return client.call(configServiceDefinition.applyConfig, request).catch((error: unknown) => {
    const violations = violationsOf(error);
    throw violations.length === 0 ? error : refusedByDaemon(given, violations, io);
  });
}

function requestFields({ confirmTimeout, comment = '', dryRun = false, etag = '', requestId = '' }: ApplyOptions) {
  const confirm = confirmTimeout === undefined ? {} : { confirmTimeout: toWireTime(confirmTimeout) };
  return { comment, validateOnly: dryRun, etag, requestId, ...confirm };
}

function violationsOf(error: unknown) {
  const [bytes] = (error as Partial<ServiceError>).metadata?.get(DETAILS_TRAILER) ?? [];
  return bytes instanceof Buffer ? (decodeRichError(bytes)?.violations ?? []) : [];
}

function show({ io, style }: ConfigTools, applied: Applied, dryRun: boolean): ExitStatus {
  const { format, colour } = style;
  const table = (): string => formatApplied(applied, outcomeText(applied, dryRun), { colour, wide: format === 'wide' });
  io.stdout.write(isTable(format) ? table() : documentText('xmcast.v1.ApplyConfigResponse', applied, style));
  return EXIT.ok;
}

function documentText(type: string, message: object, style: OutputStyle): string {
  const json = messageToJson(type, message);
  return renderView({ table: () => '', items: () => [json], json: () => json }, style);
}

/** As in a file: 60s, true, [239.1.0.0/16], {}. undefined for null, or nothing: the value is taken away. */
function readValue(text: string): PlainValue | undefined {
  try {
    return (parse(text, { version: '1.2', schema: 'core' }) as PlainValue | null) ?? undefined;
  } catch (error) {
    throw new CliFailure(EXIT.usage, `"${text}" is no YAML value: ${error instanceof Error ? error.message : String(error)}`);
  }
}
