/**
 * `xmcastctl config …`: its commands with their options and help. Calls nothing itself.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import {
  applyAction,
  type ApplyOptions,
  checkAction,
  confirmAction,
  diffAction,
  editAction,
  getAction,
  reloadAction,
  revisionsAction,
  rollbackAction,
  setAction,
} from './config-actions';
import { examplesText, withExamples } from './examples';
import { EXIT_TEXT } from './failure';
import { parseSeconds } from './options';
import type { RunAction } from './tools';

const FILE = ['<file>', 'YAML or JSON, - for standard input'] as const;

export function addConfigCommands(program: Command, run: RunAction): void {
  const config = program
    .command('config')
    .description('what xmcastd is to do: shown, changed, taken back')
    .addHelpText('after', `\nExit status: ${EXIT_TEXT}.`);
  withExamples(config, ['xmcastctl config get > now.yaml', 'what runs, as a file'], ['xmcastctl config diff new.yaml', 'what another would change']);
  addReading(config, run);
  addApplying(config, run);
  addHistory(config, run);
}

function addReading(config: Command, run: RunAction): void {
  config
    .command('get')
    .description('the configuration that runs, as a file')
    .addHelpText('after', examplesText(['xmcastctl config get > now.yaml', 'what runs'], ['xmcastctl config get --revision 7', 'one that is kept']))
    .addOption(new Option('--revision <number>', 'one that is kept instead').argParser(parseRevision).default(0, 'what runs'))
    .action((options: { readonly revision: number }, command: Command) => run(command, (tools) => getAction(tools, options.revision)));
  config
    .command('check')
    .argument(...FILE)
    .description('is it one that xmcastd can run; every problem with its line')
    .addHelpText('after', examplesText(['xmcastctl config check new.yaml', 'nothing is changed']))
    .action((file: string, _options, command: Command) => run(command, (tools) => checkAction(tools, file)));
  config
    .command('diff')
    .argument(...FILE)
    .description('what applying it would change, and what that does; exit status 6 when there is a difference')
    .addHelpText('after', examplesText(['xmcastctl config diff new.yaml', 'which flows it may interrupt']))
    .action((file: string, _options, command: Command) => run(command, (tools) => diffAction(tools, file)));
}

function addApplying(config: Command, run: RunAction): void {
  applyOptions(config.command('apply').argument(...FILE).description('makes it run, all of it or nothing'))
    .addHelpText(
      'after',
      '\nExamples:\n  xmcastctl config apply new.yaml --confirm-timeout 60 && xmcastctl config confirm\n  xmcastctl config get | sed s/eth1/eth2/ | xmcastctl config apply -',
    )
    .action((file: string, options: ApplyOptions, command: Command) => run(command, (tools) => applyAction(tools, file, options)));
  applyOptions(config.command('set').argument('<path=value...>').description('changes single values of what runs'))
    .addHelpText(
      'after',
      '\nExamples:\n  xmcastctl config set igmp.query_interval=60s\n  xmcastctl config set "interfaces[eth5]={}" "interfaces[eth5].ttl_threshold=8"\n  xmcastctl config set "static_routes[239.1.1.1]=null"   takes the entry away',
    )
    .action((assignments: string[], options: ApplyOptions, command: Command) => run(command, (tools) => setAction(tools, assignments, options)));
  applyOptions(config.command('edit').description('what runs, in VISUAL or EDITOR; what was written is applied'))
    .addHelpText('after', examplesText(['EDITOR=nano xmcastctl config edit', 'applied when the editor ends'])).action(
    (options: ApplyOptions, command: Command) => run(command, (tools) => editAction(tools, options)),
  );
  config
    .command('reload')
    .description('the file that xmcastd was started with, once more')
    .addHelpText('after', examplesText(['xmcastctl config reload --dry-run', 'what would change'], ['xmcastctl config reload', 'as SIGHUP, with an answer']))
    .option('--dry-run', 'only say what would change')
    .option('--takeover', 'the file decides again, not the API')
    .action((options: ApplyOptions, command: Command) => run(command, (tools) => reloadAction(tools, options)));
}

function addHistory(config: Command, run: RunAction): void {
  config
    .command('confirm')
    .argument('[revision]', 'default: the one that waits', parseRevision, 0)
    .description('keeps what was applied with --confirm-timeout')
    .addHelpText('after', examplesText(['xmcastctl config confirm', 'the revision that waits']))
    .action((revision: number, _options, command: Command) => run(command, (tools) => confirmAction(tools, revision)));
  changeOptions(
    config
      .command('rollback')
      .argument('[revision]', 'default: what ran before', parseRevision, 0)
      .description('takes back what is not confirmed, or applies a kept revision again'),
  )
    .addHelpText('after', examplesText(['xmcastctl config rollback', 'what ran before'], ['xmcastctl config rollback 7 --confirm-timeout 60', 'a kept revision, on trial']))
    .action((revision: number, options: ApplyOptions, command: Command) => run(command, (tools) => rollbackAction(tools, revision, options)));
  config
    .command('revisions')
    .description('configurations that are kept, the newest first')
    .addHelpText('after', examplesText(['xmcastctl config revisions -o json', 'for programs']))
    .action((_options, command: Command) => run(command, revisionsAction));
}

function applyOptions(command: Command): Command {
  return changeOptions(command).option('--takeover', 'the API decides from now on, not the file');
}

function changeOptions(command: Command): Command {
  return command
    .addOption(new Option('--confirm-timeout <seconds>', 'taken back unless it is confirmed within').argParser(parseSeconds))
    .option('--comment <text>', 'kept with the revision')
    .option('--dry-run', 'only say what would change')
    .option('--etag <etag>', 'only if this is what runs')
    .option('--request-id <id>', 'carried out once, however often it is sent');
}

function parseRevision(text: string): number {
  if (!/^[1-9][0-9]{0,9}$/.test(text)) throw new InvalidArgumentError(`"${text}" is no number of a revision.`);
  return Number(text);
}
