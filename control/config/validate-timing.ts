/**
 * Rules between the timers of IGMP, as they are in the end on each interface. A problem is told where a value stands, not once
 * for each interface that inherits it.
 */
import type { xmcast } from '#proto';
import { problem } from './field-rules';
import { formatMs } from './duration';
import { IGMP_DEFAULTS, overlayIgmp, timingSettings, type IgmpConfig } from './igmp-settings';
import type { IgmpSettings, Problem } from './settings';
import { indexPath, keyPath } from './source-map';

/** RFC 2236 §2.2: Max Response Time of version 2 is eight bits of tenths of a second. */
const MAX_V2_RESPONSE_MS = 25_500;

export function timingProblems(config: xmcast.v1.Config.$Properties): Problem[] {
  const common = config.igmp ?? {};
  return [
    ...sectionProblems({}, common, 'igmp'),
    ...(config.interfaces ?? []).flatMap((item, index) =>
      sectionProblems(common, item.igmp ?? {}, keyPath(indexPath('interfaces', index), 'igmp')),
    ),
  ];
}

const KEYS = {
  version: 'version',
  queryInterval: 'query_interval',
  queryResponseInterval: 'query_response_interval',
  startupQueryInterval: 'startup_query_interval',
} as const;
type Property = keyof typeof KEYS;
type Timing = IgmpSettings['timing'] & { readonly version: number };

interface TimingRule {
  /** The problem is shown at the first of these that is set here; when none is, it is a matter of the section above. */
  readonly fields: readonly [Property, Property];
  /** What is wrong with these values, if anything. `named` writes a value with its key, and says when it is the default. */
  readonly fault: (igmp: Timing, named: (property: Property, ms: number) => string) => string | undefined;
}

const TIMING_RULES: readonly TimingRule[] = [
  {
    // RFC 3376 §8.3: answers to one query must be in before the next.
    fields: ['queryResponseInterval', 'queryInterval'],
    fault: ({ queryResponseIntervalMs, queryIntervalMs }, named) => {
      if (queryResponseIntervalMs < queryIntervalMs) return undefined;
      const limit = named('queryInterval', queryIntervalMs);
      return `${named('queryResponseInterval', queryResponseIntervalMs)} must be less than ${limit}`;
    },
  },
  {
    fields: ['startupQueryInterval', 'queryInterval'],
    fault: ({ startupQueryIntervalMs, queryIntervalMs }, named) => {
      if (startupQueryIntervalMs <= queryIntervalMs) return undefined;
      const limit = named('queryInterval', queryIntervalMs);
      return `${named('startupQueryInterval', startupQueryIntervalMs)} must not be more than ${limit}`;
    },
  },
  {
    fields: ['queryResponseInterval', 'version'],
    fault: ({ version, queryResponseIntervalMs }, named) => {
      if (version !== 2 || queryResponseIntervalMs <= MAX_V2_RESPONSE_MS) return undefined;
      const value = named('queryResponseInterval', queryResponseIntervalMs);
      return `${value} must not be more than ${formatMs(MAX_V2_RESPONSE_MS)} in queries of version 2`;
    },
  },
];

function sectionProblems(common: IgmpConfig, own: IgmpConfig, path: string): Problem[] {
  const igmp = overlayIgmp(common, own);
  const effective = { ...timingSettings(igmp), version: igmp.version ?? IGMP_DEFAULTS.version };
  const named = (property: Property, ms: number): string => {
    const byDefault = (own[property] ?? common[property] ?? undefined) === undefined;
    return `${KEYS[property]} (${formatMs(ms)}${byDefault ? ', the default' : ''})`;
  };
  return TIMING_RULES.flatMap(({ fields, fault }) => {
    const blamed = fields.find((property) => own[property] !== undefined && own[property] !== null);
    const message = blamed === undefined ? undefined : fault(effective, named);
    return blamed === undefined || message === undefined ? [] : [problem(keyPath(path, KEYS[blamed]), message)];
  });
}
