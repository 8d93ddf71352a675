/**
 * The orders of the lists: by what their entries are compared, and how a place in them is written into a page token. Pure.
 */
import { CONFIG_OWNER, type OwnedMembership, type OwnedRoute } from '../static/entry';

import type { PageFields, PageOrder } from './paging';
import type { RouteRange } from './route-text';
import type { MembershipKey, NeighborKey } from './watch-source';

/** Group first; a range before what lies within it. */
export const ROUTE_ORDER: PageOrder<RouteRange> = {
  compare: (one, other) =>
    one.group - other.group ||
    groupLengthOf(one) - groupLengthOf(other) ||
    one.source - other.source ||
    sourceLengthOf(one) - sourceLengthOf(other) ||
    rankOf(one) - rankOf(other),
  fieldsOf: (range) => [range.group, groupLengthOf(range), range.source, sourceLengthOf(range), rankOf(range)],
  placeOf: (fields) => {
    const [group, groupLength, source, sourceLength, rank] = numbersOf(fields, 5) ?? [];
    if (group === undefined || source === undefined) return undefined;
    return rank === 0 ? { group, groupLength, source, sourceLength } : { group, source };
  },
};

function groupLengthOf({ groupLength }: RouteRange): number {
  return groupLength ?? 32;
}

function sourceLengthOf({ source, sourceLength }: RouteRange): number {
  return sourceLength ?? (source === 0 ? 0 : 32);
}

/** A route for a range may be one of a single group and source, beside the (S,G) or (*,G) of the same addresses. */
function rankOf({ groupLength, sourceLength }: RouteRange): number {
  return groupLength === undefined && sourceLength === undefined ? 1 : 0;
}

export const INTERFACE_AND_GROUP_ORDER: PageOrder<MembershipKey> = {
  compare: (one, other) => compareNames(one.interface, other.interface) || one.group - other.group,
  fieldsOf: (key) => [key.interface, key.group],
  placeOf: (fields) => {
    const [name, group] = nameAndNumber(fields) ?? [];
    return name === undefined || group === undefined ? undefined : { interface: name, group };
  },
};

export const NEIGHBOR_ORDER: PageOrder<NeighborKey> = {
  compare: (one, other) => compareNames(one.interface, other.interface) || one.address - other.address,
  fieldsOf: (key) => [key.interface, key.address],
  placeOf: (fields) => {
    const [name, address] = nameAndNumber(fields) ?? [];
    return name === undefined || address === undefined ? undefined : { interface: name, address };
  },
};

/** Of what is numbered in its order. */
export const NUMBER_ORDER: PageOrder<{ readonly sequence: number }> = {
  compare: (one, other) => one.sequence - other.sequence,
  fieldsOf: ({ sequence }) => [sequence],
  placeOf: (fields) => {
    const [sequence] = numbersOf(fields, 1) ?? [];
    return sequence === undefined ? undefined : { sequence };
  },
};

/** What tells static entries apart. The configuration may have one for the same as somebody else, and comes first. */
type StaticPlace =
  | { readonly kind: 'route'; readonly route: Pick<OwnedRoute, 'group' | 'source' | 'owner'> }
  | { readonly kind: 'membership'; readonly membership: Pick<OwnedMembership, 'interface' | 'group' | 'owner'> };

/** Routes before memberships. */
export const STATIC_ENTRY_ORDER: PageOrder<StaticPlace> = {
  compare: (one, other) => {
    if (one.kind === 'route') return other.kind === 'route' ? compareStaticRoutes(one.route, other.route) : -1;
    return other.kind === 'route' ? 1 : compareStaticMemberships(one.membership, other.membership);
  },
  fieldsOf: (place) => {
    if (place.kind === 'membership') return [place.membership.interface, place.membership.group, strangeness(place.membership)];
    const { group, source } = place.route;
    return [group.address, group.length, source?.address ?? 0, source?.length ?? 0, strangeness(place.route)];
  },
  placeOf: (fields) => staticRouteAt(fields) ?? staticMembershipAt(fields),
};

type StaticRoutePlace = Extract<StaticPlace, { kind: 'route' }>['route'];
type StaticMembershipPlace = Extract<StaticPlace, { kind: 'membership' }>['membership'];

function compareStaticRoutes(one: StaticRoutePlace, other: StaticRoutePlace): number {
  return (
    one.group.address - other.group.address ||
    one.group.length - other.group.length ||
    (one.source?.address ?? 0) - (other.source?.address ?? 0) ||
    (one.source?.length ?? 0) - (other.source?.length ?? 0) ||
    strangeness(one) - strangeness(other)
  );
}

function compareStaticMemberships(one: StaticMembershipPlace, other: StaticMembershipPlace): number {
  return INTERFACE_AND_GROUP_ORDER.compare(one, other) || strangeness(one) - strangeness(other);
}

function strangeness({ owner }: { readonly owner: string }): number {
  return owner === CONFIG_OWNER ? 0 : 1;
}

function ownerAt(place: number): string {
  return place === 0 ? CONFIG_OWNER : '';
}

function staticRouteAt(fields: PageFields): StaticPlace | undefined {
  const [address, length, sourceAddress, sourceLength, stranger] = numbersOf(fields, 5) ?? [];
  if (address === undefined || length === undefined || sourceAddress === undefined || sourceLength === undefined || stranger === undefined) return undefined;
  const source = { address: sourceAddress, length: sourceLength };
  return { kind: 'route', route: { group: { address, length }, source, owner: ownerAt(stranger) } };
}

function staticMembershipAt([name, group, stranger]: PageFields): StaticPlace | undefined {
  if (typeof name !== 'string' || typeof group !== 'number' || typeof stranger !== 'number') return undefined;
  return { kind: 'membership', membership: { interface: name, group, owner: ownerAt(stranger) } };
}

function compareNames(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function numbersOf(fields: PageFields, count: number): readonly number[] | undefined {
  const isOurs = fields.length === count && fields.every((field) => typeof field === 'number');
  return isOurs ? (fields as readonly number[]) : undefined;
}

function nameAndNumber([name, number, ...more]: PageFields): readonly [string, number] | undefined {
  return typeof name === 'string' && typeof number === 'number' && more.length === 0 ? [name, number] : undefined;
}
