/**
 * What the kernel has told about interfaces, their addresses and the unicast routes: a fold of rtnetlink facts into tables, and
 * the changes each fact made. Pure: no socket, clock or log. Knows nothing of which interfaces are configured.
 */
import type { Ipv4 } from '../protocol/packet/address';
import { addAddress, appendAddress, isSameAddressList, removeAddress, type AddressList } from './address-list';
import type { AddressRecord } from './netlink/address';
import { AF_UNSPEC, NLM_F_APPEND } from './netlink/constants';
import type { KernelFact } from './netlink/decode';
import type { KernelVlan, LinkRecord } from './netlink/link';
import { RouteTable, type KernelRoute, type UnicastChoice } from './route-table';

export type { KernelRoute } from './route-table';

/** Where the frames of a VLAN are: on an interface that others may share. */
export interface Trunk {
  readonly ifindex: number;
  readonly name: string;
  readonly kind: string;
  /** As LinkState.partOf. */
  readonly partOf: string;
  readonly vlan: number;
}

/** One interface at one moment; never changed in place. */
export interface LinkState {
  readonly ifindex: number;
  readonly name: string;
  /** Empty on devices without a link-layer address. */
  readonly macAddress: Uint8Array;
  readonly mtu: number;
  /** Set up by the administrator. */
  readonly adminUp: boolean;
  /** adminUp, with a carrier, and operational. */
  readonly up: boolean;
  /** "veth", "vlan", "bridge" …; "" for hardware and loopback. */
  readonly kind: string;
  /** What the kernel says of an interface of kind "vlan". */
  readonly vlan?: KernelVlan;
  /** Kind of the device that this one is a part of: "bridge", "bond", "vrf" …. Default "": none. */
  readonly partOf?: string;
  /** In kernel order, primary ones first. */
  readonly addresses: AddressList;
  /** Set by VlanLinks: the interface is a VLAN. */
  readonly trunk?: Trunk;
}

/**
 * `link` is the state after the change (before it, for 'link-removed'). A rename is 'link-changed' with another name. An added or
 * removed link brings or takes its addresses along: no 'addresses-changed' for them.
 */
export type KernelChange =
  | { readonly kind: 'link-added'; readonly link: LinkState }
  | { readonly kind: 'link-changed'; readonly link: LinkState; readonly previous: LinkState }
  | { readonly kind: 'link-removed'; readonly link: LinkState }
  | { readonly kind: 'addresses-changed'; readonly link: LinkState }
  | { readonly kind: 'routes-changed' };

export interface FoldResult {
  readonly changes: readonly KernelChange[];
  /** The kernel may have dropped or revived routes without a notification: dump them again. */
  readonly routesUncertain: boolean;
}

const NOTHING: FoldResult = { changes: [], routesUncertain: false };
const ROUTES_CHANGED: KernelChange = { kind: 'routes-changed' };

export class InterfaceTable {
  readonly #links = new Map<number, LinkState>();
  readonly #indexByName = new Map<string, number>();
  readonly #routes = new RouteTable();

  link(name: string): LinkState | undefined {
    const ifindex = this.#indexByName.get(name);
    return ifindex === undefined ? undefined : this.#links.get(ifindex);
  }

  linkByIndex(ifindex: number): LinkState | undefined {
    return this.#links.get(ifindex);
  }

  links(): readonly LinkState[] {
    return [...this.#links.values()];
  }

  lookupRoute(address: Ipv4): KernelRoute | undefined {
    return this.#routes.lookup(address);
  }

  routeChoices(): Iterable<UnicastChoice> {
    return this.#routes.choices();
  }

  /** `origin` 'dump': the fact stands in kernel order among others of its kind. */
  apply(fact: KernelFact, origin: 'event' | 'dump'): FoldResult {
    switch (fact.kind) {
      case 'link':
        return fact.removed ? this.#removeLink(fact.record) : this.#setLink(fact.record);
      case 'address':
        return fact.removed ? this.#removeAddress(fact.record) : this.#addAddress(fact.record, origin);
      case 'route': {
        const flags = origin === 'dump' ? NLM_F_APPEND : fact.flags;
        const changed = fact.removed ? this.#routes.remove(fact.record) : this.#routes.add(fact.record, flags);
        return changed ? { changes: [ROUTES_CHANGED], routesUncertain: false } : NOTHING;
      }
    }
  }

  /** A table with the same interfaces and addresses and no routes. */
  withoutRoutes(): InterfaceTable {
    const copy = new InterfaceTable();
    for (const link of this.#links.values()) copy.#put(link);
    return copy;
  }

  /** What happened on the way from this table to a later one, when the notifications of it were lost. */
  changesTo(later: InterfaceTable): readonly KernelChange[] {
    const removed: KernelChange[] = [];
    const changed: KernelChange[] = [];
    for (const previous of this.#links.values()) {
      const link = later.#links.get(previous.ifindex);
      if (link === undefined || !isSameDevice(previous, link)) removed.push({ kind: 'link-removed', link: previous });
      else changed.push(...differences(previous, link));
    }
    const gone = new Set(removed.map((change) => ('link' in change ? change.link.ifindex : 0)));
    for (const link of later.#links.values()) {
      if (!this.#links.has(link.ifindex) || gone.has(link.ifindex)) changed.push({ kind: 'link-added', link });
    }
    const routes = this.#routes.equals(later.#routes) ? [] : [ROUTES_CHANGED];
    return [...removed, ...changed, ...routes];
  }

  #setLink(record: LinkRecord): FoldResult {
    const { family, name, ...rest } = record;
    if (family !== AF_UNSPEC || name === undefined || name === '') return NOTHING;
    const previous = this.#links.get(record.ifindex);
    if (previous !== undefined && previous.kind !== record.kind) {
      const removal = this.#removeLink(record);
      return { changes: [...removal.changes, ...this.#setLink(record).changes], routesUncertain: true };
    }
    const link: LinkState = { ...rest, name, addresses: previous?.addresses ?? [] };
    if (previous === undefined) {
      this.#put(link);
      return { changes: [{ kind: 'link-added', link }], routesUncertain: false };
    }
    if (isSameLink(previous, link)) return NOTHING;
    this.#forgetName(previous);
    this.#put(link);
    const flipped = previous.adminUp !== link.adminUp;
    const routesDropped = flipped && !link.adminUp && this.#routes.dropVia(link.ifindex);
    return {
      changes: [{ kind: 'link-changed', link, previous }, ...(routesDropped ? [ROUTES_CHANGED] : [])],
      routesUncertain: flipped,
    };
  }

  #removeLink({ family, ifindex }: LinkRecord): FoldResult {
    const link = this.#links.get(ifindex);
    if (family !== AF_UNSPEC || link === undefined) return NOTHING;
    this.#links.delete(ifindex);
    this.#forgetName(link);
    let routesDropped = this.#routes.dropVia(ifindex);
    for (const { address } of link.addresses) routesDropped = this.#dropRoutesPreferring(address) || routesDropped;
    return { changes: [{ kind: 'link-removed', link }, ...(routesDropped ? [ROUTES_CHANGED] : [])], routesUncertain: true };
  }

  #addAddress(record: AddressRecord, origin: 'event' | 'dump'): FoldResult {
    const previous = this.#links.get(record.ifindex);
    // The kernel announces a link before its addresses: one without a link is older than the link's removal.
    if (previous === undefined) return NOTHING;
    const addresses = origin === 'dump' ? appendAddress(previous.addresses, record) : addAddress(previous.addresses, record);
    if (addresses === previous.addresses) return NOTHING;
    const link: LinkState = { ...previous, addresses };
    this.#put(link);
    // The first address enables IPv4 on the link and may revive hops of multipath routes.
    return { changes: [{ kind: 'addresses-changed', link }], routesUncertain: previous.addresses.length === 0 };
  }

  #removeAddress(record: AddressRecord): FoldResult {
    const previous = this.#links.get(record.ifindex);
    const addresses = previous && removeAddress(previous.addresses, record);
    if (previous === undefined || addresses === undefined || addresses === previous.addresses) return NOTHING;
    const link: LinkState = { ...previous, addresses };
    this.#put(link);
    const last = addresses.length === 0;
    // The loss of the last address disables IPv4 on the link: the kernel flushes every route over it, static ones too.
    const flushed = last && this.#routes.dropVia(link.ifindex);
    const dropped = this.#dropRoutesPreferring(record.address) || flushed;
    return {
      changes: [{ kind: 'addresses-changed', link }, ...(dropped ? [ROUTES_CHANGED] : [])],
      routesUncertain: last || dropped,
    };
  }

  #dropRoutesPreferring(address: Ipv4): boolean {
    for (const link of this.#links.values()) {
      if (link.addresses.some((other) => other.address === address)) return false;
    }
    return this.#routes.dropPreferring(address);
  }

  #put(link: LinkState): void {
    this.#links.set(link.ifindex, link);
    this.#indexByName.set(link.name, link.ifindex);
  }

  #forgetName({ name, ifindex }: LinkState): void {
    if (this.#indexByName.get(name) === ifindex) this.#indexByName.delete(name);
  }
}

/** Without notifications a rename and a new device on the old ifindex look alike: the MAC address tells them apart. */
function isSameDevice(a: LinkState, b: LinkState): boolean {
  return a.kind === b.kind && (a.name === b.name || isSameBytes(a.macAddress, b.macAddress));
}

function differences(previous: LinkState, link: LinkState): readonly KernelChange[] {
  const changes: KernelChange[] = [];
  if (!isSameLink(previous, link)) changes.push({ kind: 'link-changed', link, previous });
  if (!isSameAddressList(previous.addresses, link.addresses)) changes.push({ kind: 'addresses-changed', link });
  return changes;
}

function isSameLink(a: LinkState, b: LinkState): boolean {
  return (
    a.name === b.name &&
    a.mtu === b.mtu &&
    a.adminUp === b.adminUp &&
    a.up === b.up &&
    a.kind === b.kind &&
    a.vlan?.ifindex === b.vlan?.ifindex &&
    a.vlan?.id === b.vlan?.id &&
    a.partOf === b.partOf &&
    isSameBytes(a.macAddress, b.macAddress)
  );
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
