/**
 * The router: interfaces, memberships and sources come together here and leave as routes. Everything runs in the order in which it
 * arrives, on one event loop; decisions are made in protocol/ and mrib/, this file only carries them from one to the other.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Settings } from '../config/settings';
import type { CounterSnapshot, Punt, RouteProblem } from '../dataplane/api';
import type { XmcastError } from '../errors';
import { EventLog, type EventSink } from '../events';
import { DeadlineDriver } from '../kernel/deadline-driver';
import { Mrib } from '../mrib/mrib';
import type { RouteChange, VportId } from '../mrib/route';
import type { GroupDemand, MembershipBudget } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import { Background } from './background';
import { ChangeFeed } from './change-feed';
import { CounterPoll } from './counter-poll';
import { sendOn } from './first-packet';
import { readIgmp, sendIgmp } from './igmp-io';
import { LoopAlarm } from './loop-alarm';
import { mribSettings } from './mrib-settings';
import { Neighbors } from './neighbors';
import { Port, type PortEffect } from './port';
import { advanceDue, nextDeadlineOf } from './port-deadlines';
import { numbersOf, PortPlaces } from './port-places';
import { OwnGroups } from './own-groups';
import { PolicerWatch } from './policer-watch';
import { protocolEvent, upstreamEvent } from './protocol-events';
import { PortSet } from './port-set';
import { RouterReversePath } from './reverse-path';
import { RouteSync } from './route-sync';
import type { RouterOptions } from './router-options';
import { SsmMapper } from './ssm-mapping';
import { StaticEntries } from './static-entries';
import { streamOf } from './stream-of';
import { Takeover } from './takeover';
import { UpstreamReports } from './upstream-reports';
import { Verification } from './verification';

/** After so many others have their turn. */
const MANY_AT_ONCE = 256;
/** Routes that wait to be written: more would only wait, too. */
const MANY_WAITING = 1024;
/** Groups that are thought over in one step: some hundred microseconds where each has a source or two. */
const GROUPS_AT_ONCE = 32;

export class Router {
  readonly mrib: Mrib;
  readonly routes: RouteSync;
  readonly counters: CounterPoll;
  readonly loops: LoopAlarm;
  readonly verification: Verification;
  readonly ssm: SsmMapper;
  readonly path: RouterReversePath;
  /** For those who watch. */
  readonly feed = new ChangeFeed();
  readonly neighbors = new Neighbors((key) => this.feed.neighborChanged(key));
  readonly static: StaticEntries;
  readonly takeover: Takeover;
  /** Groups of all interfaces. */
  readonly budget: MembershipBudget;
  readonly #options: RouterOptions;
  readonly #places: PortPlaces;
  readonly #ports: PortSet;
  readonly #driver: DeadlineDriver;
  readonly #events: EventSink;
  readonly #policers: PolicerWatch;
  readonly #reports: UpstreamReports;
  readonly #own: OwnGroups;
  readonly #background: Background;
  #settings: Settings;
  #dataplaneDueMs: number | undefined;
  /** What the turn has changed so far: written together, or before something needs it. */
  #changes: RouteChange[] = [];
  #closed = false;

  constructor(options: RouterOptions) {
    const { settings, dataplane, kernel, clock, log } = options;
    this.#options = options;
    this.#settings = settings;
    this.#places = new PortPlaces(kernel);
    this.budget = { limit: settings.limits.memberships, used: 0 };
    this.#events = options.events ?? new EventLog({ log, clock });
    const events = this.#events;
    this.#policers = new PolicerWatch(events);
    this.loops = new LoopAlarm(events);
    this.verification = new Verification(dataplane, log);
    this.ssm = new SsmMapper({ settings: settings.ssmMapping, clock, log, onMapped: (group) => this.#sourcesMapped(group) });
    const deps = {
      dataplane,
      events,
      nowMs: () => clock.nowMs(),
      random: options.random ?? Math.random,
      budget: this.budget,
      ssmMapping: this.ssm,
      onEffects: (port: Port, effects: readonly PortEffect[]) => effects.forEach((effect) => this.#carryOut(port, effect)),
      onChanged: () => this.#reversePathChanged(),
    };
    this.#ports = new PortSet((vport, entry) => new Port(vport, entry, deps), { numbers: numbersOf(dataplane.takenOver), keyOf: (entry) => this.#places.nameOf(entry) });
    this.path = new RouterReversePath(() => this.ports, (address) => kernel.lookupRoute(address));
    this.mrib = new Mrib(mribSettings(settings), this.path);
    this.#reports = new UpstreamReports(this.mrib, this.path);
    this.takeover = new Takeover({
      dataplane,
      mrib: this.mrib,
      path: this.path,
      ports: () => this.ports,
      portOf: (vport) => this.portOf(vport),
      collect: (changes) => this.#collect(changes),
      nowMs: deps.nowMs,
      log,
    });
    this.#own = new OwnGroups({ ...options, events, ports: () => this.ports, onDemand: (...demand) => this.#ownDemandChanged(...demand) });
    this.routes = new RouteSync({
      dataplane,
      events,
      nowMs: deps.nowMs,
      onWritten: () => this.#planHousekeeping(this.#nowMs()),
      onApplied: (changes) => this.feed.routesWritten(changes),
    });
    this.#background = new Background({ nowMs: deps.nowMs, step: () => this.#step(), isHeldUp: () => this.routes.waiting > MANY_WAITING, onTurn: () => this.#settle() });
    this.static = new StaticEntries({
      mrib: this.mrib,
      routes: this.routes,
      ports: () => this.ports,
      onBehind: () => {
        this.#background.run();
        this.#settle();
      },
      caughtUp: () => this.#background.idle(),
      writing: this.takeover.over,
    });
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
    this.static.routes.configure(this.#settings.staticRoutes);
    await this.#ports.configure(this.#settings.interfaces);
    await this.#followLinks();
    await this.#background.idle();
    this.counters.start(this.#settings.dataplane.counterIntervalMs);
    return this.ports.map((port) => port.problem).filter((problem) => problem !== undefined);
  }

  /** After start(), and only once: goes on with what a controller before has left installed. */
  async takeOver(): Promise<void> {
    await this.#own.look();
    const removed = await this.takeover.restore(this.#settings.dataplane.holdTimeMs);
    if (this.#closed) return;
    this.#collect(removed);
    // What is installed as it is wanted is not written, and there for whoever watches all the same.
    this.feed.routesWritten(this.#changes);
    this.#changes = this.takeover.end(this.#changes);
    this.#settle();
    this.verification.start(this.#settings.dataplane.verifyIntervalMs);
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
    this.static.routes.configure(settings.staticRoutes);
    await this.#ports.configure(settings.interfaces);
    this.ssm.setSettings(settings.ssmMapping);
    await this.#followLinks();
    await this.#background.idle();
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

  /** What came of routes that the data plane could not tell of at once. */
  routesApplied(changes: readonly RouteChange[], refused: readonly RouteProblem[]): void {
    if (!this.#closed) this.routes.applied(changes, refused);
  }

  /** The data plane takes routes again. */
  dataplaneReady(): void {
    this.routes.ready();
  }

  /** The data plane can be reached (again), and may have been started anew. */
  dataplaneLinkUp(): void {
    if (this.#closed) return;
    for (const port of this.ports) port.attachAgain();
  }

  /** `keep`: what is forwarded goes on being so, and upstreams go on sending it. */
  async close({ keep } = { keep: false }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.close();
    this.#background.close();
    this.takeover.close();
    this.#own.close();
    this.ssm.close();
    await this.counters.close();
    await this.verification.close();
    await Promise.all(this.ports.map((port) => port.close({ keep })));
    this.routes.close();
  }

  #ownDemandChanged(vport: VportId, group: Ipv4, demand: GroupDemand | undefined): void {
    this.#collect(this.mrib.setLocalDemand(vport, group, demand));
    this.#reports.groupChanged(group);
    this.#settle();
  }

  #igmpReceived(port: Port, punt: Punt): void {
    if (punt.hostHasIt === true) return void this.#own.look();
    const packet = readIgmp(port, punt);
    if (packet === undefined) return;
    const sender = packet.source === 0 ? undefined : this.path.ownerOf(packet.source);
    if (sender !== undefined && sender !== port) this.loops.ownMessage(sender.name, port.name, this.#nowMs());
    const { source, message } = packet;
    port.receive(packet);
    if (message.kind === 'query' && sender === undefined) this.neighbors.queryHeard(port, source, message, this.#nowMs());
    this.feed.reported(port, message);
  }

  #sourcesMapped(group: Ipv4): void {
    if (this.#closed) return;
    for (const port of this.ports) port.input({ kind: 'sources-mapped', group });
    this.#settle();
  }

  #sourceSeen(port: Port, punt: Punt): void {
    const stream = streamOf(punt.frame);
    if (stream === undefined) return;
    const { source, group } = stream;
    const nowMs = this.#nowMs();
    this.#collect(this.mrib.sourceSeen(source, group, port.vport, nowMs));
    if (punt.class === 'no_route') {
      this.#writeRoutes();
      sendOn(punt, stream, this.mrib.wantedRoute(source, group), { ...this.#options, routes: this.routes });
    }
    const returns = punt.class === 'wrong_interface' && punt.hostHasIt !== true && this.mrib.wantedRoute(source, group)?.outgoing.includes(port.vport) === true;
    if (returns) this.loops.returningStream(port.name, nowMs);
  }

  #collect(changes: readonly RouteChange[]): void {
    this.takeover.changed(changes);
    for (const change of changes) this.#changes.push(change);
  }

  #writeRoutes(): void {
    if (this.#changes.length === 0 || this.takeover.isUnderWay) return;
    const changes = this.#changes;
    this.#changes = [];
    this.routes.apply(changes, this.#nowMs());
  }

  /** Ends a turn: routes are written, what upstreams are asked for goes out, and the next wake-up is set. */
  #settle(): void {
    this.#writeRoutes();
    const nowMs = this.#nowMs();
    // Nor are upstreams told of less than they were.
    if (!this.takeover.isUnderWay) this.#reports.flush(nowMs);
    this.#planHousekeeping(nowMs);
  }

  #carryOut(port: Port, effect: PortEffect): void {
    const { dataplane, log } = this.#options;
    switch (effect.kind) {
      case 'send':
        return sendIgmp(port, effect, dataplane, log);
      case 'membership':
        this.#collect(this.mrib.setDemand(port.vport, effect.group, effect.wanted));
        this.#collect(this.takeover.membershipChanged(effect.group));
        this.feed.membershipChanged(port, effect.group);
        return this.#reports.groupChanged(effect.group);
      case 'wanted':
        return this.feed.reportChanged(port, effect.group);
      case 'querier':
        this.#thinkOver();
        return this.feed.interfacesTouched(this.ports);
      case 'count':
        return port.dropped.add(effect.reason);
      case 'log':
        this.#events.report(protocolEvent(port.name, effect));
        return this.feed.interfacesTouched(this.ports);
    }
  }

  async #followLinks(): Promise<void> {
    if (this.#closed) return;
    await Promise.all(this.ports.map((port) => this.#followLink(port)));
    this.#reversePathChanged();
  }

  async #followLink(port: Port): Promise<void> {
    const link = this.#places.linkOf(port.settings);
    if (link !== port.link) await port.setLink(link);
  }

  #reversePathChanged(): void {
    if (this.#closed) return;
    const upstreams = this.path.upstreamsName;
    this.path.changed();
    if (upstreams !== this.path.upstreamsName) this.#events.report(upstreamEvent(this.path.upstreams(0).map((vport) => this.portOf(vport)?.name ?? '')));
    this.static.interfacesChanged();
    this.#thinkOver();
    this.#reports.interfacesChanged(this.ports);
    this.#own.follow();
    this.neighbors.follow(this.ports);
    this.feed.interfacesTouched(this.ports);
    this.#settle();
  }

  /** Begins at once, and goes on piece by piece. */
  #thinkOver(): void {
    this.mrib.reversePathChanged();
    this.#background.run();
  }

  /** A piece of what is to do when nothing else is; false when that is nothing. */
  #step(): boolean {
    const changes = this.static.step() ?? (this.mrib.isThinking ? this.mrib.thinkOver(GROUPS_AT_ONCE) : undefined);
    this.#collect(changes ?? []);
    return changes !== undefined;
  }

  async #countersRead(current: CounterSnapshot, previous: CounterSnapshot): Promise<void> {
    for (const active of current.activeSince(previous)) {
      this.mrib.sourcesActive(active, this.#nowMs());
      this.feed.flowsActive(active);
      if (active.length >= MANY_AT_ONCE) await nextTurn();
    }
    if (this.#closed) return;
    const nowMs = this.#nowMs();
    this.feed.flowsRead();
    this.feed.interfacesTouched(this.ports);
    this.neighbors.expire(this.ports, nowMs);
    this.#policers.countersRead(this.ports, { current, previous }, nowMs);
    this.#collect(this.mrib.expireSources(nowMs));
    this.#writeRoutes();
    this.routes.retry(nowMs);
    for (const port of this.ports) port.retry();
    this.#own.follow();
    this.#settle();
  }

  /** The data plane may have something to clean up later than it had a moment ago. */
  #planHousekeeping(nowMs: number): void {
    this.#dataplaneDueMs = this.#options.dataplane.tick(nowMs);
    this.#driver.rearm();
  }

  #nextDeadline(): number | undefined {
    return nextDeadlineOf(this.ports, [this.#dataplaneDueMs, this.takeover.holdEndsMs]);
  }

  #onDeadline(nowMs: number): void {
    advanceDue(this.ports, nowMs);
    this.#collect(this.takeover.sweep(nowMs));
    this.#settle();
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
