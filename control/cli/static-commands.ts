/**
 * `xmcastctl static …`: its commands with their options and help. Calls nothing itself.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';

import type { AddView } from './commands';
import type { RunAction } from './tools';
import { examplesText, withExamples } from './examples';
import { parseSeconds } from './options';
import {
  addStaticAction,
  applyStaticAction,
  deleteStaticAction,
  type OwnerOptions,
  renewStaticAction,
  staticEntriesView,
  type StaticEntryOptions,
  type StaticListOptions,
  staticOwnersView,
  type StaticUpdateOptions,
} from './static-actions';

const DEFAULT_OWNER = 'xmcastctl';
const GROUP = ['<group>', 'e.g. 239.1.1.1, for a route 239.1.0.0/16 too'] as const;

/** `add`: adds a view to the command it is given. */
export function addStaticCommands(program: Command, addTo: (parent: Command) => AddView, run: RunAction): void {
  const parent = program
    .command('static')
    .description('static routes and memberships beside those of the configuration, each with its owner')
    .addHelpText('after', '\nExit status: also 5, somebody else has the entry, or another revision.')
    .addHelpText('after', examplesText(['xmcastctl static list', 'whose they are, and which are not in effect']));
  addReading(addTo(parent));
  addSingles(parent, run);
  addWhole(parent, run);
}

function addReading(add: AddView): void {
  withExamples(
    add<StaticListOptions>('list', 'the entries of all owners, those of the configuration too', staticEntriesView)
      .option('--owner <name>', 'only entries of this owner')
      .option('-g, --group <prefix>', 'only entries that have packets of this group or prefix')
      .addOption(new Option('--kind <kind>', 'only entries of this kind').choices(['route', 'membership'])),
    ['xmcastctl static list --owner headend', 'what one of them has'],
    ['xmcastctl static list -o jsonl | jq -c "select(.problem != \\"\\")"', 'what is not in effect'],
  );
  withExamples(
    add('owners', 'who has entries, how many, and until when', (client) => staticOwnersView(client, Date.now)),
    ['xmcastctl static owners', 'and when their leases run out'],
  );
}

function addSingles(parent: Command, run: RunAction): void {
  updateOptions(parent.command('add').argument(...GROUP).description('one route or membership; in the place of the one for the same'))
    .option('-s, --source <prefix>', 'only of these sources; for a membership a list of addresses')
    .option('--from <interface>', 'of a route: where the packets come in')
    .addOption(new Option('--to <interfaces>', 'of a route: where they go, e.g. eth1,eth2; default: nowhere').argParser(listOf))
    .addOption(new Option('--ttl-threshold <ttl>', 'of a route: only packets received with a greater TTL').argParser(parseInteger))
    .option('--member <interface>', 'a membership of this interface')
    .addHelpText(
      'after',
      examplesText(
        ['xmcastctl static add 239.1.1.1 --from eth0 --to eth1,eth2', 'a route'],
        ['xmcastctl static add 232.1.1.1 --member eth1 --source 10.0.0.1,10.0.0.2', 'a membership'],
      ),
    )
    .action((group: string, options: StaticEntryOptions, command: Command) => run(command, (tools) => addStaticAction(tools, group, options)));
  updateOptions(parent.command('del').argument(...GROUP).description('takes one away'))
    .option('-s, --source <prefix>', 'of a route: its source')
    .option('--member <interface>', 'the membership of this interface')
    .addHelpText(
      'after',
      examplesText(['xmcastctl static del 239.1.1.1 --source 10.0.0.0/8', 'a route'], ['xmcastctl static del 232.1.1.1 --member eth1', 'a membership']),
    )
    .action((group: string, options: StaticEntryOptions, command: Command) => run(command, (tools) => deleteStaticAction(tools, group, options)));
}

function addWhole(parent: Command, run: RunAction): void {
  updateOptions(
    parent.command('apply').argument('<file>', 'YAML or JSON with static_routes and static_memberships, - for standard input').description('the entries of a file, all or none; the owner’s others go'),
  )
    .option('--keep', 'the owner’s others stay')
    .addHelpText(
      'after',
      examplesText(
        ['xmcastctl static apply channels.yaml --owner headend', 'what is not in the file goes'],
        ['generate | xmcastctl static apply - --owner headend --lease 60', 'and all of it, unless it is renewed'],
      ),
    )
    .action((file: string, options: StaticUpdateOptions & { readonly keep?: boolean }, command: Command) =>
      run(command, (tools) => applyStaticAction(tools, file, options)),
    );
  withExamples(ownerOption(parent.command('renew').description('the lease of the owner begins anew')), [
    'xmcastctl static renew --owner headend',
    'exit status 3: the entries are gone',
  ]).action((options: OwnerOptions, command: Command) =>
    run(command, (tools) => renewStaticAction(tools, options)),
  );
}

function updateOptions(command: Command): Command {
  return ownerOption(command)
    .addOption(new Option('--lease <seconds>', 'all entries of the owner vanish unless it is renewed within; 0: never').argParser(parseLease))
    .option('--dry-run', 'only say what would change')
    .addOption(new Option('--revision <number>', 'only if the owner is at this revision; 0: has no entries').argParser(parseInteger))
    .option('--request-id <id>', 'carried out once, however often it is sent');
}

function ownerOption(command: Command): Command {
  return command.addOption(new Option('--owner <name>', 'whose entries').default(DEFAULT_OWNER));
}

function parseLease(text: string): number {
  return text === '0' ? 0 : parseSeconds(text);
}

function parseInteger(text: string): number {
  if (!/^(0|[1-9][0-9]{0,14})$/.test(text)) throw new InvalidArgumentError(`"${text}" is no whole number.`);
  return Number(text);
}

function listOf(text: string): string[] {
  return text.split(',').filter((name) => name !== '');
}
