/**
 * The manual page of a program, from its commands as commander has them.
 */
import type { Command } from 'commander';

import { entryOf, headingOf, literalOf, paragraphOf, subheadingOf, titleOf } from './roff';

export interface Page {
  readonly name: string;
  readonly section: number;
  /** Sections of its own, by heading. */
  readonly more: readonly (readonly [heading: string, words: string])[];
  readonly seeAlso: string;
}

export function commandPage(program: Command, { name, section, more, seeAlso }: Page): string {
  const purpose = program.description().replace(/\.$/, '');
  return [
    titleOf(name, section, purpose[0]?.toLowerCase() + purpose.slice(1)),
    headingOf('synopsis'),
    paragraphOf(`${name} ${program.usage()}`),
    headingOf('description'),
    paragraphOf(program.description()),
    headingOf('options'),
    optionsOf(program),
    commandsOf(program),
    ...more.map(([heading, words]) => headingOf(heading) + paragraphOf(words)),
    afterOf(program),
    headingOf('see also'),
    paragraphOf(seeAlso),
  ].join('');
}

function optionsOf(command: Command, without = ''): string {
  const help = command.createHelp();
  const shown = help.visibleOptions(command).filter(({ long }) => long !== without);
  return shown.map((option) => entryOf(option.flags, help.optionDescription(option))).join('');
}

function commandsOf(program: Command): string {
  const found = visible(program).flatMap((command) => [command, ...visible(command)]);
  return found.length === 0 ? '' : headingOf('commands') + found.map(commandOf).join('');
}

function visible(command: Command): Command[] {
  return command.createHelp().visibleCommands(command).filter((each) => each.name() !== 'help');
}

function commandOf(command: Command): string {
  const help = command.createHelp();
  const names = [command.name()];
  for (let at = command.parent; at?.parent; at = at.parent) names.unshift(at.name());
  const list = help.visibleArguments(command).map((argument) => entryOf(argument.name(), help.argumentDescription(argument)));
  const options = optionsOf(command, '--help');
  return [
    subheadingOf(`${names.join(' ')} ${command.usage()}`),
    paragraphOf(`${command.description()}.`),
    ...list,
    options,
    afterOf(command),
  ].join('');
}

/** What follows the help: examples, what a column means. */
function afterOf(command: Command): string {
  let written = '';
  command.configureOutput({ writeOut: (words) => (written += words) }).outputHelp();
  const after = written.slice(command.helpInformation().length).trim();
  return after === '' ? '' : literalOf(after);
}
