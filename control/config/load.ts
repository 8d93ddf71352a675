/**
 * Configuration file → Settings. The only part of config/ that reads files; what is wrong with one becomes an XM_CONFIG error that
 * lists every problem as file:line:column, so that an editor can jump there.
 */
import { open } from 'node:fs/promises';
import type { xmcast } from '#proto';
import { XmcastError } from '../errors';
import { checkConfigText } from './check';
import { toSettings } from './defaults';
import { formatProblem } from './format-problem';
import { MAX_FILE_BYTES } from './parse';
import { escapeControls } from './printable';
import type { Problem, Settings } from './settings';

export interface LoadedConfig {
  readonly settings: Settings;
  readonly config: xmcast.v1.Config;
}

const MAX_LISTED = 100;
const HINT = 'correct the file; docs/configuration.md explains every key';

export async function loadConfigFile(path: string): Promise<LoadedConfig> {
  const { config, problems } = checkConfigText(await readConfigText(path));
  if (config === undefined) throw new XmcastError('XM_CONFIG', listProblems(path, problems), { hint: HINT });
  return { settings: toSettings(config), config };
}

function listProblems(path: string, problems: readonly Problem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const listed = problems.slice(0, MAX_LISTED).map((problem) => formatProblem(escapeControls(path), problem));
  const more = problems.length > MAX_LISTED ? [`and ${problems.length - MAX_LISTED} more`] : [];
  return [`read configuration ${escapeControls(path)}: ${count}`, ...listed, ...more].join('\n');
}

/** Rejects with XM_CONFIG. */
export async function readConfigText(path: string): Promise<string> {
  const bytes = await readBounded(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new XmcastError('XM_CONFIG', `read configuration ${escapeControls(path)}: not UTF-8 text`, { hint: HINT, cause });
  }
}

/** At most one byte more than is allowed, whatever the path leads to. */
async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let total = 0;
    while (total <= MAX_FILE_BYTES) {
      const chunk = Buffer.allocUnsafe(Math.min(65_536, MAX_FILE_BYTES + 1 - total));
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) break;
      chunks.push(chunk.subarray(0, bytesRead));
      total += bytesRead;
    }
    return Buffer.concat(chunks);
  } finally {
    await file.close();
  }
}

const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'a part of the path is no directory',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  EISDIR: 'a directory, not a file',
  ELOOP: 'symbolic links lead in a circle',
};

function unreadable(path: string, cause: unknown): XmcastError {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'error';
  const explanation = CAUSES[code] ?? escapeControls(String(cause));
  const message = `read configuration ${escapeControls(path)}: ${code}; ${explanation}`;
  return new XmcastError('XM_CONFIG', message, { hint: 'give the path of a readable configuration file', cause });
}
