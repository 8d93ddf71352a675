/**
 * Interfaces as the router knows them: those of the kernel, and VLANs of them whether or not the kernel has an interface for the VLAN.
 * Where it has one, its state and addresses count; where not, those of the interface below, and the addresses the configuration gives.
 * Never tells the kernel anything.
 */
import type { Ipv4Prefix } from '../protocol/packet/address';
import { parseVlanName } from '../protocol/packet/vlan-name';
import { configuredAddress, isSameAddressList, type AddressList } from './address-list';
import type { LinkState, Trunk } from './interface-table';

export interface LinkSource {
  link(name: string): LinkState | undefined;
  linkByIndex(ifindex: number): LinkState | undefined;
}

/** A VLAN, and what it was made of. */
interface Made {
  readonly parent: LinkState;
  readonly own: LinkState | undefined;
  readonly addresses: AddressList;
  readonly link: LinkState;
}

export class VlanLinks {
  readonly #kernel: LinkSource;
  /** By name. Links are compared by identity: what has not changed must be the same object. */
  readonly #made = new Map<string, Made>();

  constructor(kernel: LinkSource) {
    this.#kernel = kernel;
  }

  /** `addresses`: of a VLAN without an interface of its own. */
  link(name: string, addresses: readonly Ipv4Prefix[]): LinkState | undefined {
    const own = this.#kernel.link(name);
    if (own !== undefined) return own.vlan === undefined ? own : this.#ofKernel(own, own.vlan);
    const vlan = parseVlanName(name);
    const parent = vlan && this.#kernel.link(vlan.parent);
    // One tag is all the forwarder reads.
    if (parent === undefined || parent.vlan !== undefined) return undefined;
    return this.#make(name, parent, undefined, { id: vlan?.id ?? 0, addresses: addresses.map(configuredAddress) });
  }

  #ofKernel(own: LinkState, { ifindex, id }: NonNullable<LinkState['vlan']>): LinkState {
    const parent = this.#kernel.linkByIndex(ifindex);
    if (parent === undefined || parent.vlan !== undefined) return own;
    return this.#make(own.name, parent, own, { id, addresses: own.addresses });
  }

  #make(name: string, parent: LinkState, own: LinkState | undefined, rest: { readonly id: number; readonly addresses: AddressList }): LinkState {
    const { id, addresses } = rest;
    const before = this.#made.get(name);
    if (before?.parent === parent && before.own === own && isSameAddressList(before.addresses, addresses)) return before.link;
    const trunk = { ifindex: parent.ifindex, name: parent.name, kind: parent.kind, partOf: parent.partOf ?? '', vlan: id };
    const state = own ?? { ...parent, name, addresses };
    const link: LinkState = { ...state, up: state.up && parent.up, adminUp: state.adminUp && parent.adminUp, trunk };
    this.#made.set(name, { parent, own, addresses, link });
    return link;
  }
}

/** Where frames of the link are taken and sent. */
export function placeOf(link: LinkState): Trunk {
  return link.trunk ?? { ifindex: link.ifindex, name: link.name, kind: link.kind, partOf: link.partOf ?? '', vlan: 0 };
}

/** Whether the kernel has an interface for it; else its ifindex is that of the interface below. */
export function isInKernel({ ifindex, trunk }: LinkState): boolean {
  return trunk?.ifindex !== ifindex;
}

/** As undefined: no device at all. */
export function isSamePlace(a: LinkState | undefined, b: LinkState | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.ifindex === b.ifindex && placeOf(a).ifindex === placeOf(b).ifindex && placeOf(a).vlan === placeOf(b).vlan;
}
