/**
 * What the running kernel has of what the data plane uses where it is there. By its version: trying each costs an attachment, and what an
 * interface really got is its mode.
 */
export interface FoundFeature {
  readonly name: string;
  readonly isAvailable: boolean;
  readonly detail: string;
}

interface Feature {
  readonly name: string;
  readonly since: readonly [major: number, minor: number];
  readonly without: string;
}

const FEATURES: readonly Feature[] = [
  { name: 'xdp-multicast-broadcast', since: [5, 13], without: 'xmcastd does not start' },
  { name: 'tcx', since: [6, 6], without: 'filters of clsact are used instead' },
];

/** `release`: as uname(2) has it. */
export function kernelFeatures(release: string): readonly FoundFeature[] {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  const version = Number(major) * 1000 + Number(minor);
  return FEATURES.map(({ name, since: [sinceMajor, sinceMinor], without }) => {
    const isAvailable = version >= sinceMajor * 1000 + sinceMinor;
    return { name, isAvailable, detail: `since Linux ${sinceMajor}.${sinceMinor}${isAvailable ? '' : `; ${without}`}` };
  });
}
