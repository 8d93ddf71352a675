/**
 * What each difference does to a running router: nothing, something at once, something to flows, or nothing before a restart.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Plain, PlainValue } from './canonical';
import { toSettings } from './defaults';
import { differences, type Difference } from './diff';
import { ruleKey } from './list-rules';
import { configFromPlain } from './plain-config';
import type { Settings } from './settings';

export type Effect = 'none' | 'live' | 'disruptive' | 'restart';

export interface Change {
  readonly path: string;
  /** As in the file, entries of lists in JSON, shortened. "": not set. */
  readonly before: string;
  readonly after: string;
  readonly effect: Effect;
  /** The flows that may be interrupted; "" unless disruptive. */
  readonly disrupts: string;
}

/** Names the flows. */
type Disrupts = (difference: Difference) => string;
type Rule = 'live' | 'restart' | Disrupts;

const THROUGH: Disrupts = ({ entries: [name] }) => `flows through ${name}`;
const OF_GROUP: Disrupts = ({ entries: [name, group] }) => `flows of ${group} on ${name}`;
const BY_UPSTREAM: Disrupts = ({ entries: [name] }) => `flows that come in by ${name}, or will`;
const OF_ENTRY: Disrupts = ({ entries: [flow] }) => `flows of ${flow}`;
const OF_MEMBERS =
  (whose: string): Disrupts =>
  ({ keys, entries: [name] }) =>
    keys[0] === 'interfaces' ? `${whose} on ${name}` : whose;

interface Rules {
  /** A whole entry of the list that has this very key comes or goes. As `changed` unless given. */
  readonly added?: Rule;
  readonly removed?: Rule;
  readonly changed: Rule;
}

/** By ruleKey(); the longest beginning counts. Every key of the schema is under one of them. */
const RULES: Readonly<Record<string, Rules>> = {
  interfaces: { added: 'live', removed: THROUGH, changed: 'live' },
  'interfaces.upstream': { changed: THROUGH },
  'interfaces.addresses': { changed: ({ entries: [name] }) => `flows from the subnets of ${name}, those of before and those of now` },
  'interfaces.boundaries': { added: OF_GROUP, removed: 'live', changed: OF_GROUP },
  'interfaces.alternative_subnets': { changed: ({ entries: [name, subnet] }) => `flows from ${subnet}, which are expected by ${name} or no longer are` },
  'interfaces.upstream_groups': { changed: BY_UPSTREAM },
  'interfaces.upstream_sources': { changed: BY_UPSTREAM },
  'interfaces.upstream_priority': { changed: BY_UPSTREAM },
  'interfaces.static_groups': { added: 'live', removed: OF_GROUP, changed: OF_GROUP },
  'interfaces.static_groups.sources': { added: OF_GROUP, removed: OF_GROUP, changed: OF_GROUP },
  'interfaces.join_groups': { changed: 'live' },
  'interfaces.mode': { changed: THROUGH },
  igmp: { changed: 'live' },
  'igmp.ssm_range': { changed: OF_MEMBERS('flows of groups in one of the two ranges and not in the other') },
  'igmp.access': { changed: OF_MEMBERS('flows of members that these rules decide about') },
  'igmp.forward_if_not_querier': { changed: OF_MEMBERS('flows to hosts that another router queries') },
  limits: { changed: 'live' },
  'limits.routes': { changed: 'restart' },
  'limits.replication_groups': { changed: 'restart' },
  dataplane: { changed: 'live' },
  'dataplane.pin_path': { changed: 'restart' },
  api: { changed: 'live' },
  'api.socket': { changed: 'restart' },
  'api.socket_group': { changed: 'restart' },
  'api.limits.streams_per_connection': { changed: 'restart' },
  'api.limits.request_bytes': { changed: 'restart' },
  metrics: { changed: 'live' },
  log_level: { changed: 'live' },
  static_routes: { changed: OF_ENTRY },
  'static_routes.ttl_threshold': { changed: 'live' },
  ssm_mapping: { changed: 'live' },
  'ssm_mapping.static': { changed: ({ entries: [group] }) => `flows of ${group} to hosts that name no source` },
};

const SHOWN_CHARACTERS = 512;

/** Both must be valid. In the order of the schema. */
export function changesBetween(before: Plain, after: Plain): Change[] {
  const held = new HeldBefore(before);
  return differences(before, after).map((difference) => changeOf(difference, held));
}

/** By ruleKey(). undefined: nobody has decided, which a test sees to for every key of the schema. */
export function ruleFor(rule: string, kind: Difference['kind']): Rule | undefined {
  const exact = RULES[rule];
  if (exact !== undefined) return (kind === 'reordered' ? undefined : exact[kind]) ?? exact.changed;
  for (let key = shorter(rule); key !== ''; key = shorter(key)) {
    const around = RULES[key];
    if (around !== undefined) return around.changed;
  }
  return undefined;
}

function shorter(key: string): string {
  return key.slice(0, Math.max(key.lastIndexOf('.'), 0));
}

function changeOf(difference: Difference, held: HeldBefore): Change {
  const { path, before, after } = difference;
  const [effect, disrupts] = held.isSameWith(difference) ? (['none', ''] as const) : effectOf(difference);
  return { path, before: shown(before), after: shown(after), effect, disrupts };
}

function effectOf(difference: Difference): readonly [Effect, string] {
  if (difference.kind === 'reordered') return ['none', ''];
  const rule = ruleFor(ruleKey(difference.keys), difference.kind) ?? 'live';
  return typeof rule === 'string' ? [rule, ''] : ['disruptive', rule(difference)];
}

function shown(value: PlainValue | undefined): string {
  if (value === undefined) return '';
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS - 1)}…` : text;
}

/**
 * Tells a value that only says the default from one that matters: the difference is made alone and the settings are compared. On the
 * sections and interface concerned, without lists, so that a difference costs microseconds however large the configuration is.
 */
class HeldBefore {
  readonly #sections: Plain;
  readonly #interfaces: ReadonlyMap<string, Plain>;

  constructor(before: Plain) {
    const { interfaces, ...sections } = before;
    this.#sections = withoutLists(sections);
    const items = (interfaces ?? []) as readonly Plain[];
    this.#interfaces = new Map(items.map((item) => [String(item['name']), withoutLists(item)]));
  }

  isSameWith({ keys, entries, before, after }: Difference): boolean {
    if (typeof before === 'object' || typeof after === 'object') return false;
    const [section, ...below] = keys;
    const [name = ''] = entries;
    const item = section === 'interfaces' && entries.length === 1 ? this.#interfaces.get(name) : undefined;
    if (item !== undefined) return this.#holdsTheSame(this.#with([item]), this.#with([withValue(item, below, after)]));
    if (entries.length > 0) return false;
    const all = this.#with([...this.#interfaces.values()]);
    return this.#holdsTheSame(all, withValue(all, keys, after));
  }

  #with(interfaces: readonly Plain[]): Plain {
    return { ...this.#sections, interfaces };
  }

  #holdsTheSame(before: Plain, after: Plain): boolean {
    const [was, is] = [settingsOf(before), settingsOf(after)];
    return was !== undefined && is !== undefined && isDeepStrictEqual(was, is);
  }
}

function settingsOf(plain: Plain): Settings | undefined {
  const { config } = configFromPlain(plain);
  return config === undefined ? undefined : toSettings(config);
}

function withoutLists(message: Plain): Plain {
  const kept = Object.entries(message).filter(([, value]) => !Array.isArray(value));
  return Object.fromEntries(kept.map(([key, value]) => [key, typeof value === 'object' ? withoutLists(value as Plain) : value]));
}

/** undefined takes the value away. */
function withValue(message: Plain, keys: readonly string[], value: PlainValue | undefined): Plain {
  const [key = '', ...below] = keys;
  const { [key]: old, ...others } = message;
  if (below.length === 0) return value === undefined ? others : { ...others, [key]: value };
  return { ...others, [key]: withValue((old ?? {}) as Plain, below, value) };
}
