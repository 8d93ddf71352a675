/**
 * Tells the journals of the API what has changed in the router. Costs a question as long as nobody watches. Decides nothing and reads
 * no state but what tells whether an interface looks different.
 */
import { ChangeJournal } from '../api/change-journal';
import type { MembershipKey, NeighborKey, ReportKey } from '../api/watch-source';
import { WatchUsage } from '../api/watch-usage';
import { nameOf, type RouteChange, type RouteKey } from '../mrib/route';
import type { IgmpMessage } from '../protocol/igmp/message';
import type { Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';
import { keyOf } from './route-queue';

export class ChangeFeed {
  readonly usage = new WatchUsage();
  readonly interfaces = new ChangeJournal<string>();
  readonly memberships = new ChangeJournal<MembershipKey>();
  readonly reports = new ChangeJournal<ReportKey>();
  readonly neighbors = new ChangeJournal<NeighborKey>();
  readonly routes = new ChangeJournal<RouteKey>();
  readonly flows = new ChangeJournal<RouteKey>();
  /** What each interface last looked like, by name. */
  #faces: ReadonlyMap<string, string> = new Map();
  /** Flows that accepted packets at the last read, by nameOf(). */
  #active: ReadonlyMap<string, RouteKey> = new Map();
  #nextActive = new Map<string, RouteKey>();

  /** Something about the interfaces may have changed. Counters are no change. */
  interfacesTouched(ports: readonly Port[]): void {
    if (!this.interfaces.isActive) return;
    const before = this.#faces;
    this.#faces = new Map(ports.map((port) => [port.name, faceOf(port)]));
    for (const [name, face] of this.#faces) if (before.get(name) !== face) this.interfaces.record(name, name);
    for (const name of before.keys()) if (!this.#faces.has(name)) this.interfaces.record(name, name);
  }

  membershipChanged(port: Port, group: Ipv4): void {
    if (this.memberships.isActive) this.memberships.record(`${port.vport} ${group}`, { interface: port.name, group });
  }

  /** Hosts have spoken: the timers of what they named are others, and perhaps its hosts. */
  reported(port: Port, message: IgmpMessage): void {
    if (!this.memberships.isActive || message.kind === 'query') return;
    if (message.kind !== 'report-v3') return this.membershipChanged(port, message.group);
    for (const { group } of message.records) this.membershipChanged(port, group);
  }

  /** Something else is asked for at an upstream; group undefined: in all that is. */
  reportChanged(port: Port, group: Ipv4 | undefined): void {
    if (group === undefined) this.reports.recordAll();
    else if (this.reports.isActive) this.reports.record(`${port.vport} ${group}`, { interface: port.name, group });
  }

  neighborChanged(key: NeighborKey): void {
    if (this.neighbors.isActive) this.neighbors.record(`${key.interface} ${key.address}`, key);
  }

  /** Written to the data plane, or refused by it. */
  routesWritten(changes: readonly RouteChange[]): void {
    if (!this.routes.isActive && !this.flows.isActive) return;
    for (const change of changes) {
      const key = keyOf(change);
      const name = nameOf(key);
      this.routes.record(name, key);
      this.flows.record(name, key);
    }
  }

  /** They have accepted packets since the read before. In pieces; flowsRead() ends them. */
  flowsActive(keys: readonly RouteKey[]): void {
    if (!this.flows.isActive) return;
    for (const key of keys) {
      const name = nameOf(key);
      this.#nextActive.set(name, key);
      this.flows.record(name, key);
    }
  }

  /** A flow that has fallen silent has other rates than before: that is a change too. */
  flowsRead(): void {
    for (const [name, key] of this.#active) if (!this.#nextActive.has(name)) this.flows.record(name, key);
    this.#active = this.#nextActive;
    this.#nextActive = new Map();
  }
}

/** All of an interface that is no counter and no timer. */
function faceOf(port: Port): string {
  const { link, attachment, settings, problem } = port;
  const querier = port.igmp?.querier(0);
  const host = port.host?.snapshot(0);
  return JSON.stringify([
    link === undefined ? [] : [link.ifindex, link.up, link.mtu, link.addresses, [...link.macAddress]],
    attachment,
    problem?.message,
    querier === undefined ? [] : [querier.isQuerier, querier.address],
    host === undefined ? [] : [host.version, host.querier],
    [settings.ttlThreshold, settings.alternativeSubnets, settings.igmp.version, settings.upstream === undefined],
    port.forwardsToHosts,
  ]);
}
