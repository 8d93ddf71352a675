/**
 * Examples at the end of a command's help. Every command has some; a test sees to it.
 */
import type { Command } from 'commander';

export type Example = readonly [line: string, purpose: string];

export function withExamples(command: Command, ...examples: readonly Example[]): Command {
  return command.addHelpText('after', examplesText(...examples));
}

export function examplesText(...examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  return `\nExamples:\n${examples.map(([line, purpose]) => `  ${line.padEnd(width)}  ${purpose}`).join('\n')}`;
}
