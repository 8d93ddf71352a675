/**
 * The white and black lists of igmpproxy in the words of xmcast: access rules downstream, the groups an upstream serves upstream.
 *
 * igmpproxy looks at the last entry that matches. With any whitelist in the list a group needs one to match last; with blacklists
 * alone it needs none to match.
 */
import type { xmcast } from '#proto';
import { formatPrefix, prefixContains, type Ipv4Prefix } from '../protocol/packet/address';

export interface GroupFilterEntry {
  readonly allow: boolean;
  readonly prefix: Ipv4Prefix;
}

type AccessRule = xmcast.v1.AccessRule.$Properties;

const ALL_GROUPS: Ipv4Prefix = { address: 0xe0000000, length: 4 };
/** RFC 5771 §4, never routed: no upstream serves it. */
const LOCAL_NETWORK_CONTROL: Ipv4Prefix = { address: 0xe0000000, length: 24 };

/** First match decides here, so the list is turned round. */
export function accessRules(entries: readonly GroupFilterEntry[]): AccessRule[] {
  const rules = [...withinMulticast(entries)]
    .reverse()
    .map(({ allow, prefix }) => ({ action: allow ? 'permit' : 'deny', group: formatPrefix(prefix) }));
  const hasWhitelist = entries.some(({ allow }) => allow);
  if (!hasWhitelist) return rules.length === 0 ? [] : [...rules, { action: 'permit' }];
  // A list whose entries are all of no use still has a whitelist that nothing matches.
  return rules.some(({ action }) => action === 'permit') ? rules : [{ action: 'deny' }];
}

/** The groups that the list lets through, as prefixes, one more than `limit` at most; undefined: all of them. */
export function permittedGroups(entries: readonly GroupFilterEntry[], limit: number): readonly Ipv4Prefix[] | undefined {
  const isOpen = !entries.some(({ allow }) => allow);
  const permitted: Ipv4Prefix[] = [];
  for (const prefix of permittedWithin(ALL_GROUPS, isOpen, withinMulticast(entries))) {
    permitted.push(prefix);
    if (permitted.length > limit) break;
  }
  return permitted.length === 1 && permitted[0]?.length === ALL_GROUPS.length ? undefined : permitted;
}

/** `decision`: of the last entry that contains the whole of `prefix`. `entries` are those within it, and those that came after that one. */
function* permittedWithin(prefix: Ipv4Prefix, decision: boolean, entries: readonly GroupFilterEntry[]): Iterable<Ipv4Prefix> {
  if (contains(LOCAL_NETWORK_CONTROL, prefix)) return;
  const related = entries.filter(({ prefix: other }) => contains(other, prefix) || contains(prefix, other));
  const last = related.findLastIndex(({ prefix: other }) => contains(other, prefix));
  const decided = related[last]?.allow ?? decision;
  const rest = related.slice(last + 1);
  if (rest.every(({ allow }) => allow === decided)) {
    if (decided) yield prefix;
    return;
  }
  const length = prefix.length + 1;
  yield* permittedWithin({ address: prefix.address, length }, decided, rest);
  yield* permittedWithin({ address: (prefix.address | (1 << (32 - length))) >>> 0, length }, decided, rest);
}

/** 0.0.0.0/0 means every group; what is no multicast matches none. */
function withinMulticast(entries: readonly GroupFilterEntry[]): readonly GroupFilterEntry[] {
  return entries.flatMap(({ allow, prefix }) => {
    if (contains(ALL_GROUPS, prefix)) return [{ allow, prefix }];
    return contains(prefix, ALL_GROUPS) ? [{ allow, prefix: ALL_GROUPS }] : [];
  });
}

function contains(outer: Ipv4Prefix, inner: Ipv4Prefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}
