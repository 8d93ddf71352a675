#!/usr/bin/env node
/**
 * Entry of xmcastctl: hands the process's arguments and streams to runCli, and nothing else.
 */
import { runCli } from './run';

// The reader of a pipe may leave early, as head(1) does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

void runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  isTerminal: process.stdout.isTTY === true,
}).then((status) => {
  process.exitCode = status;
});
