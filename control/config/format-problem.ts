/**
 * One problem as a line that compilers write and editors jump to.
 */
import type { Problem } from './settings';

/** file:line:column: path: message. The path is left out for what concerns the whole file, the place where there is none. */
export function formatProblem(file: string, problem: Problem): string {
  const place = problem.line > 0 ? [`${file}:${problem.line}:${problem.column}`] : [file];
  return [...place, ...(problem.path === '' ? [] : [problem.path]), problem.message].join(': ');
}
