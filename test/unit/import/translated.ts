/**
 * A translation as tests look at it: what our own checks make of the file, and notes as one line each.
 */
import { checkConfigText } from '../../../control/config/check';
import type { ImportFormat } from '../../../control/import/import-result';
import { importConfig } from '../../../control/import/import-config';
import { noteText } from '../../../control/import/render';
import { configToYaml } from '../../../control/config/format';

export interface Translated {
  /** The configuration without the comments, as our own reader wrote it again. */
  readonly yaml: string;
  readonly notes: readonly string[];
  /** Of the file as it is printed. */
  readonly problems: readonly string[];
}

export function translated(format: ImportFormat, text: string): Translated {
  const result = importConfig(format, text);
  const { config, problems } = checkConfigText(result.yaml);
  return {
    yaml: config === undefined ? '' : configToYaml(config),
    notes: result.notes.map(noteText),
    problems: problems.map(({ path, message }) => `${path}: ${message}`),
  };
}

/** Those with a line: what is said about every file has a test of its own. */
export function notesOfLines(format: ImportFormat, text: string): string[] {
  return translated(format, text).notes.filter((note) => note.startsWith('line '));
}
