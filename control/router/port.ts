/**
 * One configured interface, present or not: keeps the forwarder attached to whatever device bears its name now, and the router side of
 * IGMP informed of its link and addresses. Attaching is asynchronous and one at a time; always towards the newest link state.
 * Never touches routes: what it hears of memberships goes out through `onEffects`.
 */
import type { InterfaceSettings } from '../config/settings';
import type { Dataplane, PortSpec } from '../dataplane/api';
import { XmcastError, errorText } from '../errors';
import type { LinkState } from '../kernel/interface-table';
import type { VportId } from '../mrib/route';
import type { IgmpDropReason, IgmpMessage } from '../protocol/igmp/message';
import type { IgmpEffect, IgmpEvent, IgmpRouterInterface } from '../protocol/igmp/router/api';
import { createIgmpRouterInterface } from '../protocol/igmp/router/interface';
import type { Ipv4Prefix } from '../protocol/packet/address';
import { Counts } from './counts';
import type { Log } from '../log';

export interface PortDependencies {
  readonly dataplane: Dataplane;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly onEffects: (port: Port, effects: readonly IgmpEffect[]) => void;
  /** The port has become usable or stopped being so, or its addresses have changed. */
  readonly onChanged: (port: Port) => void;
}

export class Port {
  readonly vport: VportId;
  readonly settings: InterfaceSettings;
  readonly received = new Counts<IgmpMessage['kind']>();
  readonly sent = new Counts<IgmpMessage['kind']>();
  readonly dropped = new Counts<IgmpDropReason>();
  readonly #deps: PortDependencies;
  /** What the kernel last said. */
  #link: LinkState | undefined;
  /** What the forwarder sits on. */
  #attached: LinkState | undefined;
  #igmp: IgmpRouterInterface | undefined;
  #problem: XmcastError | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(vport: VportId, settings: InterfaceSettings, deps: PortDependencies) {
    this.vport = vport;
    this.settings = settings;
    this.#deps = deps;
  }

  get name(): string {
    return this.settings.name;
  }

  get link(): LinkState | undefined {
    return this.#link;
  }

  get igmp(): IgmpRouterInterface | undefined {
    return this.#igmp;
  }

  /** Why the forwarder could not be attached. */
  get problem(): XmcastError | undefined {
    return this.#problem;
  }

  /** Packets can come and go. */
  get usable(): boolean {
    return this.#attached?.up === true;
  }

  get macAddress(): Uint8Array | undefined {
    return this.#attached?.macAddress;
  }

  get addresses(): readonly Ipv4Prefix[] {
    return this.#attached?.addresses ?? [];
  }

  /** The device of this name is now like this; undefined: there is none. Resolves when the forwarder follows. */
  setLink(link: LinkState | undefined): Promise<void> {
    this.#link = link;
    this.#work = this.#work.then(() => this.#follow());
    return this.#work;
  }

  /** Once more, when the forwarder could not be attached: what was in the way may be gone. */
  retry(): void {
    if (this.#problem !== undefined && this.#link !== undefined) void this.setLink(this.#link);
  }

  input(event: IgmpEvent): void {
    if (this.#igmp === undefined) return;
    this.#deps.onEffects(this, this.#igmp.input(event, this.#deps.nowMs()));
  }

  async close(): Promise<void> {
    this.#link = undefined;
    await this.#work;
  }

  async #follow(): Promise<void> {
    const link = this.#link;
    // Another device under the same name is another link: what the hosts of the old one wanted is not what these want.
    if (this.#attached?.ifindex !== link?.ifindex) this.#forgetHosts();
    try {
      if (link === undefined) await this.#deps.dataplane.removePort(this.vport);
      else await this.#deps.dataplane.setPort(this.#spec(link));
      this.#problem = undefined;
      this.#attached = link;
    } catch (error) {
      this.#attached = undefined;
      this.#fail(error);
    }
    this.#tellIgmp();
    this.#deps.onChanged(this);
  }

  #fail(error: unknown): void {
    const before = this.#problem?.message;
    this.#problem =
      error instanceof XmcastError
        ? error
        : new XmcastError('XM_INTERNAL', `follow a change of ${this.name}: ${errorText(error)}`, { hint: 'It is tried again every second.', cause: error });
    // Tried again and again: said once.
    if (this.#problem.message === before) return;
    this.#deps.log.warn({ interface: this.name, code: this.#problem.code, hint: this.#problem.hint }, this.#problem.message);
  }

  #spec(link: LinkState): PortSpec {
    return {
      vport: this.vport,
      name: link.name,
      ifindex: link.ifindex,
      macAddress: link.macAddress,
      mtu: link.mtu,
      ttlThreshold: this.settings.ttlThreshold,
    };
  }

  #tellIgmp(): void {
    if (this.settings.upstream) return;
    const attached = this.#attached;
    if (attached?.up !== true) return this.#forgetHosts();
    this.#igmp ??= createIgmpRouterInterface({ ...this.settings.igmp, mtu: attached.mtu });
    this.input({ kind: 'link-up', addresses: this.addresses });
  }

  #forgetHosts(): void {
    this.input({ kind: 'link-down' });
    this.#igmp = undefined;
  }
}
