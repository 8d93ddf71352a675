/**
 * Rules between the fields of a Config whose fields are right one by one: interfaces among each other, IGMP timers as they are in
 * the end on each interface.
 */
import type { xmcast } from '#proto';
import { igmpSettings } from './defaults';
import { formatMs } from './duration';
import { printable } from './printable';
import type { InterfaceSettings, Problem } from './settings';
import { indexPath, keyPath } from './source-map';

type IgmpConfig = xmcast.v1.IgmpConfig.$Properties;
type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

/** RFC 2236 §2.2: Max Response Time of version 2 is eight bits of tenths of a second. */
const MAX_V2_RESPONSE_MS = 25_500;

export function relationProblems(config: xmcast.v1.Config.$Properties): Problem[] {
  const interfaces = config.interfaces ?? [];
  const common = config.igmp ?? {};
  return [
    ...duplicateNames(interfaces),
    ...secondUpstreams(interfaces),
    ...timingProblems({}, common, 'igmp'),
    ...interfaces.flatMap((item, index) => timingProblems(common, item.igmp ?? {}, `${indexPath('interfaces', index)}.igmp`)),
  ];
}

function duplicateNames(interfaces: readonly InterfaceConfig[]): Problem[] {
  const first = new Map<string, number>();
  const problems: Problem[] = [];
  for (const [index, { name }] of interfaces.entries()) {
    const earlier = first.get(name ?? '');
    if (earlier === undefined) first.set(name ?? '', index);
    else
      problems.push(
        problem(`${indexPath('interfaces', index)}.name`, `${printable(name ?? '')} is already interfaces[${earlier}]`),
      );
  }
  return problems;
}

function secondUpstreams(interfaces: readonly InterfaceConfig[]): Problem[] {
  const upstreams = [...interfaces.entries()].filter(([, item]) => item.upstream === true);
  const [first, ...others] = upstreams;
  if (first === undefined) return [];
  const taken = `${printable(first[1].name ?? '')} (interfaces[${first[0]}]) is upstream already; at most one may be`;
  return others.map(([index]) => problem(`${indexPath('interfaces', index)}.upstream`, taken));
}

const KEYS = {
  version: 'version',
  queryInterval: 'query_interval',
  queryResponseInterval: 'query_response_interval',
  startupQueryInterval: 'startup_query_interval',
} as const;
type Property = keyof typeof KEYS;

interface TimingRule {
  /** The problem is shown at the first of these that is set here; when none is, it is a matter of the section above. */
  readonly fields: readonly [Property, Property];
  /** What is wrong with these values, if anything. `named` writes a value with its key, and says when it is the default. */
  readonly fault: (igmp: InterfaceSettings['igmp'], named: (property: Property, ms: number) => string) => string | undefined;
}

const TIMING_RULES: readonly TimingRule[] = [
  {
    // RFC 3376 §8.3: answers to one query must be in before the next.
    fields: ['queryResponseInterval', 'queryInterval'],
    fault: ({ timing: { queryResponseIntervalMs, queryIntervalMs } }, named) => {
      if (queryResponseIntervalMs < queryIntervalMs) return undefined;
      const limit = named('queryInterval', queryIntervalMs);
      return `${named('queryResponseInterval', queryResponseIntervalMs)} must be less than ${limit}`;
    },
  },
  {
    fields: ['startupQueryInterval', 'queryInterval'],
    fault: ({ timing: { startupQueryIntervalMs, queryIntervalMs } }, named) => {
      if (startupQueryIntervalMs <= queryIntervalMs) return undefined;
      const limit = named('queryInterval', queryIntervalMs);
      return `${named('startupQueryInterval', startupQueryIntervalMs)} must not be more than ${limit}`;
    },
  },
  {
    fields: ['queryResponseInterval', 'version'],
    fault: ({ version, timing: { queryResponseIntervalMs } }, named) => {
      if (version !== 2 || queryResponseIntervalMs <= MAX_V2_RESPONSE_MS) return undefined;
      const value = named('queryResponseInterval', queryResponseIntervalMs);
      return `${value} must not be more than ${formatMs(MAX_V2_RESPONSE_MS)} in queries of version 2`;
    },
  },
];

function timingProblems(common: IgmpConfig, own: IgmpConfig, path: string): Problem[] {
  const effective = igmpSettings(common, own);
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

function problem(path: string, message: string): Problem {
  return { path, line: 0, column: 0, message };
}
