/**
 * One configured interface, present or not: keeps the forwarder attached to whatever device bears its name now, and its side of IGMP
 * (router side downstream, host side upstream) informed of its link and addresses. Attaching is asynchronous and one at a time; always
 * towards the newest link state. Never touches routes: what it hears of memberships goes out through `onEffects`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { InterfaceSettings } from '../config/settings';
import type { Dataplane, PortAttachment, PortSpec } from '../dataplane/api';
import { XmcastError, errorText } from '../errors';
import type { EventSink } from '../events';
import type { LinkState } from '../kernel/interface-table';
import { isSamePlace, placeOf } from '../kernel/vlan-links';
import type { VportId } from '../mrib/route';
import type { IgmpHostEffect, IgmpHostEvent, IgmpHostInterface } from '../protocol/igmp/host/api';
import { createIgmpHostInterface } from '../protocol/igmp/host/interface';
import type { IgmpDropReason, IgmpMessage, ReceivedIgmp } from '../protocol/igmp/message';
import type { IgmpEffect, IgmpEvent, IgmpInterfaceSettings, IgmpRouterInterface, MembershipBudget, SsmMapping } from '../protocol/igmp/router/api';
import { createIgmpRouterInterface } from '../protocol/igmp/router/interface';
import type { Ipv4Prefix } from '../protocol/packet/address';
import { Counts } from './counts';
import { portEvents, type PortFace } from './port-events';

export type PortEffect = IgmpEffect | IgmpHostEffect;

export interface PortDependencies {
  readonly dataplane: Dataplane;
  readonly events: EventSink;
  readonly nowMs: () => number;
  /** 0 ≤ random() < 1. */
  readonly random: () => number;
  /** Shared by all interfaces. */
  readonly budget: MembershipBudget;
  readonly ssmMapping: SsmMapping | undefined;
  readonly onEffects: (port: Port, effects: readonly PortEffect[]) => void;
  /** The port has become usable or stopped being so, or its addresses have changed. */
  readonly onChanged: (port: Port) => void;
}

/** Of any link. */
const USUAL_MTU = 1500;
/** RFC 3376 §9.1: what a forged query may make us remember. */
const RECORDED_SOURCES_LIMIT = 1024;
/** After reports have gone upstream, what follows gathers for so long: the first join is asked for at once, thousands share packets. */
const GATHER_MS = 10;

export class Port {
  readonly vport: VportId;
  readonly received = new Counts<IgmpMessage['kind']>();
  readonly sent = new Counts<IgmpMessage['kind']>();
  readonly dropped = new Counts<IgmpDropReason>();
  /** Only on an upstream interface; remembers what is wanted while the link is away. */
  readonly host: IgmpHostInterface | undefined;
  readonly #deps: PortDependencies;
  #settings: InterfaceSettings;
  /** What the kernel last said. */
  #link: LinkState | undefined;
  /** What the forwarder sits on. */
  #attached: LinkState | undefined;
  #igmp: IgmpRouterInterface | undefined;
  #isQuerier = true;
  #mtu = USUAL_MTU;
  #gatherUntilMs = 0;
  #problem: XmcastError | undefined;
  #attachment: PortAttachment | undefined;
  #work: Promise<void> = Promise.resolve();
  /** What events have told of it. */
  #told: PortFace = { link: undefined, attachment: undefined, problem: undefined };

  constructor(vport: VportId, settings: InterfaceSettings, deps: PortDependencies) {
    this.vport = vport;
    this.#settings = settings;
    this.#deps = deps;
    const { upstream } = settings;
    if (upstream !== undefined) this.host = createIgmpHostInterface({ ...upstream.host, ...this.#hostSettings() });
  }

  get settings(): InterfaceSettings {
    return this.#settings;
  }

  get name(): string {
    return this.#settings.name;
  }

  get link(): LinkState | undefined {
    return this.#link;
  }

  /** Only on a downstream interface, while its link is up. */
  get igmp(): IgmpRouterInterface | undefined {
    return this.#igmp;
  }

  /** Why the forwarder could not be attached. */
  get problem(): XmcastError | undefined {
    return this.#problem;
  }

  /** undefined while the forwarder is not attached. */
  get attachment(): PortAttachment | undefined {
    return this.#attachment;
  }

  /** Packets can come and go. */
  get usable(): boolean {
    return this.#attached?.up === true;
  }

  /** RFC 4605 §4.2: streams go to hosts where this router is the querier; §3: or where it is the only one that forwards. */
  get forwardsToHosts(): boolean {
    return this.#settings.upstream === undefined && (this.#isQuerier || this.#settings.forwardIfNotQuerier);
  }

  get macAddress(): Uint8Array | undefined {
    return this.#attached?.macAddress;
  }

  get addresses(): readonly Ipv4Prefix[] {
    return this.#attached?.addresses ?? [];
  }

  /** Whether configure() takes these; otherwise it takes another port. */
  mayBecome(settings: InterfaceSettings): boolean {
    return settings.name === this.name && (settings.upstream === undefined) === (this.#settings.upstream === undefined);
  }

  /** From now on these settings hold; what hosts want stays. Resolves when the forwarder follows. */
  configure(settings: InterfaceSettings): Promise<void> {
    if (isDeepStrictEqual(settings, this.#settings)) return Promise.resolve();
    this.#settings = settings;
    this.#settingsChanged();
    return this.setLink(this.#link);
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

  /** The forwarder may have been started anew. */
  attachAgain(): void {
    if (this.#link !== undefined) void this.setLink(this.#link);
  }

  receive(packet: ReceivedIgmp): void {
    if (this.host !== undefined) return this.inputToHost({ kind: 'received', packet });
    if (this.#igmp === undefined) this.dropped.add('interface_down');
    else this.input({ kind: 'received', packet });
  }

  input(event: IgmpEvent): void {
    if (this.#igmp === undefined) return;
    const effects = this.#igmp.input(event, this.#deps.nowMs());
    for (const effect of effects) if (effect.kind === 'querier') this.#isQuerier = effect.isQuerier;
    this.#deps.onEffects(this, effects);
  }

  inputToHost(event: IgmpHostEvent): void {
    if (this.host !== undefined) this.#deps.onEffects(this, this.host.input(event, this.#deps.nowMs()));
  }

  nextDeadline(): number | undefined {
    const deadlineMs = (this.host ?? this.#igmp)?.nextDeadline();
    return this.host === undefined || deadlineMs === undefined ? deadlineMs : Math.max(deadlineMs, this.#gatherUntilMs);
  }

  /** Lets happen what is due. */
  advance(): void {
    if (this.host === undefined) return this.input({ kind: 'timer' });
    this.#gatherUntilMs = this.#deps.nowMs() + GATHER_MS;
    this.inputToHost({ kind: 'timer' });
  }

  /** The forwarder leaves it; nothing is wanted here any more, which an upstream is told. */
  remove(): Promise<void> {
    this.#leaveAll();
    return this.setLink(undefined);
  }

  /** As remove(), when the forwarder is closed as a whole. `keep`: it goes on, and upstreams are to go on sending. */
  async close({ keep }: { readonly keep: boolean }): Promise<void> {
    if (!keep) this.#leaveAll();
    this.#link = undefined;
    await this.#work;
  }

  #leaveAll(): void {
    for (const { group } of [...(this.host?.wanted() ?? [])]) this.inputToHost({ kind: 'wanted', group, filter: undefined });
    this.inputToHost({ kind: 'timer' });
  }

  async #follow(): Promise<void> {
    const link = this.#link;
    // Another device under the same name is another link: what the hosts of the old one wanted is not what these want. Before the
    // forwarder is asked, which may take a while: nobody is shown a link that is down and what its hosts want of it.
    if (!isSamePlace(this.#attached, link) || link?.up !== true) this.#linkDown();
    try {
      if (link === undefined) await this.#deps.dataplane.removePort(this.vport);
      this.#attachment = link === undefined ? undefined : await this.#deps.dataplane.setPort(this.#spec(link));
      this.#problem = undefined;
      this.#attached = link;
    } catch (error) {
      this.#attached = undefined;
      this.#attachment = undefined;
      this.#problem = problemOf(this.name, error);
    }
    this.#tell({ link, attachment: this.#attachment, problem: this.#problem });
    this.#tellIgmp();
    this.#deps.onChanged(this);
  }

  #tell(face: PortFace): void {
    for (const event of portEvents(this.name, this.#told, face)) this.#deps.events.report(event);
    this.#told = face;
  }

  #spec(link: LinkState): PortSpec {
    const { name, ifindex, kind, partOf, vlan } = placeOf(link);
    return {
      vport: this.vport,
      name,
      ifindex,
      vlan,
      macAddress: link.macAddress,
      mtu: link.mtu,
      ttlThreshold: this.#settings.ttlThreshold,
      mode: this.#settings.mode,
      kind,
      partOf,
    };
  }

  #tellIgmp(): void {
    const attached = this.#attached;
    if (attached?.up !== true) return this.#linkDown();
    this.#useMtu(attached.mtu);
    const event = { kind: 'link-up', addresses: this.addresses } as const;
    if (this.host !== undefined) return this.inputToHost(event);
    if (this.#igmp === undefined) {
      this.#isQuerier = true;
      this.#igmp = createIgmpRouterInterface(this.#routerSettings());
    }
    this.input(event);
  }

  #useMtu(mtu: number): void {
    if (mtu === this.#mtu) return;
    this.#mtu = mtu;
    this.#settingsChanged();
  }

  #settingsChanged(): void {
    const { upstream } = this.#settings;
    if (upstream === undefined) this.input({ kind: 'settings', settings: this.#routerSettings() });
    else this.inputToHost({ kind: 'settings', settings: { ...upstream.host, ...this.#hostSettings() } });
  }

  /** What the hosts of the link wanted is forgotten; what is wanted of the link is not. */
  #linkDown(): void {
    this.inputToHost({ kind: 'link-down' });
    this.input({ kind: 'link-down' });
    this.#igmp = undefined;
  }

  #routerSettings(): IgmpInterfaceSettings {
    const { igmp, alternativeSubnets } = this.#settings;
    const { budget, ssmMapping } = this.#deps;
    return { ...igmp, limits: { ...igmp.limits, total: budget }, alternativeSubnets, ssmMapping, mtu: this.#mtu };
  }

  #hostSettings(): { readonly mtu: number; readonly random: () => number; readonly recordedSourcesLimit: number } {
    return { mtu: this.#mtu, random: this.#deps.random, recordedSourcesLimit: RECORDED_SOURCES_LIMIT };
  }
}

function problemOf(name: string, error: unknown): XmcastError {
  if (error instanceof XmcastError) return error;
  const hint = 'It is tried again every second.';
  return new XmcastError('XM_INTERNAL', `follow a change of ${name}: ${errorText(error)}`, { hint, cause: error });
}
