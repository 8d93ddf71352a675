/**
 * The filters that List and Watch calls share, read once: as a predicate over keys, and in canonical spelling for tokens.
 */
import type { xmcast } from '#proto';

import { addressFilter, sourceFilter } from './filters';
import { groupRange, type RouteRange, sourceRange } from './route-text';
import type { MembershipKey } from './watch-source';

export interface ReadFilters<Key> {
  readonly query: readonly string[];
  matches(key: Key): boolean;
}

export function interfaceAndGroup(
  request: Pick<xmcast.v1.ListReportsRequest.$Properties, 'interface' | 'group'>,
): ReadFilters<MembershipKey> {
  const name = request.interface ?? '';
  const group = addressFilter('group', request.group ?? '');
  return {
    query: [name, group.canonical],
    matches: (entry) => (name === '' || entry.interface === name) && group.matches(entry.group),
  };
}

export function groupAndSource(
  request: Pick<xmcast.v1.ListRoutesRequest.$Properties, 'group' | 'source'>,
): ReadFilters<RouteRange> {
  const group = addressFilter('group', request.group ?? '');
  const source = sourceFilter('source', request.source ?? '');
  const isEmpty = group.canonical === '' && source.canonical === '';
  return {
    query: [group.canonical, source.canonical],
    // Most watchers want everything: no ranges are made for them.
    matches: (key) => isEmpty || (group.overlaps(groupRange(key)) && source.overlaps(sourceRange(key))),
  };
}
