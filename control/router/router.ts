/**
 * The router: interfaces, memberships and sources come together here and leave as routes. Everything runs in the order in which it
 * arrives, on one event loop; decisions are made in protocol/ and mrib/, this file only carries them from one to the other.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Settings } from '../config/settings';
import type { CounterSnapshot, Dataplane, Punt } from '../dataplane/api';
import { errorText, type XmcastError } from '../errors';
import type { Clock } from '../kernel/clock';
import { DeadlineDriver } from '../kernel/deadline-driver';
import type { KernelView } from '../kernel/kernel-view';
import { Mrib, type MribSettings } from '../mrib/mrib';
import type { RouteKey, VportId } from '../mrib/route';
import type { IgmpEffect } from '../protocol/igmp/router/api';
import { readEthernetHeader } from '../protocol/packet/ethernet';
import { CounterPoll } from './counter-poll';
import { receiveIgmp, sendIgmp } from './igmp-io';
import type { Log } from '../log';
import { Port } from './port';
import { RouterReversePath } from './reverse-path';
import { RouteSync } from './route-sync';

/** After so many others have their turn. */
const MANY_AT_ONCE = 256;
const IPV4_SOURCE_OFFSET = 12;
const IPV4_DESTINATION_OFFSET = 16;
const IPV4_HEADER_BYTES = 20;

export interface RouterOptions {
  readonly settings: Settings;
  readonly dataplane: Dataplane;
  readonly kernel: Pick<KernelView, 'link' | 'lookupRoute' | 'onChanges'>;
  readonly clock: Clock;
  readonly log: Log;
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
  readonly ports: readonly Port[];
  readonly mrib: Mrib;
  readonly routes: RouteSync;
  readonly counters: CounterPoll;
  readonly #options: RouterOptions;
  readonly #byVport: ReadonlyMap<VportId, Port>;
  readonly #driver: DeadlineDriver;
  #dataplaneDueMs: number | undefined;
  #closed = false;

  constructor(options: RouterOptions) {
    const { settings, dataplane, kernel, clock, log } = options;
    this.#options = options;
    const deps = {
      dataplane,
      log,
      nowMs: () => clock.nowMs(),
      onEffects: (port: Port, effects: readonly IgmpEffect[]) => this.#carryOut(port, effects),
      onChanged: () => this.#reversePathChanged(),
    };
    this.ports = settings.interfaces.map((entry, i) => new Port(i + 1, entry, deps));
    this.#byVport = new Map(this.ports.map((port) => [port.vport, port]));
    const reversePath = new RouterReversePath(this.ports, (address) => kernel.lookupRoute(address));
    this.mrib = new Mrib(mribSettings(settings), reversePath);
    this.routes = new RouteSync({ dataplane, log, nowMs: deps.nowMs, onWritten: () => this.#planHousekeeping(this.#nowMs()) });
    this.counters = new CounterPoll(dataplane, clock, log, (current, previous) => this.#countersRead(current, previous));
    this.#driver = new DeadlineDriver(clock, { nextDeadline: () => this.#nextDeadline(), onDeadline: (nowMs) => this.#onDeadline(nowMs) });
  }

  /** Takes the interfaces as they are and follows them from now on. Resolves with what could not be attached. */
  async start(): Promise<readonly XmcastError[]> {
    const { kernel, settings } = this.#options;
    kernel.onChanges(() => void this.#followLinks());
    await this.#followLinks();
    this.counters.start(settings.dataplane.counterIntervalMs);
    return this.ports.map((port) => port.problem).filter((problem) => problem !== undefined);
  }

  /** From the data plane, in order of arrival. */
  punted(punts: readonly Punt[]): void {
    if (this.#closed) return;
    for (const punt of punts) {
      const port = this.#byVport.get(punt.vport);
      if (port === undefined) continue;
      if (punt.class === 'igmp_report' || punt.class === 'igmp_query') receiveIgmp(port, punt);
      else if (punt.class === 'new_source' || punt.class === 'no_route') this.#sourceSeen(port, punt);
    }
    this.#driver.rearm();
  }

  /** The data plane has room again for routes it refused. */
  roomMade(): void {
    if (!this.#closed) this.routes.retry(this.#nowMs());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#driver.close();
    await this.counters.close();
    await Promise.all(this.ports.map((port) => port.close()));
    this.routes.close();
  }

  #sourceSeen(port: Port, punt: Punt): void {
    const ethernet = readEthernetHeader(punt.frame);
    if (ethernet === undefined || punt.frame.length < ethernet.headerLength + IPV4_HEADER_BYTES) return;
    const ip = new DataView(punt.frame.buffer, punt.frame.byteOffset + ethernet.headerLength, IPV4_HEADER_BYTES);
    const nowMs = this.#nowMs();
    const [source, group] = [ip.getUint32(IPV4_SOURCE_OFFSET), ip.getUint32(IPV4_DESTINATION_OFFSET)];
    this.routes.apply(this.mrib.sourceSeen(source, group, port.vport, nowMs), nowMs);
    this.#planHousekeeping(nowMs);
    if (punt.class === 'no_route') this.#sendOn(punt, { source, group });
  }

  /** The packet that asked for the route: it should have been forwarded, and is, once. */
  #sendOn(punt: Punt, { source, group }: RouteKey): void {
    const route = this.mrib.wantedRoute(source, group);
    if (route?.incoming !== punt.vport || route.outgoing.length === 0 || punt.frame.length < punt.frameBytes) return;
    if (this.routes.problemOf(route) !== '') return;
    this.#options.dataplane.resend(punt, { source, group }).catch((error: unknown) => {
      this.#options.log.debug({ error: errorText(error) }, 'send the first packet of a flow on');
    });
  }

  #carryOut(port: Port, effects: readonly IgmpEffect[]): void {
    for (const effect of effects) this.#carryOutOne(port, effect);
    this.#driver.rearm();
  }

  #carryOutOne(port: Port, effect: IgmpEffect): void {
    const { dataplane, log } = this.#options;
    switch (effect.kind) {
      case 'send':
        return sendIgmp(port, effect, dataplane, log);
      case 'membership': {
        const nowMs = this.#nowMs();
        this.routes.apply(this.mrib.setDemand(port.vport, effect.group, effect.wanted), nowMs);
        return this.#planHousekeeping(nowMs);
      }
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
    const link = this.#options.kernel.link(port.name);
    if (link !== port.link) await port.setLink(link);
  }

  #reversePathChanged(): void {
    if (this.#closed) return;
    const nowMs = this.#nowMs();
    this.routes.apply(this.mrib.reversePathChanged(), nowMs);
    this.#planHousekeeping(nowMs);
  }

  async #countersRead(current: CounterSnapshot, previous: CounterSnapshot): Promise<void> {
    for (const active of current.activeSince(previous)) {
      this.mrib.sourcesActive(active, this.#nowMs());
      if (active.length >= MANY_AT_ONCE) await nextTurn();
    }
    if (this.#closed) return;
    const nowMs = this.#nowMs();
    this.routes.apply(this.mrib.expireSources(nowMs), nowMs);
    this.routes.retry(nowMs);
    for (const port of this.ports) port.retry();
    this.#planHousekeeping(nowMs);
  }

  /** The data plane may have something to clean up later than it had a moment ago. */
  #planHousekeeping(nowMs: number): void {
    this.#dataplaneDueMs = this.#options.dataplane.tick(nowMs);
    this.#driver.rearm();
  }

  #nextDeadline(): number | undefined {
    let earliest = this.#dataplaneDueMs;
    for (const port of this.ports) {
      const deadline = port.igmp?.nextDeadline();
      if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
    }
    return earliest;
  }

  #onDeadline(nowMs: number): void {
    for (const port of this.ports) {
      const deadline = port.igmp?.nextDeadline();
      if (deadline !== undefined && deadline <= nowMs) port.input({ kind: 'timer' });
    }
    this.#planHousekeeping(nowMs);
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }
}
