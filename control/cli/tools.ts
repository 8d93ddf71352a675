/** What a command has to work with. Types only. */
import type { ApiClient } from '../api/client';

import type { ExitStatus } from './failure';
import type { OutputStyle } from './output';
import type { CliIo } from './run';
import type { Command } from 'commander';

export interface CommandTools {
  readonly client: ApiClient;
  readonly io: CliIo;
  readonly style: OutputStyle;
}

/** Runs an action against the daemon that the options of `command` name, and ends with its status. */
export type RunAction = (command: Command, action: (tools: CommandTools) => Promise<ExitStatus>) => Promise<void>;
