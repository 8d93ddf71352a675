/**
 * The few colours there are, and what each means. Whether any are shown is decided by who prints.
 */

export const COLOURS = { bad: '31', warning: '33', good: '32', faint: '2', title: '1', chosen: '7' } as const;
export type Colour = keyof typeof COLOURS;

/** `colour` undefined, or not enabled: the text as it is. */
export function paint(text: string, colour: Colour | undefined, enabled: boolean): string {
  return enabled && colour !== undefined && text !== '' ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text;
}
