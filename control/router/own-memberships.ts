/**
 * The groups that the configuration wants this machine itself to be in: held in the kernel while the interface is up and has an address.
 * What the kernel refuses is tried again when follow() is called again. What follows from being a member is the business of OwnGroups.
 */
import { XmcastError, errorText } from '../errors';
import type { HostMembership, HostMembershipOptions } from '../kernel/host-membership';
import type { StaticGroup } from '../protocol/igmp/router/api';
import type { EventSink } from '../events';
import type { Port } from './port';

export type JoinOnHost = (options: HostMembershipOptions) => Promise<HostMembership>;

export interface OwnMembershipsOptions {
  readonly join: JoinOnHost;
  readonly events: EventSink;
  /** The kernel's groups are others now. */
  readonly onChanged: () => void;
}

interface Held {
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
    const held: Held = { membership: undefined };
    this.#held.set(name, held);
    try {
      const address = port.addresses[0]?.address ?? 0;
      const membership = await this.#options.join({ interfaceName: port.name, address, ...entry });
      // Left meanwhile.
      if (this.#held.get(name) !== held) return membership.close();
      held.membership = membership;
      this.#problems.delete(name);
      this.#options.onChanged();
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
    this.#options.onChanged();
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
