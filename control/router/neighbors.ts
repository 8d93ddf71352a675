/**
 * Other routers of each link, as far as their IGMP queries show them. Remembers who was heard and when; elects nobody, which
 * protocol/igmp does. Strangers can forge queries: so many are remembered of each interface and no more.
 */
import type { NeighborState } from '../api/state-source';
import type { NeighborKey } from '../api/watch-source';
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

interface Link {
  /** Name of the interface. */
  readonly name: string;
  readonly heard: Map<Ipv4, Heard>;
  /** As it was last told of. */
  querier: Ipv4 | undefined;
}

export class Neighbors {
  readonly #links = new Map<VportId, Link>();
  readonly #onChanged: (key: NeighborKey) => void;

  /** `onChanged`: one of them is new, was heard again, is the querier or is it no more, or is gone. */
  constructor(onChanged: (key: NeighborKey) => void) {
    this.#onChanged = onChanged;
  }

  /**
   * A query from the link of this port that is not our own, after the port has taken it. 0.0.0.0 is what switches ask from (RFC 4541
   * §2.1.1), not a router.
   */
  queryHeard(port: Port, source: Ipv4, query: IgmpQuery, nowMs: number): void {
    if (source === 0 || !isOnLink(port, source)) return;
    const announced = { robustness: query.querierRobustness, queryIntervalMs: query.querierQueryIntervalMs };
    const { otherQuerierPresentIntervalMs } = deriveIntervals(port.settings.igmp.timing, announced);
    const heard = this.#recordOf(port, source, query.version, nowMs);
    if (heard === undefined) return;
    heard.version = query.version;
    heard.lastMs = nowMs;
    heard.expiryMs = nowMs + otherQuerierPresentIntervalMs;
    heard.queries += 1n;
    this.#onChanged({ interface: port.name, address: source });
    this.#followQuerier(port, nowMs);
  }

  *keys(ports: readonly Port[]): Iterable<NeighborKey> {
    for (const port of ports) for (const { address } of this.#heardOn(port)) yield { interface: port.name, address };
  }

  read(port: Port, address: Ipv4, nowMs: number): NeighborState | undefined {
    const heard = this.#links.get(port.vport)?.heard.get(address);
    return heard === undefined || heard.expiryMs <= nowMs ? undefined : stateOf(port, heard, querierOf(port, nowMs), nowMs);
  }

  /** Those that were silent for too long are forgotten. */
  expire(ports: readonly Port[], nowMs: number): void {
    for (const port of ports) {
      const link = this.#links.get(port.vport);
      if (link === undefined) continue;
      this.#expireLink(link, nowMs);
      this.#followQuerier(port, nowMs);
    }
  }

  /** Only ports that are there have neighbours: a number that is given out again must not inherit any. */
  follow(ports: readonly Port[]): void {
    const usable = new Set(ports.filter((port) => port.usable).map(({ vport }) => vport));
    for (const [vport, link] of this.#links) {
      if (usable.has(vport)) continue;
      this.#links.delete(vport);
      for (const address of link.heard.keys()) this.#onChanged({ interface: link.name, address });
    }
  }

  #heardOn({ vport }: Port): Iterable<Heard> {
    return this.#links.get(vport)?.heard.values() ?? [];
  }

  #recordOf(port: Port, address: Ipv4, version: 1 | 2 | 3, nowMs: number): Heard | undefined {
    const link = this.#links.get(port.vport) ?? { name: port.name, heard: new Map<Ipv4, Heard>(), querier: undefined };
    this.#links.set(port.vport, link);
    const known = link.heard.get(address);
    if (known !== undefined) return known;
    if (link.heard.size >= MOST_PER_PORT) this.#expireLink(link, nowMs);
    if (link.heard.size >= MOST_PER_PORT) return undefined;
    const heard = { address, firstMs: nowMs, version, lastMs: nowMs, expiryMs: nowMs, queries: 0n };
    link.heard.set(address, heard);
    return heard;
  }

  #expireLink({ name, heard }: Link, nowMs: number): void {
    for (const [address, { expiryMs }] of heard) {
      if (expiryMs > nowMs) continue;
      heard.delete(address);
      this.#onChanged({ interface: name, address });
    }
  }

  /** Its queries make a neighbour the querier; that it is no more follows from those of others, or from its silence. */
  #followQuerier(port: Port, nowMs: number): void {
    const link = this.#links.get(port.vport);
    if (link === undefined) return;
    const [before, now] = [link.querier, querierOf(port, nowMs)];
    if (before === now) return;
    link.querier = now;
    for (const address of [before, now]) if (address !== undefined && link.heard.has(address)) this.#onChanged({ interface: link.name, address });
  }
}

function stateOf({ name }: Port, heard: Heard, querier: Ipv4 | undefined, nowMs: number): NeighborState {
  const { address, version, queries } = heard;
  return {
    interface: name,
    address,
    isQuerier: address === querier,
    version,
    ageMs: nowMs - heard.firstMs,
    lastHeardMs: nowMs - heard.lastMs,
    expiresMs: heard.expiryMs - nowMs,
    queries,
  };
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
