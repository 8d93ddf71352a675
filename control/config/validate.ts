/**
 * Is a Config one that the daemon can run? Pure and total: finds every problem, whoever made the message (file or API client), and
 * never throws on one. Problems carry the path, not the place in a file: parse.ts knows that.
 */
import type { xmcast } from '#proto';
import type { Problem } from './settings';
import { fieldProblems } from './validate-fields';
import { relationProblems } from './validate-relations';

export function validateConfig(config: xmcast.v1.Config.$Properties): Problem[] {
  const problems = fieldProblems(config);
  // Rules between fields reckon with the values, so these must be right first.
  return problems.length > 0 ? problems : relationProblems(config);
}
