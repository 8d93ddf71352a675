/**
 * Filter modes and lists of sources in one cell of a table.
 */
import { xmcast } from '#proto';

/** More sources than this are counted, not named: the line has to stay a line. -o wide and -o json have them all. */
const NAMED_SOURCES = 4;

const { FilterMode } = xmcast.v1.Membership;

/** What one host, or this router towards an upstream, wants of a group. */
interface SourceFilter {
  readonly filterMode?: xmcast.v1.Membership.FilterMode | null;
  readonly sources?: readonly string[] | null;
}

export function modeText({ filterMode }: SourceFilter): string {
  return filterMode === FilterMode.FILTER_MODE_INCLUDE ? 'include' : 'exclude';
}

/** Sources that are not wanted have a minus in front. */
export function filterText({ filterMode, sources }: SourceFilter, wide: boolean): string {
  const sign = filterMode === FilterMode.FILTER_MODE_INCLUDE ? '' : '-';
  return listText(
    (sources ?? []).map((source) => `${sign}${source}`),
    wide,
  );
}

export function listText(items: readonly string[], wide: boolean): string {
  if (items.length === 0) return '-';
  const named = wide ? items : items.slice(0, NAMED_SOURCES);
  const more = items.length - named.length;
  return named.join(' ') + (more > 0 ? ` and ${more} more` : '');
}
