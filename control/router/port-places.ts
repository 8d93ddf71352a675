/**
 * Where the configured interfaces are: which link each is, and the name of its place (as formatVlanName()), whatever the configuration calls
 * it, by which it gets back the number it had in a data plane that was taken over.
 */
import type { InterfaceSettings } from '../config/settings';
import type { TakenOver } from '../dataplane/api';
import type { LinkState } from '../kernel/interface-table';
import { placeOf, VlanLinks, type LinkSource } from '../kernel/vlan-links';
import type { VportId } from '../mrib/route';
import { formatVlanName } from '../protocol/packet/vlan-name';

export class PortPlaces {
  readonly #links: VlanLinks;

  constructor(kernel: LinkSource) {
    this.#links = new VlanLinks(kernel);
  }

  linkOf({ name, addresses }: InterfaceSettings): LinkState | undefined {
    return this.#links.link(name, addresses);
  }

  nameOf(entry: InterfaceSettings): string {
    const link = this.linkOf(entry);
    if (link === undefined) return entry.name;
    const place = placeOf(link);
    return formatVlanName({ parent: place.name, id: place.vlan });
  }
}

/** By the name of the place. */
export function numbersOf(takenOver: TakenOver | undefined): ReadonlyMap<string, VportId> {
  return new Map(takenOver?.ports.map(({ name, vlan: id = 0, vport }) => [formatVlanName({ parent: name, id }), vport]));
}
