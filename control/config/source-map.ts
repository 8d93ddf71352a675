/**
 * Where in the file each path of the configuration stands, and the spelling of paths: interfaces[1].ttl_threshold.
 */
import type { Problem } from './settings';

export interface Position {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
}

export function keyPath(parent: string, key: string): string {
  return parent === '' ? key : `${parent}.${key}`;
}

export function indexPath(parent: string, index: number): string {
  return `${parent}[${index}]`;
}

/** The path one step up, '' at the top. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('.'), path.lastIndexOf('['), 0));
}

/** True for the path itself too. */
export function isWithin(path: string, ancestor: string): boolean {
  if (ancestor === '' || path === ancestor) return true;
  return path.startsWith(ancestor) && (path[ancestor.length] === '.' || path[ancestor.length] === '[');
}

export class SourceMap {
  readonly #positions = new Map<string, Position>();

  set(path: string, position: Position): void {
    this.#positions.set(path, position);
  }

  /** What is missing from the file stands where the nearest thing around it does. */
  find(path: string): Position {
    for (let at = path; at !== ''; at = parentPath(at)) {
      const position = this.#positions.get(at);
      if (position !== undefined) return position;
    }
    return this.#positions.get('') ?? { line: 1, column: 1 };
  }

  /** The same problem with its place in the file, unless it has one already. */
  locate(problem: Problem): Problem {
    return problem.line > 0 ? problem : { ...problem, ...this.find(problem.path) };
  }
}
