/**
 * By which interface the packets of a source must come in. In this order: the interface that has this very address, for what the machine
 * itself sends; a subnet of a downstream interface of ours, its own or an alternative one; a unicast route, other than the default one,
 * through a downstream interface of ours; the upstreams that serve the group (RFC 4605), only one of them where a subnet or a unicast route
 * says so; the default route, if through an interface of ours.
 *
 * Keeps tables of the interfaces as they are; whoever changes one of them calls changed().
 */
import type { KernelRoute } from '../kernel/route-table';
import { isInKernel } from '../kernel/vlan-links';
import type { ReversePath } from '../mrib/reverse-path';
import type { VportId } from '../mrib/route';
import { prefixContains, type Ipv4, type Ipv4Prefix } from '../protocol/packet/address';
import { PrefixTable } from '../protocol/packet/prefix-table';
import type { UpstreamSettings } from '../config/settings';
import type { Port } from './port';

/** An interface through which the kernel would send to this address; longest prefix first. */
export type UnicastLookup = (address: Ipv4) => Pick<KernelRoute, 'ifindex' | 'prefixLength'> | undefined;

/**
 * subnet: of a downstream interface. unicast-route: other than the default one, through a downstream interface. upstream-route: one of the
 * upstreams that serve the group, told by a subnet or a unicast route. upstream: those that serve it. default-route: the kernel's.
 */
export type ReversePathRule = 'own-address' | 'subnet' | 'unicast-route' | 'upstream-route' | 'upstream' | 'default-route' | 'none';

interface Upstream extends UpstreamSettings {
  readonly vport: VportId;
}

export class RouterReversePath implements ReversePath {
  readonly #ports: () => readonly Port[];
  readonly #lookup: UnicastLookup;
  #byVport: ReadonlyMap<VportId, Port> = new Map();
  #connected = new PrefixTable<Port>();
  #byIfindex: ReadonlyMap<number, Port> = new Map();
  #byAddress: ReadonlyMap<Ipv4, Port> = new Map();
  /** Those that are up. */
  #upstreams: readonly Upstream[] = [];
  /** Those in use for every group, where none of them tells groups or sources apart. */
  #unscoped: readonly VportId[] | undefined;

  constructor(ports: () => readonly Port[], lookup: UnicastLookup) {
    this.#ports = ports;
    this.#lookup = lookup;
    this.changed();
  }

  /** An interface has come, gone, or got other addresses or settings. */
  changed(): void {
    const usable = this.#ports().filter((port) => port.usable);
    this.#byVport = new Map(this.#ports().map((port) => [port.vport, port]));
    this.#connected = new PrefixTable();
    // The first interface of two with one subnet is the one.
    for (const port of [...usable].reverse()) {
      for (const prefix of [...port.settings.alternativeSubnets, ...port.addresses]) {
        // 0.0.0.0/0 means hosts of any address; of where a source is it says nothing.
        if (prefix.length > 0) this.#connected.set(prefix, port);
      }
    }
    this.#byIfindex = new Map(usable.flatMap((port) => (port.link === undefined || !isInKernel(port.link) ? [] : [[port.link.ifindex, port]])));
    this.#byAddress = new Map(usable.flatMap((port) => port.addresses.map(({ address }) => [address, port] as const)));
    this.#upstreams = usable.flatMap(({ vport, settings: { upstream } }) => (upstream === undefined ? [] : [{ vport, ...upstream }]));
    const isScoped = this.#upstreams.some(({ vport, groups, sources }) => groups.length + sources.length + this.#boundariesOf(vport).length > 0);
    this.#unscoped = isScoped ? undefined : this.#serving(this.#upstreams, 0, 0);
  }

  /** Changes with the upstreams that are up and what they serve. */
  get upstreamsName(): string {
    return JSON.stringify(this.#upstreams.map(({ vport, groups, sources, priority }) => [vport, groups, sources, priority]));
  }

  /** The interface that has this very address. */
  ownerOf(address: Ipv4): Port | undefined {
    return this.#byAddress.get(address);
  }

  incomingFor(source: Ipv4, group: Ipv4): readonly VportId[] {
    return this.explain(source, group).vports;
  }

  /** As incomingFor(), with the rule that decided. */
  explain(source: Ipv4, group: Ipv4): { readonly vports: readonly VportId[]; readonly rule: ReversePathRule } {
    const own = this.#byAddress.get(source);
    if (own !== undefined) return { vports: [own.vport], rule: 'own-address' };
    const connected = this.#connected.longest(source);
    if (connected !== undefined && connected.settings.upstream === undefined) return { vports: [connected.vport], rule: 'subnet' };
    const route = connected === undefined ? this.#lookup(source) : undefined;
    const routed = connected ?? (route === undefined ? undefined : this.#byIfindex.get(route.ifindex));
    const isDefault = route?.prefixLength === 0;
    if (routed !== undefined && !isDefault && routed.settings.upstream === undefined) return { vports: [routed.vport], rule: 'unicast-route' };
    const upstreams = this.#unscoped ?? this.#serving(this.#upstreams, group, source);
    if (routed !== undefined && upstreams.includes(routed.vport)) return { vports: [routed.vport], rule: 'upstream-route' };
    if (upstreams.length > 0) return { vports: upstreams, rule: 'upstream' };
    const isElsewhere = routed === undefined || routed.settings.upstream !== undefined;
    return isElsewhere ? { vports: [], rule: 'none' } : { vports: [routed.vport], rule: 'default-route' };
  }

  upstreams(group: Ipv4, source?: Ipv4): readonly VportId[] {
    if (this.#unscoped !== undefined) return this.#unscoped;
    return this.#serving(this.#upstreams.filter(({ vport }) => this.crosses(vport, group)), group, source);
  }

  #serving(upstreams: readonly Upstream[], group: Ipv4, source: Ipv4 | undefined): readonly VportId[] {
    const serving = longest(upstreams, ({ groups }) => lengthFor(groups, group));
    if (source === undefined) return serving.filter((one) => !serving.some((other) => comesBefore(other, one))).map(({ vport }) => vport);
    const expecting = longest(serving, ({ sources }) => lengthFor(sources, source));
    const priority = Math.min(...expecting.map((one) => one.priority));
    return expecting.filter((one) => one.priority === priority).map(({ vport }) => vport);
  }

  isUpstream(vport: VportId): boolean {
    return this.#byVport.get(vport)?.settings.upstream !== undefined;
  }

  crosses(vport: VportId, group: Ipv4): boolean {
    return !this.#boundariesOf(vport).some((prefix) => prefixContains(prefix, group));
  }

  #boundariesOf(vport: VportId): readonly Ipv4Prefix[] {
    return this.#byVport.get(vport)?.settings.boundaries ?? [];
  }

  forwardsTo(vport: VportId): boolean {
    return this.#byVport.get(vport)?.forwardsToHosts === true;
  }
}

/** Of several, those for which the length is the greatest; without those that have none. */
function longest(upstreams: readonly Upstream[], lengthOf: (upstream: Upstream) => number | undefined): readonly Upstream[] {
  const found = upstreams.flatMap((upstream) => {
    const length = lengthOf(upstream);
    return length === undefined ? [] : [{ upstream, length }];
  });
  const most = Math.max(...found.map(({ length }) => length));
  return found.filter(({ length }) => length === most).map(({ upstream }) => upstream);
}

/** Bits of the prefix that contains the address; 0 when every address is meant; undefined when this one is not. */
function lengthFor(prefixes: readonly Ipv4Prefix[], address: Ipv4): number | undefined {
  if (prefixes.length === 0) return 0;
  const lengths = prefixes.filter((prefix) => prefixContains(prefix, address)).map(({ length }) => length);
  return lengths.length === 0 ? undefined : Math.max(...lengths);
}

/** Every source that `one` is for, `other` serves first. */
function comesBefore(other: Upstream, one: Upstream): boolean {
  return other.priority < one.priority && sameSources(other.sources, one.sources);
}

function sameSources(a: readonly Ipv4Prefix[], b: readonly Ipv4Prefix[]): boolean {
  return a.length === b.length && a.every((prefix) => b.some(({ address, length }) => prefix.address === address && prefix.length === length));
}
