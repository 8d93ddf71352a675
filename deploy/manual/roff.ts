/**
 * Pieces of a manual page in the macros of man(7). What is handed in is plain text; nothing in it can become a request.
 */

/** `date` is left out: the same sources give the same page. */
export function titleOf(name: string, section: number, purpose: string): string {
  return `.TH ${name} ${section} "" xmcast "xmcast manual"\n.nh\n.ad l\n${headingOf('NAME')}${name} \\- ${text(purpose)}\n`;
}

export function headingOf(words: string): string {
  return `.SH ${words.toUpperCase()}\n`;
}

export function subheadingOf(words: string): string {
  return `.SS ${quoted(words)}\n`;
}

/** A term with what it means. */
export function entryOf(term: string, meaning: string): string {
  return `.TP\n.B ${quoted(term)}\n${linesOf(meaning)}`;
}

export function paragraphOf(words: string): string {
  return `.PP\n${linesOf(words)}`;
}

/** As it stands, such as examples. */
export function literalOf(words: string): string {
  return `.PP\n.nf\n${words.replace(/\n$/, '').split('\n').map((line) => `${line === '' ? '\\&' : text(line)}\n`).join('')}.fi\n`;
}

/** Characters beyond ASCII by their number, as groff and mandoc take them on any terminal. Text lines that begin with a dot or a quote would be requests. */
function text(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/[^\x00-\x7f]/gu, (character) => `\\[u${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`)
    .replace(/^([.'])/gm, '\\&$1');
}

function linesOf(words: string): string {
  const lines = words.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  return lines.map((line) => `${text(line)}\n`).join('') || '\\&\n';
}

function quoted(words: string): string {
  return `"${text(words).replaceAll('"', '\\(dq')}"`;
}
