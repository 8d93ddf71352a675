/**
 * A terminal on which the same text is drawn again and again, as watch(1) does: nothing scrolls or flickers, and what was there before
 * comes back at the end. Knows escape sequences and nothing of what is shown.
 */

/** Alternate screen, no wrapping of long lines, no cursor. */
const ENTER = '\u001b[?1049h\u001b[?7l\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?7h\u001b[?1049l';
/** To the upper left. */
const HOME = '\u001b[H';
/**
 * Clear from the cursor on: the line, and all below. Sent where a line begins: at the end of one that is cut off they would take its
 * last character.
 */
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export class Screen {
  readonly #write: (text: string) => unknown;
  readonly #rows: () => number;
  #lastText: string | undefined;

  /** `rows`: height of the terminal now. */
  constructor(write: (text: string) => unknown, rows: () => number) {
    this.#write = write;
    this.#rows = rows;
  }

  draw(text: string): void {
    const enter = this.#lastText === undefined ? ENTER : '';
    this.#lastText = text;
    // The last row stays empty: a line feed there would scroll.
    const lines = fitted(text.trimEnd().split('\n'), this.#rows() - 1);
    // One write: a terminal that has half of it would show that half.
    this.#write(enter + HOME + lines.map((line) => `${CLEAR_LINE}${line}\n`).join('') + CLEAR_BELOW);
  }

  /** Gives the terminal back, with the last text on it. Idempotent. */
  close(): void {
    if (this.#lastText === undefined) return;
    this.#write(LEAVE + this.#lastText);
    this.#lastText = undefined;
  }
}

/** What has no room is counted: scrolling would move the head out of sight. */
function fitted(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  const shown = Math.max(1, rows - 1);
  return [...lines.slice(0, shown), `… ${lines.length - shown} more lines`];
}
