/**
 * The groups that this machine itself is in on one interface after another: held in the kernel while the interface is up and has an
 * address, and told to the multicast routing base, so that what comes in by it is handed to applications too. What the kernel refuses
 * is tried again when follow() is called again.
 */
import { XmcastError, errorText } from '../errors';
import type { HostMembership, HostMembershipOptions } from '../kernel/host-membership';
import type { VportId } from '../mrib/route';
import type { GroupDemand, StaticGroup } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { EventSink } from '../events';
import type { Port } from './port';

export type JoinOnHost = (options: HostMembershipOptions) => Promise<HostMembership>;

export interface OwnMembershipsOptions {
  readonly join: JoinOnHost;
  readonly events: EventSink;
  readonly onDemand: (vport: VportId, group: Ipv4, demand: GroupDemand | undefined) => void;
}

interface Held {
  readonly vport: VportId;
  readonly group: Ipv4;
  /** undefined: the kernel has not answered yet. */
  membership: HostMembership | undefined;
}

export class OwnMemberships {
  readonly #options: OwnMembershipsOptions;
  /** By nameOf(). */
  readonly #held = new Map<string, Held>();
  /** Said once. */
  readonly #problems = new Set<string>();

  constructor(options: OwnMembershipsOptions) {
    this.#options = options;
  }

  /** The interfaces as they are now. */
  follow(ports: readonly Port[]): void {
    const wanted = new Map<string, readonly [Port, StaticGroup]>();
    for (const port of ports) {
      if (!port.usable || port.addresses.length === 0) continue;
      for (const entry of port.settings.joinGroups) wanted.set(nameOf(port, entry), [port, entry]);
    }
    for (const name of this.#held.keys()) if (!wanted.has(name)) this.#leave(name);
    for (const [name, [port, entry]] of wanted) if (!this.#held.has(name)) void this.#join(name, port, entry);
  }

  close(): void {
    for (const name of [...this.#held.keys()]) this.#leave(name);
  }

  async #join(name: string, port: Port, entry: StaticGroup): Promise<void> {
    const held: Held = { vport: port.vport, group: entry.group, membership: undefined };
    this.#held.set(name, held);
    try {
      const address = port.addresses[0]?.address ?? 0;
      const membership = await this.#options.join({ interfaceName: port.name, address, ...entry });
      // Left meanwhile.
      if (this.#held.get(name) !== held) return membership.close();
      held.membership = membership;
      this.#problems.delete(name);
      this.#options.onDemand(port.vport, entry.group, demandOf(entry));
    } catch (error) {
      if (this.#held.get(name) === held) this.#held.delete(name);
      this.#complain(name, error);
    }
  }

  #leave(name: string): void {
    const held = this.#held.get(name);
    this.#held.delete(name);
    if (held?.membership === undefined) return;
    held.membership.close();
    this.#options.onDemand(held.vport, held.group, undefined);
  }

  #complain(name: string, error: unknown): void {
    if (this.#problems.has(name)) return;
    this.#problems.add(name);
    const known = error instanceof XmcastError;
    const fields = known ? { code: error.code, hint: error.hint } : {};
    this.#options.events.report({ type: 'notice', severity: 'warn', text: errorText(error), fields });
  }
}

/** Another device, or another address, is another membership to the kernel. */
function nameOf(port: Port, { group, sources }: StaticGroup): string {
  return [port.vport, port.link?.ifindex, port.addresses[0]?.address, group, ...sources].join(' ');
}

function demandOf({ sources }: StaticGroup): GroupDemand {
  return sources.length === 0 ? { mode: 'exclude', sources: [], requested: [] } : { mode: 'include', sources };
}
