/**
 * Everything that is wrong with the text of a configuration file, in the order of the file. One function behind starting, reloading
 * and checking, so that they cannot differ.
 */
import type { xmcast } from '#proto';
import { parseConfigYaml } from './parse';
import type { Problem } from './settings';
import { isWithin } from './source-map';
import { validateConfig } from './validate';
import { fieldProblems } from './validate-fields';

export type CheckedConfig =
  | { readonly config: xmcast.v1.Config; readonly problems: readonly [] }
  | { readonly config: undefined; readonly problems: readonly Problem[] };

export function checkConfigText(text: string): CheckedConfig {
  const { config, draft, problems: formProblems, locate } = parseConfigYaml(text);
  // What could not be read is missing from the draft: only rules of single fields make sense there, and not where it is missing.
  const found = config !== undefined ? validateConfig(config) : draft !== undefined ? fieldProblems(draft) : [];
  const added = found.filter(({ path }) => !formProblems.some((form) => form.path !== '' && isWithin(path, form.path)));
  const problems = [...formProblems, ...added.map(locate)];
  if (config !== undefined && problems.length === 0) return { config, problems: [] };
  return { config: undefined, problems: problems.sort((a, b) => a.line - b.line || a.column - b.column) };
}
