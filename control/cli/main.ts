#!/usr/bin/env node
/**
 * Entry of xmcastctl: hands the process's arguments, streams and signals to runCli, and nothing else.
 */
import { runCli } from './run';

/** What may end --watch: the keyboard, a service manager, a terminal that closes. */
const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// For who writes programs, not for who runs them: Node has one for targets that are addresses (no name to send to the server).
process.noDeprecation = true;

// The reader of a pipe may leave early, as head(1) does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

/** One call for each key, without waiting for a line. Ctrl-C is a key as well then. */
function readKeys(onKey: (key: string) => void): () => void {
  const { stdin } = process;
  const onData = (data: Buffer): void => onKey(data.toString('utf8'));
  stdin.setRawMode(true);
  stdin.on('data', onData);
  return () => {
    stdin.off('data', onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

void runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
  rows: () => process.stdout.rows,
  columns: () => process.stdout.columns,
  ...(process.stdin.isTTY ? { keys: readKeys } : {}),
  interrupted: () => {
    const controller = new AbortController();
    // Once: whoever sends a second one does not want to wait.
    for (const signal of ENDING_SIGNALS) process.once(signal, () => controller.abort());
    return controller.signal;
  },
}).then((status) => {
  process.exitCode = status;
});
