/**
 * What comes out of a translation: a Config, and what has to be said about it, each note with its line of the input. Types, and the
 * list that notes are collected in.
 */
import type { xmcast } from '#proto';

export const IMPORT_FORMATS = ['igmpproxy', 'smcroute'] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface ImportNote {
  /** Counts from 1; 0: about the file as a whole. */
  readonly line: number;
  /** info: not the same, or not needed. warning: left out, for there is nothing like it. error: not understood, or cannot be. */
  readonly severity: 'info' | 'warning' | 'error';
  readonly text: string;
}

export interface ImportResult {
  readonly config: xmcast.v1.Config.$Properties;
  /** By line. */
  readonly notes: readonly ImportNote[];
  /** The configuration as a file, the notes as comments above it. */
  readonly yaml: string;
}

/** What a translator hands over. */
export interface Translation {
  readonly config: xmcast.v1.Config.$Properties;
  /** Paths such as "interfaces[0]" or "static_routes[3]" → the line they were made from. */
  readonly lines: ReadonlyMap<string, number>;
}

/** Nobody reads more. */
const MAX_NOTES = 200;

export class Notes {
  readonly #notes: ImportNote[] = [];
  #leftOut = 0;
  #worstLeftOut: ImportNote['severity'] = 'info';

  info(line: number, text: string): void {
    this.#add({ line, severity: 'info', text });
  }

  warning(line: number, text: string): void {
    this.#add({ line, severity: 'warning', text });
  }

  error(line: number, text: string): void {
    this.#add({ line, severity: 'error', text });
  }

  list(): readonly ImportNote[] {
    const sorted = [...this.#notes].sort((a, b) => a.line - b.line);
    if (this.#leftOut === 0) return sorted;
    return [...sorted, { line: 0, severity: this.#worstLeftOut, text: `and ${this.#leftOut} notes more` }];
  }

  #add(note: ImportNote): void {
    if (this.#notes.length < MAX_NOTES) {
      this.#notes.push(note);
      return;
    }
    this.#leftOut++;
    if (note.severity === 'error' || this.#worstLeftOut === 'info') this.#worstLeftOut = note.severity;
  }
}
