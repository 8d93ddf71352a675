/**
 * The router: interfaces, memberships and sources come together here and leave as routes. Everything runs in the order in which it
 * arrives, on one event loop; decisions are made in protocol/ and mrib/, this file only carries them from one to the other.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { InterfaceSettings, Settings } from '../config/settings';
import type { CounterSnapshot, Dataplane, Punt } from '../dataplane/api';
import { errorText, type XmcastError } from '../errors';
import type { Clock } from '../kernel/clock';
import { DeadlineDriver } from '../kernel/deadline-driver';
import { joinOnHost } from '../kernel/host-membership';
import type { KernelView } from '../kernel/kernel-view';
import { placeOf, VlanLinks } from '../kernel/vlan-links';
import { Mrib, type MribSettings } from '../mrib/mrib';
import type { RouteChange, RouteKey, VportId } from '../mrib/route';
import type { MembershipBudget } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import { readEthernetHeader } from '../protocol/packet/ethernet';
import { formatVlanName } from '../protocol/packet/vlan-name';
import { CounterPoll } from './counter-poll';
import { readIgmp, sendIgmp } from './igmp-io';
import { LoopAlarm } from './loop-alarm';
import type { Log } from '../log';
import { Port, type PortEffect } from './port';
import { OwnMemberships, type JoinOnHost } from './own-memberships';
import { PortSet } from './port-set';
import { RouterReversePath } from './reverse-path';
import { RouteSync } from './route-sync';
import { SsmMapper } from './ssm-mapping';
import { activeRules } from './static-routes';
import { Takeover, type Unclaimed } from './takeover';
import { UpstreamReports } from './upstream-reports';
import { Verification } from './verification';

/** After so many others have their turn. */
const MANY_AT_ONCE = 256;
const IPV4_SOURCE_OFFSET = 12;
const IPV4_DESTINATION_OFFSET = 16;
const IPV4_HEADER_BYTES = 20;

export interface RouterOptions {
  readonly settings: Settings;
  readonly dataplane: Dataplane;
  readonly kernel: Pick<KernelView, 'link' | 'linkByIndex' | 'lookupRoute' | 'onChanges'>;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 ≤ random() < 1, for delays of reports. Default Math.random. */
  readonly random?: () => number;
  /** Default: in this machine's kernel. */
  readonly joinOnHost?: JoinOnHost;
}

/** Streams nobody wants get this share of the route table, each for half a minute. */
const UNWANTED_SHARE = 8;
const UNWANTED_LIFE_MS = 30_000;

function mribSettings({ limits }: Settings): MribSettings {
  return {
    sourceIdleMs: limits.sourceIdleMs,
    maxLearntSources: limits.routes,
    unwantedLifeMs: UNWANTED_LIFE_MS,
    maxUnwanted: Math.floor(limits.routes / UNWANTED_SHARE),
  };
}

export class Router {
  readonly mrib: Mrib;
  readonly routes: RouteSync;
  readonly counters: CounterPoll;
  readonly loops: LoopAlarm;
  readonly verification: Verification;
  readonly ssm: SsmMapper;
  /** Groups of all interfaces. */
  readonly budget: MembershipBudget;
  readonly #options: RouterOptions;
  readonly #links: VlanLinks;
  readonly #ports: PortSet;
  readonly #driver: DeadlineDriver;
  readonly #path: RouterReversePath;
  readonly #reports: UpstreamReports;
  readonly #own: OwnMemberships;
  #settings: Settings;
  #dataplaneDueMs: number | undefined;
  /** What the turn has changed so far: written together, or before something needs it. */
  #changes: RouteChange[] = [];
  readonly #takeover: Takeover;
  #closed = false;

  constructor(options: RouterOptions) {
    const { settings, dataplane, kernel, clock, log } = options;
    this.#options = options;
    this.#settings = settings;
    this.#links = new VlanLinks(kernel);
    this.budget = { limit: settings.limits.memberships, used: 0 };
    this.loops = new LoopAlarm(log);
    this.verification = new Verification(dataplane, log);
    this.ssm = new SsmMapper({ settings: settings.ssmMapping, clock, log, onMapped: (group) => this.#sourcesMapped(group) });
    const deps = {
      dataplane,
      log,
      nowMs: () => clock.nowMs(),
      random: options.random ?? Math.random,
      budget: this.budget,
      ssmMapping: this.ssm,
      onEffects: (port: Port, effects: readonly PortEffect[]) => this.#carryOut(port, effects),
      onChanged: () => this.#reversePathChanged(),
    };
    const numbers = new Map(dataplane.takenOver?.ports.map(({ name, vlan: id = 0, vport }) => [formatVlanName({ parent: name, id }), vport]));
    this.#ports = new PortSet((vport, entry) => new Port(vport, entry, deps), { numbers, keyOf: (entry) => this.#placeName(entry) });
    this.#path = new RouterReversePath(() => this.ports, (address) => kernel.lookupRoute(address));
    this.mrib = new Mrib(mribSettings(settings), this.#path);
    this.#reports = new UpstreamReports(this.mrib, this.#path);
    this.#takeover = new Takeover({
      dataplane,
      mrib: this.mrib,
      path: this.#path,
      ports: () => this.ports,
      portOf: (vport) => this.portOf(vport),
      collect: (changes) => this.#collect(changes),
      nowMs: deps.nowMs,
      log,
    });
    this.#own = new OwnMemberships({
      join: options.joinOnHost ?? joinOnHost,
      log,
      onDemand: (vport, group, demand) => {
        this.#collect(this.mrib.setLocalDemand(vport, group, demand));
        this.#settle();
      },
    });
    this.routes = new RouteSync({ dataplane, log, nowMs: deps.nowMs, onWritten: () => this.#planHousekeeping(this.#nowMs()) });
    this.counters = new CounterPoll(dataplane, clock, log, (current, previous) => this.#countersRead(current, previous));
    this.#driver = new DeadlineDriver(clock, { nextDeadline: () => this.#nextDeadline(), onDeadline: (nowMs) => this.#onDeadline(nowMs) });
  }

  /** In the order of the configuration. */
  get ports(): readonly Port[] {
    return this.#ports.all;
  }

  portOf(vport: VportId): Port | undefined {
    return this.#ports.byVport(vport);
  }

  /**
   * Takes the interfaces as they are and follows them from now on. Resolves with what could not be attached. Where a controller before has
   * left routes, none is written before takeOver().
   */
  async start(): Promise<readonly XmcastError[]> {
    this.#options.kernel.onChanges(() => void this.#followLinks());
    await this.#ports.configure(this.#settings.interfaces);
    await this.#followLinks();
    this.counters.start(this.#settings.dataplane.counterIntervalMs);
    return this.ports.map((port) => port.problem).filter((problem) => problem !== undefined);
  }

  /** After start(), and only once: goes on with what a controller before has left installed. */
  async takeOver(): Promise<void> {
    const removed = await this.#takeover.restore(this.#settings.dataplane.holdTimeMs);
    if (this.#closed) return;
    this.#collect(removed);
    this.#changes = this.#takeover.end(this.#changes);
    this.#settle();
    this.verification.start(this.#settings.dataplane.verifyIntervalMs);
  }

  /** takeOver() is under way, or still to come. */
  get isTakingOver(): boolean {
    return this.#takeover.isUnderWay;
  }

  /**
   * Follows a changed configuration: what it does not concern goes on as it is. Sizes of tables and the folder of pins stay as they were
   * when the data plane was opened.
   */
  async reconfigure(settings: Settings): Promise<void> {
    if (this.#closed) return;
    this.#settings = settings;
    this.budget.limit = settings.limits.memberships;
    this.mrib.configure(mribSettings(settings));
    this.counters.start(settings.dataplane.counterIntervalMs);
    this.verification.start(settings.dataplane.verifyIntervalMs);
    this.#options.dataplane.setPolicers(settings.dataplane.policers);
    await this.#ports.configure(settings.interfaces);
    this.ssm.setSettings(settings.ssmMapping);
    await this.#followLinks();
  }

  /** From the data plane, in order of arrival. */
  punted(punts: readonly Punt[]): void {
    if (this.#closed) return;
    for (const punt of punts) {
      const port = this.#ports.byVport(punt.vport);
      if (port === undefined) continue;
      if (punt.class === 'igmp_report' || punt.class === 'igmp_query') this.#igmpReceived(port, punt);
      else if (punt.class !== 'pim') this.#sourceSeen(port, punt);
    }
    this.#settle();
  }

  /** The data plane has room again for routes it refused. */
  roomMade(): void {
    if (!this.#closed) this.routes.retry(this.#nowMs());
  }

  /** What a controller before this one had installed and nobody has asked for since. */
  get unclaimed(): Unclaimed {
    return this.#takeover.unclaimed;
  }

  /** `keep`: what is forwarded goes on being so, and upstreams go on sending it. */
  async close({ keep } = { keep: false }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.close();
    this.#own.close();
    this.ssm.close();
    await this.counters.close();
    await this.verification.close();
    await Promise.all(this.ports.map((port) => port.close({ keep })));
    this.routes.close();
  }

  #igmpReceived(port: Port, punt: Punt): void {
    const packet = readIgmp(port, punt);
    if (packet === undefined) return;
    const sender = packet.source === 0 ? undefined : this.#path.ownerOf(packet.source);
    if (sender !== undefined && sender !== port) this.loops.ownMessage(sender.name, port.name, this.#nowMs());
    port.receive(packet);
  }

  #sourcesMapped(group: Ipv4): void {
    if (this.#closed) return;
    for (const port of this.ports) port.input({ kind: 'sources-mapped', group });
    this.#settle();
  }

  #sourceSeen(port: Port, punt: Punt): void {
    const ethernet = readEthernetHeader(punt.frame);
    if (ethernet === undefined || punt.frame.length < ethernet.headerLength + IPV4_HEADER_BYTES) return;
    const ip = new DataView(punt.frame.buffer, punt.frame.byteOffset + ethernet.headerLength, IPV4_HEADER_BYTES);
    const nowMs = this.#nowMs();
    const [source, group] = [ip.getUint32(IPV4_SOURCE_OFFSET), ip.getUint32(IPV4_DESTINATION_OFFSET)];
    this.#collect(this.mrib.sourceSeen(source, group, port.vport, nowMs));
    if (punt.class === 'no_route') this.#sendOn(punt, { source, group });
    const returns = punt.class === 'wrong_interface' && this.mrib.wantedRoute(source, group)?.outgoing.includes(port.vport) === true;
    if (returns) this.loops.returningStream(port.name, nowMs);
  }

  /** The packet that asked for the route: it should have been forwarded, and is, once. */
  #sendOn(punt: Punt, { source, group }: RouteKey): void {
    const route = this.mrib.wantedRoute(source, group);
    this.#writeRoutes();
    const isWanted = route !== undefined && (route.outgoing.length > 0 || route.local === true);
    if (!isWanted || route.incoming !== punt.vport || punt.frame.length < punt.frameBytes) return;
    if (this.routes.problemOf(route) !== '') return;
    this.#options.dataplane.resend(punt, { source, group }).catch((error: unknown) => {
      this.#options.log.debug({ error: errorText(error) }, 'send the first packet of a flow on');
    });
  }

  #collect(changes: readonly RouteChange[]): void {
    this.#takeover.changed(changes);
    for (const change of changes) this.#changes.push(change);
  }

  #writeRoutes(): void {
    if (this.#changes.length === 0 || this.#takeover.isUnderWay) return;
    const changes = this.#changes;
    this.#changes = [];
    this.routes.apply(changes, this.#nowMs());
  }

  /** Ends a turn: routes are written, what upstreams are asked for goes out, and the next wake-up is set. */
  #settle(): void {
    this.#writeRoutes();
    const nowMs = this.#nowMs();
    // Nor are upstreams told of less than they were.
    if (!this.#takeover.isUnderWay) this.#reports.flush(nowMs);
    this.#planHousekeeping(nowMs);
  }

  #carryOut(port: Port, effects: readonly PortEffect[]): void {
    for (const effect of effects) this.#carryOutOne(port, effect);
  }

  #carryOutOne(port: Port, effect: PortEffect): void {
    const { dataplane, log } = this.#options;
    switch (effect.kind) {
      case 'send':
        return sendIgmp(port, effect, dataplane, log);
      case 'membership':
        this.#collect(this.mrib.setDemand(port.vport, effect.group, effect.wanted));
        this.#collect(this.#takeover.membershipChanged(effect.group));
        return this.#reports.groupChanged(effect.group);
      case 'querier':
        return this.#thinkOver();
      case 'count':
        return port.dropped.add(effect.reason);
      case 'log':
        return log[effect.level]({ interface: port.name }, effect.text);
    }
  }

  async #followLinks(): Promise<void> {
    if (this.#closed) return;
    await Promise.all(this.ports.map((port) => this.#followLink(port)));
    this.#reversePathChanged();
  }

  async #followLink(port: Port): Promise<void> {
    const link = this.#links.link(port.name, port.settings.addresses);
    if (link !== port.link) await port.setLink(link);
  }

  /** As formatVlanName(), whatever the configuration calls it. */
  #placeName({ name, addresses }: InterfaceSettings): string {
    const link = this.#links.link(name, addresses);
    if (link === undefined) return name;
    const place = placeOf(link);
    return formatVlanName({ parent: place.name, id: place.vlan });
  }

  #reversePathChanged(): void {
    if (this.#closed) return;
    this.#path.changed();
    this.#collect(this.mrib.setStaticRules(activeRules(this.#settings.staticRoutes, this.ports)));
    this.#thinkOver();
    this.#reports.interfacesChanged(this.ports);
    this.#own.follow(this.ports);
    this.#settle();
  }

  #thinkOver(): void {
    this.#collect(this.mrib.reversePathChanged());
  }

  async #countersRead(current: CounterSnapshot, previous: CounterSnapshot): Promise<void> {
    for (const active of current.activeSince(previous)) {
      this.mrib.sourcesActive(active, this.#nowMs());
      if (active.length >= MANY_AT_ONCE) await nextTurn();
    }
    if (this.#closed) return;
    const nowMs = this.#nowMs();
    this.#collect(this.mrib.expireSources(nowMs));
    this.#writeRoutes();
    this.routes.retry(nowMs);
    for (const port of this.ports) port.retry();
    this.#own.follow(this.ports);
    this.#settle();
  }

  /** The data plane may have something to clean up later than it had a moment ago. */
  #planHousekeeping(nowMs: number): void {
    this.#dataplaneDueMs = this.#options.dataplane.tick(nowMs);
    this.#driver.rearm();
  }

  #nextDeadline(): number | undefined {
    let earliest = this.#dataplaneDueMs;
    const { holdEndsMs } = this.#takeover;
    if (holdEndsMs !== undefined) earliest = Math.min(earliest ?? Infinity, holdEndsMs);
    for (const port of this.ports) {
      const deadline = port.nextDeadline();
      if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  #onDeadline(nowMs: number): void {
    for (const port of this.ports) {
      const deadline = port.nextDeadline();
      if (deadline !== undefined && deadline <= nowMs) port.advance();
    }
    this.#collect(this.#takeover.sweep(nowMs));
    this.#settle();
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
