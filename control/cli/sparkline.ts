/**
 * A row of figures as a row of bars, the newest at the right. Scaled to the largest of them: it shows how something goes, not how much it is.
 */

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;
const NOTHING = ' ';

/** Exactly `width` characters; what is older has no room. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = width > 0 ? values.slice(-width) : [];
  const most = Math.max(0, ...shown);
  const bar = (value: number): string =>
    value <= 0 || most <= 0 ? BARS[0] : (BARS[Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length))] ?? BARS[0]);
  return shown.map(bar).join('').padStart(Math.max(0, width), NOTHING);
}
