/**
 * A static entry and what it is known by: a route by its flow, a membership by its interface and group. Messages of the API → entries, and
 * back.
 */
import type { xmcast } from '#proto';
import type { StaticRouteSettings } from '../config/settings';
import { staticFlow, staticGroups } from '../config/static-settings';
import { validAddress } from '../config/validated';
import { formatIpv4, formatPrefix, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';
import type { FlowPrefix } from '../protocol/packet/flow-table';

/** The configuration, as an owner. */
export const CONFIG_OWNER = 'config';

export interface StaticMembership {
  readonly interface: string;
  readonly group: Ipv4;
  /** Empty: every source. */
  readonly sources: readonly Ipv4[];
}

export interface OwnedRoute extends StaticRouteSettings {
  readonly owner: string;
}

export interface OwnedMembership extends StaticMembership {
  readonly owner: string;
}

export type OwnedEntry = { readonly kind: 'route'; readonly route: OwnedRoute } | { readonly kind: 'membership'; readonly membership: OwnedMembership };

export type EntryKey =
  | { readonly kind: 'route'; readonly flow: FlowPrefix }
  | { readonly kind: 'membership'; readonly interface: string; readonly group: Ipv4 };

/** Lists of names that are equal are one list; the names are those of the configuration, so there are few. */
export class NameLists {
  readonly #lists = new Map<string, readonly string[]>();
  readonly #names = new Map<string, string>();

  name(text: string): string {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    this.#names.set(text, text);
    return text;
  }

  list(names: readonly string[]): readonly string[] {
    const key = names.join('/');
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const list = names.map((name) => this.name(name));
    this.#lists.set(key, list);
    return list;
  }
}

/** Only for messages in which nothing is wrong. */
export function routeFrom(message: xmcast.v1.StaticRoute.$Properties, owner: string, lists: NameLists): OwnedRoute {
  const { group, source } = staticFlow(message);
  const { upstream, downstreams, ttlThreshold } = message;
  return { group, source, upstream: lists.name(upstream ?? ''), downstreams: lists.list(downstreams ?? []), ttlThreshold: ttlThreshold ?? 0, owner };
}

const NO_SOURCES: readonly Ipv4[] = [];

/** Only for messages in which nothing is wrong. */
export function membershipFrom(message: xmcast.v1.StaticMembership.$Properties, owner: string, lists: NameLists): OwnedMembership {
  const [{ group, sources } = { group: 0, sources: [] }] = staticGroups([message]);
  return { interface: lists.name(message.interface ?? ''), group, sources: sources.length === 0 ? NO_SOURCES : sources, owner };
}

/** Only for messages in which nothing is wrong. */
export function keyFrom({ route, membership }: xmcast.v1.StaticEntryKey.$Properties): EntryKey {
  if (route) return { kind: 'route', flow: staticFlow(route) };
  return { kind: 'membership', interface: membership?.interface ?? '', group: validAddress(membership?.group ?? '') };
}

export function sameRouteEntry(a: StaticRouteSettings, b: StaticRouteSettings): boolean {
  return a.upstream === b.upstream && a.ttlThreshold === b.ttlThreshold && sameList(a.downstreams, b.downstreams);
}

export function sameMembershipEntry(a: StaticMembership, b: StaticMembership): boolean {
  return sameList(a.sources, b.sources);
}

export function entryMessage(entry: OwnedEntry): xmcast.v1.StaticEntry.$Properties {
  return entry.kind === 'route' ? { route: routeMessage(entry.route) } : { membership: membershipMessage(entry.membership) };
}

export function flowMessage({ group, source }: FlowPrefix): xmcast.v1.StaticRouteKey.$Properties {
  return { group: prefixText(group), source: source === undefined ? '' : prefixText(source) };
}

function routeMessage(route: StaticRouteSettings): xmcast.v1.StaticRoute.$Properties {
  const { upstream, downstreams, ttlThreshold } = route;
  return { ...flowMessage(route), upstream, downstreams: [...downstreams], ...(ttlThreshold === 0 ? {} : { ttlThreshold }) };
}

function membershipMessage({ interface: name, group, sources }: StaticMembership): xmcast.v1.StaticMembership.$Properties {
  return { interface: name, group: formatIpv4(group), sources: sources.map(formatIpv4) };
}

function prefixText(prefix: Ipv4Prefix): string {
  return prefix.length === 32 ? formatIpv4(prefix.address) : formatPrefix(prefix);
}

function sameList<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  return a === b || (a.length === b.length && a.every((item, i) => item === b[i]));
}
