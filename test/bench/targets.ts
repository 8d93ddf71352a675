/** What a bench holds its figures against, and how it says so. */

export interface Target {
  readonly what: string;
  readonly limit: string;
  readonly measured: string;
  readonly met: boolean;
}

export function targetLines(targets: readonly Target[]): string[] {
  return targets.map(({ what, limit, measured, met }) => `${met ? 'met   ' : 'MISSED'} ${what}: ${measured}, aim ${limit}`);
}
