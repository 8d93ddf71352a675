/**
 * Words of a configuration file with their lines, and what is said of a word nobody knows. "#" begins a comment.
 */
import { printable } from '../config/printable';
import { nearestWord } from '../config/suggest';

export interface Word {
  readonly text: string;
  /** Counts from 1. */
  readonly line: number;
}

export interface Line {
  readonly line: number;
  readonly words: readonly Word[];
}

/** Lines that have words. */
export function* readLines(text: string): Iterable<Line> {
  let line = 0;
  for (const content of text.replace(/^\ufeff/, '').split('\n')) {
    line++;
    const words = content.replace(/#.*/s, '').match(/[^\s\0]+/g);
    if (words !== null) yield { line, words: words.map((word) => ({ text: word, line })) };
  }
}

export class WordStream {
  readonly #words: readonly Word[];
  #next = 0;

  constructor(text: string) {
    this.#words = [...readLines(text)].flatMap(({ words }) => words);
  }

  peek(): Word | undefined {
    return this.#words[this.#next];
  }

  take(): Word | undefined {
    return this.#words[this.#next++];
  }
}

export function unknownWord(word: string, known: readonly string[]): string {
  const nearest = nearestWord(word, known);
  return `${printable(word)} is not known here${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`;
}
