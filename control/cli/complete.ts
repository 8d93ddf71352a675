/**
 * What may stand at the cursor, by the tree of commands. Names of the router are asked for, and left out when it does not answer.
 */
import type { Argument, Command, Option } from 'commander';

export interface Candidate {
  readonly value: string;
  /** For shells that show it. One line. */
  readonly text: string;
}

export type LiveKind = 'interface' | 'group' | 'source' | 'revision';
/** `words`: what stands before the cursor, for the options that name the daemon. May reject. */
export type LiveNames = (kind: LiveKind, words: readonly string[]) => Promise<readonly string[]>;

const KINDS: readonly string[] = ['interface', 'group', 'source', 'revision'] satisfies readonly LiveKind[];
const MAX_LIVE = 1000;

interface Place {
  readonly command: Command;
  /** Arguments of the command before the cursor. */
  readonly position: number;
  /** The option whose value is at the cursor. */
  readonly option: Option | undefined;
}

/** The last word is the one at the cursor, perhaps empty. Nothing: the shell may offer files. */
export async function candidatesFor(program: Command, words: readonly string[], live: LiveNames): Promise<readonly Candidate[]> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const place = placeOf(program, before);
  const all = await candidatesAt(place, current, (kind) => live(kind, before));
  return all.filter(({ value }) => value.startsWith(current));
}

function placeOf(program: Command, before: readonly string[]): Place {
  let command = program;
  let position = 0;
  for (let i = 0; i < before.length; i++) {
    const word = before[i] ?? '';
    const option = word.startsWith('-') ? optionsOf(command).find(({ short, long }) => word === short || word === long) : undefined;
    // An option whose value is left out may be followed by anything.
    if (option?.required === true && ++i >= before.length) return { command, position, option };
    if (word.startsWith('-')) continue;
    const below = command.commands.find((each) => each.name() === word);
    if (below === undefined) position++;
    else [command, position] = [below, 0];
  }
  return { command, position, option: undefined };
}

async function candidatesAt(
  { command, position, option }: Place,
  current: string,
  live: (kind: LiveKind) => Promise<readonly string[]>,
): Promise<readonly Candidate[]> {
  if (option !== undefined) return valuesOf(option, option.name(), live);
  if (current.startsWith('-')) return optionsOf(command).map(candidateOf);
  if (command.commands.length > 0) return command.createHelp().visibleCommands(command).map((each) => ({ value: each.name(), text: each.description() }));
  const argument = command.registeredArguments[Math.min(position, command.registeredArguments.length - 1)];
  return argument === undefined || (position > 0 && !argument.variadic) ? [] : valuesOf(argument, argument.name(), live);
}

/** Its own and those of every command, without those that are not shown. */
function optionsOf(command: Command): readonly Option[] {
  const found: Option[] = [];
  for (let at: Command | null = command; at !== null; at = at.parent) found.push(...at.createHelp().visibleOptions(at));
  return found;
}

function candidateOf(option: Option): Candidate {
  return { value: option.long ?? option.short ?? '', text: option.description.split('\n')[0] ?? '' };
}

async function valuesOf(
  { argChoices }: Option | Argument,
  name: string,
  live: (kind: LiveKind) => Promise<readonly string[]>,
): Promise<readonly Candidate[]> {
  if (argChoices !== undefined) return argChoices.map((value) => ({ value, text: '' }));
  if (!KINDS.includes(name)) return [];
  try {
    const names = [...new Set(await live(name as LiveKind))].slice(0, MAX_LIVE);
    return names.map((value) => ({ value, text: name }));
  } catch {
    // Whoever types wants no word about a daemon that is not there.
    return [];
  }
}
