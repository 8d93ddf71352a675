/**
 * Text of unknown origin made fit for a message: short, on one line, nothing a terminal would act on.
 */

const LONGEST = 60;

/** In quotes. */
export function printable(text: string): string {
  return escapeControls(JSON.stringify(text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text));
}

/** As it is when it looks like a key, else in quotes. */
export function printableKey(key: string): string {
  return /^[\w-]{1,60}$/.test(key) ? key : printable(key);
}

/** Cc and Cf are controls and invisible marks (right-to-left override), Zl and Zp are Unicode's line ends, Cs broken pairs. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (mark) => `\\u{${(mark.codePointAt(0) ?? 0).toString(16)}}`);
}
