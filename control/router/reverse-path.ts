/**
 * By which interface the packets of a source must come in. In this order: a subnet of an interface of ours; a unicast route, other than
 * the default one, through an interface of ours; the upstream (RFC 4605); the default route, if through an interface of ours.
 */
import type { KernelRoute } from '../kernel/route-table';
import type { ReversePath } from '../mrib/mrib';
import type { VportId } from '../mrib/route';
import { prefixContains } from '../protocol/packet/address';
import type { Ipv4 } from '../protocol/packet/address';
import type { Port } from './port';

/** An interface through which the kernel would send to this address; longest prefix first. */
export type UnicastLookup = (address: Ipv4) => Pick<KernelRoute, 'ifindex' | 'prefixLength'> | undefined;

export class RouterReversePath implements ReversePath {
  readonly #ports: readonly Port[];
  readonly #lookup: UnicastLookup;

  constructor(ports: readonly Port[], lookup: UnicastLookup) {
    this.#ports = ports;
    this.#lookup = lookup;
  }

  upstream(): VportId | undefined {
    return this.#ports.find((port) => port.settings.upstream && port.usable)?.vport;
  }

  crosses(vport: VportId, group: Ipv4): boolean {
    const boundaries = this.#ports.find((port) => port.vport === vport)?.settings.boundaries ?? [];
    return !boundaries.some((prefix) => prefixContains(prefix, group));
  }

  incomingFor(source: Ipv4): VportId | undefined {
    const connected = this.#connected(source);
    if (connected !== undefined) return connected;
    const route = this.#lookup(source);
    const routed = route === undefined ? undefined : this.#ports.find((port) => port.usable && port.link?.ifindex === route.ifindex)?.vport;
    if (route !== undefined && route.prefixLength > 0 && routed !== undefined) return routed;
    return this.upstream() ?? routed;
  }

  #connected(source: Ipv4): VportId | undefined {
    let best: { readonly vport: VportId; readonly length: number } | undefined;
    for (const port of this.#ports) {
      if (!port.usable) continue;
      for (const prefix of port.addresses) {
        if (prefixContains(prefix, source) && prefix.length > (best?.length ?? -1)) best = { vport: port.vport, length: prefix.length };
      }
    }
    return best?.vport;
  }
}
