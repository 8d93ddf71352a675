/**
 * The text of a configuration on the command line: from a file or standard input to the message, its problems with line and column; and
 * the problems that the daemon finds put into their lines.
 */
import { createReadStream } from 'node:fs';

import type { xmcast } from '#proto';

import { checkConfigText } from '../config/check';
import { formatProblem } from '../config/format-problem';
import { MAX_FILE_BYTES, parseConfigYaml } from '../config/parse';
import type { Problem } from '../config/settings';

import { CliFailure, EXIT } from './failure';
import type { CliIo } from './run';
import { printable } from './table';
import { unreadableText } from './unreadable';

export interface ConfigText {
  /** As it is named in problems. */
  readonly name: string;
  readonly text: string;
}

export async function readConfigText(file: string, io: CliIo): Promise<ConfigText> {
  const name = file === '-' ? 'standard input' : file;
  const input = file === '-' ? (io.stdin ?? []) : createReadStream(file);
  try {
    return { name, text: new TextDecoder('utf-8', { fatal: true }).decode(await readBounded(input)) };
  } catch (error) {
    throw new CliFailure(EXIT.usage, unreadableText(name, error));
  }
}

/** Says every problem on stderr, and fails. */
export function parseConfigText({ name, text }: ConfigText, io: CliIo): xmcast.v1.Config {
  const { config, problems } = checkConfigText(text);
  if (config === undefined) throw refusedText(name, problems, io);
  return config;
}

/** The same for what the daemon finds. `fields`: of its BadRequest, e.g. config.interfaces[1].name. */
export function refusedByDaemon(
  { name, text }: ConfigText,
  violations: readonly { readonly field: string; readonly description: string }[],
  io: CliIo,
): CliFailure {
  const { locate } = parseConfigYaml(text);
  const problems = violations.map(({ field, description }) =>
    locate({ path: field.replace(/^config\.?/, ''), line: 0, column: 0, message: description }),
  );
  return refusedText(name, problems, io);
}

function refusedText(name: string, problems: readonly Problem[], io: CliIo): CliFailure {
  for (const problem of problems) io.stderr.write(`${printable(formatProblem(name, problem))}\n`);
  return new CliFailure(EXIT.usage, `${name} has ${problems.length === 1 ? '1 problem' : `${problems.length} problems`}; nothing was changed`);
}

async function readBounded(input: AsyncIterable<Uint8Array | string> | Iterable<string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    total += bytes.length;
    if (total > MAX_FILE_BYTES) throw new Error(`more than ${MAX_FILE_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
