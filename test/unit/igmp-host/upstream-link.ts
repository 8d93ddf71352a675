/**
 * A link with a real querier on it: one host machine and one router machine on one clock. What one sends the other receives within the
 * same instant, or not at all, as `loses` decides. Router settings are built here and nowhere else.
 */
import type { HostFilter, IgmpHostEffect, IgmpHostInterface, IgmpHostSettings } from '../../../control/protocol/igmp/host/api';
import { createIgmpHostInterface } from '../../../control/protocol/igmp/host/interface';
import { decodeIgmpPacket } from '../../../control/protocol/igmp/decode';
import { buildIgmpPacket } from '../../../control/protocol/igmp/encode';
import type { ReceivedIgmp } from '../../../control/protocol/igmp/message';
import type {
  GroupDemand,
  IgmpEffect,
  IgmpInterfaceSettings,
  IgmpRouterInterface,
} from '../../../control/protocol/igmp/router/api';
import { createIgmpRouterInterface } from '../../../control/protocol/igmp/router/interface';
import type { Ipv4 } from '../../../control/protocol/packet/address';
import { DEFAULTS as ROUTER_DEFAULTS } from '../igmp-router/scenario';
import { ADDRESSES, DEFAULTS, QUERIER } from './scenario';

export interface LinkOptions {
  readonly robustness: number;
  readonly routerVersion: 1 | 2 | 3;
  readonly random: () => number;
  /** Asked once for each packet. */
  readonly loses: (sender: 'host' | 'router') => boolean;
}

export class UpstreamLink {
  readonly host: IgmpHostInterface;
  readonly router: IgmpRouterInterface;
  /** As the router published it. */
  readonly demands = new Map<Ipv4, GroupDemand>();
  readonly #loses: LinkOptions['loses'];
  nowMs = 0;

  constructor({ robustness, routerVersion, random, loses }: LinkOptions) {
    this.#loses = loses;
    this.host = createIgmpHostInterface(hostSettings(robustness, random));
    this.router = createIgmpRouterInterface(routerSettings(robustness, routerVersion));
    this.#fromRouter(this.router.input({ kind: 'link-up', addresses: [{ address: QUERIER, length: 24 }] }, 0));
    this.#fromHost(this.host.input({ kind: 'link-up', addresses: ADDRESSES }, 0));
  }

  want(group: Ipv4, filter: HostFilter | undefined): void {
    this.#fromHost(this.host.input({ kind: 'wanted', group, filter }, this.nowMs));
  }

  flapHostLink(): void {
    this.#fromHost(this.host.input({ kind: 'link-down' }, this.nowMs));
    this.#fromHost(this.host.input({ kind: 'link-up', addresses: ADDRESSES }, this.nowMs));
  }

  after(ms: number): void {
    const end = this.nowMs + ms;
    for (let next = this.#nextDeadline(); next <= end; next = this.#nextDeadline()) {
      this.nowMs = Math.max(this.nowMs, next);
      this.#fromHost(this.host.input({ kind: 'timer' }, this.nowMs));
      this.#fromRouter(this.router.input({ kind: 'timer' }, this.nowMs));
    }
    this.nowMs = end;
  }

  #nextDeadline(): number {
    return Math.min(this.host.nextDeadline() ?? Infinity, this.router.nextDeadline() ?? Infinity);
  }

  #fromHost(effects: readonly IgmpHostEffect[]): void {
    for (const effect of effects) {
      if (effect.kind !== 'send' || this.#loses('host')) continue;
      this.#fromRouter(this.router.input({ kind: 'received', packet: received(effect) }, this.nowMs));
    }
  }

  #fromRouter(effects: readonly IgmpEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'membership') this.#publish(effect.group, effect.wanted);
      if (effect.kind !== 'send' || this.#loses('router')) continue;
      this.#fromHost(this.host.input({ kind: 'received', packet: received(effect) }, this.nowMs));
    }
  }

  #publish(group: Ipv4, demand: GroupDemand | undefined): void {
    if (demand === undefined) this.demands.delete(group);
    else this.demands.set(group, demand);
  }
}

/** By way of the wire, so that what cannot be written or read is not understood either. */
function received({ source, destination, message }: Extract<IgmpEffect | IgmpHostEffect, { kind: 'send' }>): ReceivedIgmp {
  const packet = decodeIgmpPacket(buildIgmpPacket({ source, destination, message }));
  if (!packet.ok) throw new Error(`${message.kind}: ${packet.error}`);
  return packet.value;
}

function hostSettings(robustness: number, random: () => number): IgmpHostSettings {
  return { ...DEFAULTS, robustness, random };
}

function routerSettings(robustness: number, version: 1 | 2 | 3): IgmpInterfaceSettings {
  const timing = { ...ROUTER_DEFAULTS.timing, robustness, startupQueryCount: robustness, lastMemberQueryCount: robustness };
  return { ...ROUTER_DEFAULTS, version, timing };
}
