/**
 * What makes two entries of a list the same one: so that differences are told by entry, not by position.
 */
import { formatPrefix, parsePrefix } from '../protocol/packet/address';
import type { Plain, PlainValue } from './canonical';

/**
 * keyed: entries have a name of their own. set: an entry is its own name, and order means nothing. sequence: order means something.
 */
export type ListRule = { readonly kind: 'keyed'; readonly keyOf: (entry: Plain) => string } | { readonly kind: 'set' | 'sequence' };

const SET: ListRule = { kind: 'set' };
const SEQUENCE: ListRule = { kind: 'sequence' };
const BY_GROUP: ListRule = { kind: 'keyed', keyOf: ({ group }) => prefixKey(group) };

/** By ruleKey(). */
export const LIST_RULES: Readonly<Record<string, ListRule>> = {
  interfaces: { kind: 'keyed', keyOf: ({ name }) => String(name ?? '') },
  // The first is the one that queries go out from.
  'interfaces.addresses': SEQUENCE,
  'interfaces.boundaries': SET,
  'interfaces.alternative_subnets': SET,
  'interfaces.upstream_groups': SET,
  'interfaces.upstream_sources': SET,
  'interfaces.join_groups': BY_GROUP,
  'interfaces.join_groups.sources': SET,
  'interfaces.static_groups': BY_GROUP,
  'interfaces.static_groups.sources': SET,
  'igmp.limit_exceptions': SET,
  'igmp.access': SEQUENCE,
  'igmp.queriers': SET,
  'api.listen': SET,
  // The first that matches decides.
  'api.roles': SEQUENCE,
  static_routes: { kind: 'keyed', keyOf: flowKey },
  'static_routes.downstreams': SET,
  'ssm_mapping.static': BY_GROUP,
  'ssm_mapping.static.sources': SET,
  // Asked in this order.
  'ssm_mapping.dns_servers': SEQUENCE,
};

/** Position is always a name. */
export function listRule(keys: readonly string[]): ListRule {
  return LIST_RULES[ruleKey(keys)] ?? SEQUENCE;
}

/** Keys on the way from the top → "igmp.version", which stands for the overrides of an interface too. */
export function ruleKey(keys: readonly string[]): string {
  return (keys[0] === 'interfaces' && keys[1] === 'igmp' ? keys.slice(1) : keys).join('.');
}

/** 239.1.1.1 and 239.1.1.1/32 are one. */
export function prefixKey(text: PlainValue | undefined): string {
  const written = typeof text === 'string' ? text : '';
  const prefix = parsePrefix(written);
  return prefix === undefined ? written : formatPrefix(prefix).replace(/\/32$/, '');
}

function flowKey({ group, source }: Plain): string {
  const from = prefixKey(source);
  return from === '' || from === '0.0.0.0/0' ? prefixKey(group) : `${prefixKey(group)} from ${from}`;
}
