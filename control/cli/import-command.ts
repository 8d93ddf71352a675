/**
 * `xmcastctl import`: reads the configuration of another program, prints ours, and says on stderr what is not the same. Needs no
 * daemon and changes nothing.
 */
import { Argument, type Command } from 'commander';
import { open } from 'node:fs/promises';

import { xmcast } from '#proto';

import { IMPORT_FORMATS, type ImportFormat, type ImportNote, type ImportResult } from '../import/import-result';
import { importConfig, MAX_IMPORT_BYTES } from '../import/import-config';
import { noteText } from '../import/render';

import { examplesText } from './examples';
import { CliFailure, EXIT, type ExitStatus } from './failure';
import type { OutputFormat } from './output';
import { messageToJson } from './proto-json';
import type { CliIo } from './run';
import { unreadableText } from './unreadable';

export function addImportCommand(program: Command, io: CliIo, finish: (status: ExitStatus) => void): void {
  program
    .command('import')
    .description('translates the configuration of another program into one for xmcastd')
    .addArgument(new Argument('<format>', 'whose configuration').choices(IMPORT_FORMATS))
    .argument('<file>', 'its path, or - for standard input')
    .addHelpText(
      'after',
      '\nThe configuration goes to stdout, what is not the same to stderr. Exit status 1: something could not be translated.',
    )
    .addHelpText('after', examplesText(['xmcastctl import igmpproxy /etc/igmpproxy.conf > xmcast.yaml', 'the notes stay on the terminal']))
    .action(async (format: ImportFormat, file: string, _own, command: Command) => {
      const { output } = command.optsWithGlobals<{ readonly output: OutputFormat }>();
      finish(print(importConfig(format, await readText(file, io)), { file, output, io }));
    });
}

interface PrintOptions {
  readonly file: string;
  readonly output: OutputFormat;
  readonly io: CliIo;
}

function print(result: ImportResult, { file, output, io }: PrintOptions): ExitStatus {
  // The configuration is YAML unless JSON is asked for; then the notes are part of the document.
  const isJson = output === 'json' || output === 'jsonl';
  io.stdout.write(isJson ? `${JSON.stringify(resultJson(result), undefined, output === 'json' ? 2 : 0)}\n` : result.yaml);
  if (!isJson) for (const note of result.notes) io.stderr.write(`${placeOf(file, note)}${noteText({ ...note, line: 0 })}\n`);
  return result.notes.some(({ severity }) => severity === 'error') ? EXIT.error : EXIT.ok;
}

/** As compilers do, so that an editor can jump there. */
function placeOf(file: string, { line }: ImportNote): string {
  const name = file === '-' ? 'standard input' : file.replace(/[\p{Cc}\p{Cf}]/gu, '?');
  return line === 0 ? `${name}: ` : `${name}:${line}: `;
}

function resultJson({ config, notes }: ImportResult): object {
  return { config: messageToJson('xmcast.v1.Config', xmcast.v1.Config.fromObject(config)), notes };
}

/** Not fatal where it is no UTF-8: comments of old files often are not. */
async function readText(file: string, io: CliIo): Promise<string> {
  const bytes = file === '-' ? await readBounded(io.stdin ?? emptyInput(), file) : await readFile(file);
  return new TextDecoder().decode(bytes);
}

async function readFile(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, 'r');
    return await readBounded(handle.createReadStream(), file);
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure(EXIT.error, unreadableText(file, error));
  }
}

async function readBounded(input: AsyncIterable<Uint8Array | string>, file: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of input) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    total += bytes.length;
    if (total > MAX_IMPORT_BYTES) throw new CliFailure(EXIT.error, `read ${file}: more than ${MAX_IMPORT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

async function* emptyInput(): AsyncGenerator<Uint8Array> {
  // Nothing is connected.
}
