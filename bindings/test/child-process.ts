/**
 * Runs a piece of a test in a Node process of its own: in a network namespace, with another environment, or to see how the
 * process ends. The child is never told to exit: it must end by itself once everything is closed.
 */
import { execFile } from 'node:child_process';
import path from 'node:path';

import type * as bindings from '#bindings';

export type Bindings = typeof bindings;

export interface ChildOptions {
  /** Name of a network namespace to enter. */
  readonly namespace?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

const ADDON = path.join(__dirname, '..', 'index.js');
const RESULT_MARK = '@@result@@';
const TIMEOUT_MS = 30_000;

/**
 * `body` is sent as text: it may use its arguments and Node's globals, nothing else of the test file.
 */
export async function evaluate<Arguments, Result>(
  body: (bindings: Bindings, args: Arguments) => Result | Promise<Result>,
  args: Arguments,
  options: ChildOptions = {},
): Promise<Result> {
  const script = `
    const bindings = require(${JSON.stringify(ADDON)});
    Promise.resolve().then(() => (${body.toString()})(bindings, ${JSON.stringify(args)})).then(
      (result) => process.stdout.write(${JSON.stringify(RESULT_MARK)} + JSON.stringify(result === undefined ? null : result)),
      (error) => { process.stderr.write(String(error && error.stack || error)); process.exitCode = 1; });`;
  const node = [process.execPath, '-e', script];
  const output =
    options.namespace === undefined
      ? await run('env', node, options.environment)
      : await run('nsenter', [`--net=/var/run/netns/${options.namespace}`, ...node], options.environment);
  return JSON.parse(output.slice(output.indexOf(RESULT_MARK) + RESULT_MARK.length)) as Result;
}

function run(command: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<string> {
  const settings = { timeout: TIMEOUT_MS, env: { ...process.env, ...environment } };
  return new Promise((resolve, reject) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`child ended with ${error.code ?? error.signal ?? 'an error'}: ${stderr}`));
    });
  });
}
