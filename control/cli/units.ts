/**
 * Figures for people: durations, counts, bytes, rates. JSON output never goes through here.
 */

const SI = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** "5s", "2m05s", "3h04m", "12d03h": two units, the second one padded so that columns stay readable. Tenths below ten seconds. */
export function formatDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (ms < 10_000) return `${Math.floor(ms / 100) / 10}s`;
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${twoDigits(seconds % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h${twoDigits(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d${twoDigits(hours % 24)}h`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** Every digit, in groups of three: "1,234,567". */
export function formatCount(value: bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** "999 B", "1.32 MB": decimal units, three digits. */
export function formatBytes(value: bigint): string {
  return scaled(Number(value), 'B');
}

/** "12.3 Mb/s" */
export function formatBitRate(bitsPerSecond: number): string {
  return scaled(bitsPerSecond, 'b/s');
}

/** "950", "12.3 k": packets per second. */
export function formatRate(perSecond: number): string {
  return scaled(perSecond, '');
}

function scaled(value: number, unit: string): string {
  let step = 0;
  let scaledValue = value;
  // 999.5 would round to "1000", so it belongs to the next step.
  while (scaledValue >= 999.5 && step < SI.length - 1) {
    scaledValue /= 1000;
    step += 1;
  }
  return `${threeDigits(scaledValue, step === 0)} ${SI[step] ?? ''}${unit}`.trimEnd();
}

function threeDigits(value: number, whole: boolean): string {
  if (Number.isInteger(value) && whole) return String(value);
  if (value >= 99.95) return value.toFixed(0);
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}
