/**
 * Which events a call asks for. A type or severity that this version does not know is refused: an empty answer would look like silence.
 */
import type { xmcast } from '#proto';

import type { RouterEvent } from '../events';
import { invalidArgument } from './api-error';
import { SEVERITY, TYPE } from './event-message';
import type { ReadFilters } from './state-filters';

type Request = Pick<xmcast.v1.ListEventsRequest.$Properties, 'minSeverity' | 'types' | 'subject'>;

export function eventFilter({ minSeverity, types, subject }: Request): ReadFilters<RouterEvent> {
  const least = minSeverity ?? 0;
  if (least !== 0 && !Object.values(SEVERITY).includes(least)) throw invalidArgument('min_severity', least, 'is no severity');
  const wanted = new Set(types ?? []);
  for (const type of wanted) if (!Object.values(TYPE).includes(type)) throw invalidArgument('types', type, 'is no type of events');
  const about = subject ?? '';
  return {
    query: [String(least), [...wanted].sort().join(), about],
    matches: (event) =>
      SEVERITY[event.severity] >= least && (wanted.size === 0 || wanted.has(TYPE[event.type])) && (about === '' || event.subject === about),
  };
}
