/**
 * Other routers of each link, as far as their IGMP queries show them. Remembers who was heard and when; elects nobody, which
 * protocol/igmp does. Strangers can forge queries: so many are remembered of each interface and no more.
 */
import type { NeighborState } from '../api/state-source';
import type { VportId } from '../mrib/route';
import type { IgmpQuery } from '../protocol/igmp/message';
import { deriveIntervals } from '../protocol/igmp/router/timers';
import { prefixContains, type Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';

const MOST_PER_PORT = 64;

interface Heard {
  readonly address: Ipv4;
  readonly firstMs: number;
  version: 1 | 2 | 3;
  lastMs: number;
  expiryMs: number;
  queries: bigint;
}

export class Neighbors {
  readonly #heard = new Map<VportId, Map<Ipv4, Heard>>();

  /** A query from the link of this port that is not our own. 0.0.0.0 is what switches ask from (RFC 4541 §2.1.1), not a router. */
  queryHeard(port: Port, source: Ipv4, query: IgmpQuery, nowMs: number): void {
    if (source === 0 || !isOnLink(port, source)) return;
    const announced = { robustness: query.querierRobustness, queryIntervalMs: query.querierQueryIntervalMs };
    const { otherQuerierPresentIntervalMs } = deriveIntervals(port.settings.igmp.timing, announced);
    const heard = this.#recordOf(port.vport, source, query.version, nowMs);
    if (heard === undefined) return;
    heard.version = query.version;
    heard.lastMs = nowMs;
    heard.expiryMs = nowMs + otherQuerierPresentIntervalMs;
    heard.queries += 1n;
  }

  snapshot(ports: readonly Port[], nowMs: number): readonly NeighborState[] {
    return ports.flatMap((port) => {
      this.#expire(port.vport, nowMs);
      const querier = querierOf(port, nowMs);
      return [...(this.#heard.get(port.vport)?.values() ?? [])].map((heard) => ({
        interface: port.name,
        address: heard.address,
        isQuerier: heard.address === querier,
        version: heard.version,
        ageMs: nowMs - heard.firstMs,
        lastHeardMs: nowMs - heard.lastMs,
        expiresMs: heard.expiryMs - nowMs,
        queries: heard.queries,
      }));
    });
  }

  /** Only ports that are there have neighbours: a number that is given out again must not inherit any. */
  follow(ports: readonly Port[]): void {
    const usable = new Set(ports.filter((port) => port.usable).map(({ vport }) => vport));
    for (const vport of this.#heard.keys()) if (!usable.has(vport)) this.#heard.delete(vport);
  }

  #recordOf(vport: VportId, address: Ipv4, version: 1 | 2 | 3, nowMs: number): Heard | undefined {
    const ofPort = this.#heard.get(vport) ?? new Map<Ipv4, Heard>();
    this.#heard.set(vport, ofPort);
    const known = ofPort.get(address);
    if (known !== undefined) return known;
    if (ofPort.size >= MOST_PER_PORT) this.#expire(vport, nowMs);
    if (ofPort.size >= MOST_PER_PORT) return undefined;
    const heard = { address, firstMs: nowMs, version, lastMs: nowMs, expiryMs: nowMs, queries: 0n };
    ofPort.set(address, heard);
    return heard;
  }

  #expire(vport: VportId, nowMs: number): void {
    const ofPort = this.#heard.get(vport);
    for (const [address, { expiryMs }] of ofPort ?? []) if (expiryMs <= nowMs) ofPort?.delete(address);
  }
}

/** What is on none of its subnets was forged, or strayed there. */
function isOnLink({ addresses }: Port, source: Ipv4): boolean {
  return addresses.length === 0 || addresses.some((prefix) => prefixContains(prefix, source));
}

function querierOf(port: Port, nowMs: number): Ipv4 | undefined {
  if (port.host !== undefined) return port.host.snapshot(nowMs).querier;
  const querier = port.igmp?.querier(nowMs);
  return querier?.isQuerier === false ? querier.address : undefined;
}
