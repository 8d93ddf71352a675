/**
 * The queries this router sends, in the version of the interface (RFC 3376 §4.1, §7.3.1). Builds messages; never decides when.
 */
import type { Ipv4 } from '../../packet/address';
import type { IgmpQuery } from '../message';
import type { IgmpInterfaceSettings } from './api';

/** IPv4 header with Router Alert, and the fixed part of a v3 query (§4.1.8). */
const BYTES_BEFORE_SOURCES = 24 + 12;
const BYTES_PER_SOURCE = 4;
/** Number of Sources is 16 bits wide. */
const SOURCE_COUNT_LIMIT = 0xffff;
/** §4.1.6: a Robustness Variable above this is sent as 0. */
const QRV_LIMIT = 7;
/** §7.2.1: what Max Resp Code 0 of a v1 query means to hosts. */
const V1_MAX_RESPONSE_TIME_MS = 10_000;

export function generalQuery(settings: IgmpInterfaceSettings): IgmpQuery {
  return query(settings, { group: 0, maxResponseTimeMs: settings.timing.queryResponseIntervalMs, suppress: false, sources: [] });
}

/** Q(G) when `sources` is empty, else Q(G, sources), which only a v3 interface may send. */
export function specificQuery(
  settings: IgmpInterfaceSettings,
  group: Ipv4,
  asked: { readonly suppress: boolean; readonly sources: readonly Ipv4[] },
): IgmpQuery {
  return query(settings, { group, maxResponseTimeMs: settings.timing.lastMemberQueryIntervalMs, ...asked });
}

/** Source lists that each fit one query on a link of this MTU. */
export function splitByMtu(sources: readonly Ipv4[], mtu: number): Ipv4[][] {
  const room = Math.floor((mtu - BYTES_BEFORE_SOURCES) / BYTES_PER_SOURCE);
  const perQuery = Math.min(SOURCE_COUNT_LIMIT, Math.max(1, room));
  const lists: Ipv4[][] = [];
  for (let start = 0; start < sources.length; start += perQuery) lists.push(sources.slice(start, start + perQuery));
  return lists;
}

interface QueryContent {
  readonly group: Ipv4;
  readonly maxResponseTimeMs: number;
  readonly suppress: boolean;
  readonly sources: readonly Ipv4[];
}

function query(settings: IgmpInterfaceSettings, content: QueryContent): IgmpQuery {
  const { version, timing } = settings;
  const isV3 = version === 3;
  return {
    kind: 'query',
    version,
    group: content.group,
    maxResponseTimeMs: version === 1 ? V1_MAX_RESPONSE_TIME_MS : content.maxResponseTimeMs,
    suppressRouterProcessing: isV3 && content.suppress,
    querierRobustness: isV3 && timing.robustness <= QRV_LIMIT ? timing.robustness : 0,
    querierQueryIntervalMs: isV3 ? timing.queryIntervalMs : 0,
    sources: content.sources,
  };
}
