/**
 * The running router as the API and the metrics see it: reads what the parts hold in memory, changes nothing.
 */
import type { Dataplane, DataplaneLink, RouteCounters, VportCounters } from '../dataplane/api';
import { PUNT_CLASSES, skippedCopies } from '../dataplane/api';
import type { FlowState, InterfaceState, MembershipState, NeighborState, ReportState, RouteState, StateSource, StatusState, TakeoverState } from '../api/state-source';
import type { MembershipKey, NeighborKey, ReportKey, WatchTable } from '../api/watch-source';
import type { WatchUsage } from '../api/watch-usage';
import type { Clock } from '../kernel/clock';
import { nameOf } from '../mrib/route';
import type { RouteKey, VportId, WantedRoute } from '../mrib/route';
import { CounterBase } from './counter-base';
import type { Port } from './port';
import type { Router } from './router';

const NO_ROUTE_COUNTERS: RouteCounters = {
  packets: 0n, bytes: 0n, expected: 0n, copies: 0n, copyBytes: 0n, failed: 0n, dropped: 0n, redirectErrors: 0n, wrongInterface: 0n, ttlDrops: 0n,
};

const UNCONFIRMED = 'sent to the data plane, which has not answered yet';
const NO_STATIC_ENTRIES = { routes: 0, memberships: 0, limit: 0, expiredLeases: 0n };

export interface RouterStateOptions {
  readonly router: Router;
  readonly dataplane: Dataplane;
  readonly clock: Clock;
  readonly version: string;
  /** From where counters are shown. Default: from where they began. */
  readonly base?: CounterBase;
  /** Default, and while it is undefined: none. */
  readonly staticEntries?: () => StatusState['staticEntries'] | undefined;
}

export class RouterState implements StateSource {
  readonly watchUsage: WatchUsage;
  readonly interfaceTable: WatchTable<string, InterfaceState>;
  readonly membershipTable: WatchTable<MembershipKey, MembershipState>;
  readonly reportTable: WatchTable<ReportKey, ReportState>;
  readonly neighborTable: WatchTable<NeighborKey, NeighborState>;
  readonly routeTable: WatchTable<RouteKey, RouteState>;
  readonly flowTable: WatchTable<RouteKey, FlowState>;
  readonly #options: RouterStateOptions;
  readonly #base: CounterBase;
  readonly #startedAtMs: number;
  /** For as long as these are the ports. */
  #named: { readonly ports: readonly Port[]; readonly byName: ReadonlyMap<string, Port> } = { ports: [], byName: new Map() };

  constructor(options: RouterStateOptions) {
    this.#options = options;
    this.#base = options.base ?? new CounterBase();
    this.#startedAtMs = options.clock.nowWallMs();
    const { router } = options;
    const { feed, mrib } = router;
    this.watchUsage = feed.usage;
    this.interfaceTable = { journal: feed.interfaces, keys: () => router.ports.map(({ name }) => name), read: (name) => this.#interfaceOf(name) };
    this.membershipTable = { journal: feed.memberships, keys: () => this.#membershipKeys(), read: (key) => this.#membershipOf(key) };
    this.reportTable = { journal: feed.reports, keys: () => this.#reportKeys(), read: (key) => this.#reportOf(key) };
    this.neighborTable = { journal: feed.neighbors, keys: () => router.neighbors.keys(router.ports), read: (key) => this.#neighborOf(key) };
    this.routeTable = { journal: feed.routes, keys: () => mrib.wantedRoutes(), read: (key) => mapped(mrib.routeOf(key), (route) => this.#route(route)) };
    this.flowTable = { journal: feed.flows, keys: () => mrib.wantedRoutes(), read: (key) => mapped(mrib.routeOf(key), (route) => this.#flow(route)) };
  }

  status(): StatusState {
    const { router, dataplane, version, staticEntries } = this.#options;
    const { routes, routeLimit, groups, groupLimit } = dataplane.usage;
    return {
      version,
      startedAtMs: this.#startedAtMs,
      ready: !router.takeover.isUnderWay && router.ports.every((port) => port.problem === undefined) && dataplane.link?.isUp !== false,
      dataplane: dataplane.link,
      interfaces: { configured: router.ports.length, forwarding: router.ports.filter((port) => port.usable).length },
      memberships: router.ports.reduce((sum, port) => sum + (port.igmp?.membershipCount ?? 0), 0),
      membershipBudget: { used: router.budget.used, limit: router.budget.limit },
      routes: { installed: routes, limit: routeLimit, refused: router.routes.refused },
      staticEntries: staticEntries?.() ?? NO_STATIC_ENTRIES,
      replicationGroups: { used: groups, limit: groupLimit },
      takeover: this.#takeover(),
      repairs: dataplane.repairs,
      conditions: this.#conditions(),
      countersResetWallMs: this.#base.resetWallMs,
    };
  }

  interfaces(): readonly InterfaceState[] {
    return this.#options.router.ports.map((port) => this.#interface(port));
  }

  *flows(): Iterable<FlowState> {
    for (const route of this.#options.router.mrib.wantedRoutes()) yield this.#flow(route);
  }

  refreshCounters(): Promise<void> {
    return this.#options.router.counters.refresh();
  }

  #takeover(): TakeoverState | undefined {
    const { router, dataplane, clock } = this.#options;
    const { takenOver } = dataplane;
    if (takenOver === undefined) return undefined;
    const { routes, memberships, holdEndsMs } = router.takeover.unclaimed;
    return {
      ports: takenOver.ports.length,
      routes: takenOver.routes.length,
      staleRoutes: routes,
      unclaimedMemberships: memberships,
      holdEndsAtMs: holdEndsMs === undefined ? undefined : clock.nowWallMs() + holdEndsMs - clock.nowMs(),
    };
  }

  #route(route: WantedRoute): RouteState {
    const { router, dataplane, clock } = this.#options;
    const nowMs = clock.nowMs();
    const installedAtMs = dataplane.installedAtMs(nameOf(route));
    const problem = router.routes.problemOf(route) || (dataplane.link !== undefined && installedAtMs === undefined ? UNCONFIRMED : '');
    const ageMs = nowMs - (installedAtMs ?? nowMs);
    const localInterfaces = (route.local ?? []).map((vport) => this.#nameOf(vport));
    return { ...keyOf(route), isStatic: router.mrib.isStatic(route), ...this.#interfacesOf(route), localInterfaces, installed: problem === '', problem, ageMs };
  }

  #flow(route: WantedRoute): FlowState {
    const { router, dataplane } = this.#options;
    const { counters } = router;
    const name = nameOf(route);
    const counted = counters.snapshot.route(name) ?? NO_ROUTE_COUNTERS;
    const found = this.#base.route(name, counted, dataplane.installedAtMs(name));
    return {
      ...keyOf(route),
      ...this.#interfacesOf(route),
      packets: found.packets,
      bytes: found.bytes,
      replicatedPackets: found.copies,
      replicatedBytes: found.copyBytes,
      expectedPackets: found.expected,
      failedPackets: found.failed,
      droppedPackets: found.dropped,
      skippedPackets: skippedCopies(found),
      wrongInterfacePackets: found.wrongInterface,
      ttlDroppedPackets: found.ttlDrops,
      ...counters.rateOf(name, counted),
      readAtMs: counters.readAtWallMs,
    };
  }

  #interfaceOf(name: string): InterfaceState | undefined {
    return mapped(this.#portOf(name), (port) => this.#interface(port));
  }

  #membershipOf({ interface: name, group }: MembershipKey): MembershipState | undefined {
    const found = this.#portOf(name)?.igmp?.membership(group, this.#options.clock.nowMs());
    return mapped(found, (membership) => ({ ...membership, interface: name }));
  }

  *#membershipKeys(): Iterable<MembershipKey> {
    for (const port of this.#options.router.ports) for (const group of port.igmp?.groups() ?? []) yield { interface: port.name, group };
  }

  *#reportKeys(): Iterable<ReportKey> {
    for (const port of this.#options.router.ports) for (const { group } of port.host?.wanted() ?? []) yield { interface: port.name, group };
  }

  #reportOf({ interface: name, group }: ReportKey): ReportState | undefined {
    return mapped(this.#portOf(name)?.host?.wantedOf(group), (filter) => ({ interface: name, group, filter }));
  }

  #neighborOf({ interface: name, address }: NeighborKey): NeighborState | undefined {
    const { router, clock } = this.#options;
    return mapped(this.#portOf(name), (port) => router.neighbors.read(port, address, clock.nowMs()));
  }

  #portOf(name: string): Port | undefined {
    const { ports } = this.#options.router;
    if (this.#named.ports !== ports) this.#named = { ports, byName: new Map(ports.map((port) => [port.name, port])) };
    return this.#named.byName.get(name);
  }

  #interfacesOf(route: WantedRoute): { readonly incomingInterface: string; readonly outgoingInterfaces: readonly string[] } {
    return {
      incomingInterface: route.incoming === undefined ? '' : this.#nameOf(route.incoming),
      outgoingInterfaces: route.outgoing.map((vport) => this.#nameOf(vport)),
    };
  }

  #nameOf(vport: VportId): string {
    return this.#options.router.portOf(vport)?.name ?? '';
  }

  #interface(port: Port): InterfaceState {
    const { clock, router } = this.#options;
    const link = port.link;
    const { received, sent, dropped } = this.#base.counts(port);
    return {
      name: port.name,
      ifindex: link?.ifindex ?? 0,
      trunk: link?.trunk,
      role: port.settings.upstream === undefined ? 'downstream' : 'upstream',
      ...condition(port),
      mode: port.attachment?.mode ?? 'none',
      modeReason: port.attachment?.reason ?? '',
      macAddress: link === undefined ? '' : [...link.macAddress].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
      addresses: link?.addresses ?? [],
      mtu: link?.mtu ?? 0,
      ttlThreshold: port.settings.ttlThreshold,
      alternativeSubnets: port.settings.alternativeSubnets,
      ...this.#counters(this.#base.vport(port, router.counters.snapshot.vport(port.vport))),
      querier: port.igmp?.querier(clock.nowMs()),
      forwardsToHosts: port.forwardsToHosts,
      host: port.host?.snapshot(clock.nowMs()),
      memberships: port.igmp?.membershipCount ?? 0,
      igmpVersion: port.settings.igmp.version,
      igmpReceived: received,
      igmpSent: sent,
      igmpDropped: dropped,
    };
  }

  #counters(found: VportCounters | undefined): Pick<InterfaceState, 'rxPackets' | 'rxBytes' | 'acceptedPackets' | 'resentPackets' | 'originatedPackets' | 'txPackets' | 'txBytes' | 'drops' | 'punts' | 'puntDrops'> {
    const { dropReasons } = this.#options.dataplane;
    const heldBack = PUNT_CLASSES.map((_, i) => (found?.puntsPoliced[i] ?? 0n) + (found?.puntsLost[i] ?? 0n));
    return {
      rxPackets: found?.rxPackets ?? 0n,
      rxBytes: found?.rxBytes ?? 0n,
      acceptedPackets: found?.acceptedPackets ?? 0n,
      resentPackets: found?.resentPackets ?? 0n,
      originatedPackets: found?.originatedPackets ?? 0n,
      txPackets: found?.txPackets ?? 0n,
      txBytes: found?.txBytes ?? 0n,
      drops: labelled(dropReasons, found?.drops ?? []),
      punts: labelled(PUNT_CLASSES, found?.punts ?? []),
      puntDrops: labelled(PUNT_CLASSES, heldBack),
    };
  }

  #conditions(): readonly string[] {
    const { router, clock, dataplane } = this.#options;
    const conditions = router.ports.flatMap((port) => [condition(port).problem, fallback(port)]).filter((problem) => problem !== '');
    if (dataplane.link?.isUp === false) conditions.unshift(unreachable(dataplane.link));
    const refused = router.routes.problemCount;
    if (refused > 0) conditions.push(`${refused} routes are not installed: see "xmcastctl routes".`);
    const unrepaired = router.verification.problems.map((problem) => `${problem}.`);
    return [...conditions, ...unrepaired, ...router.loops.conditions(clock.nowMs())];
  }
}

function keyOf({ source, group, sourceLength, groupLength }: WantedRoute): Pick<RouteState, 'source' | 'group' | 'sourceLength' | 'groupLength'> {
  return { source, group, sourceLength, groupLength };
}

function mapped<Found, Made>(found: Found | undefined, make: (found: Found) => Made): Made | undefined {
  return found === undefined ? undefined : make(found);
}

function condition(port: Port): Pick<InterfaceState, 'status' | 'problem'> {
  if (port.link === undefined) return { status: 'absent', problem: `No interface named ${port.name} exists; it is taken as soon as it appears.` };
  if (port.problem !== undefined) return { status: 'error', problem: `${port.problem.message}. ${port.problem.hint}` };
  if (!port.link.up) return { status: 'down', problem: `${port.name} is down.` };
  if (!port.usable) return { status: 'attaching', problem: `${port.name} is up; the forwarder is being attached.` };
  if (port.link.addresses.length === 0) return { status: 'no-address', problem: `${port.name} has no IPv4 address: no queries can be sent there.` };
  return { status: 'forwarding', problem: '' };
}

function unreachable({ sinceMs, problem }: DataplaneLink): string {
  return `The data plane is not reachable since ${new Date(sinceMs).toISOString()}, and forwards by what it was told before: ${problem}.`;
}

/** What was chosen on purpose needs no attention. */
function fallback({ name, attachment }: Port): string {
  return attachment?.isFallback === true ? `${name} runs in tc mode, slower than XDP: ${attachment.reason}.` : '';
}

function labelled(labels: readonly string[], values: readonly bigint[]): ReadonlyMap<string, bigint> {
  const found = new Map<string, bigint>();
  labels.forEach((label, i) => {
    const value = values[i] ?? 0n;
    if (value > 0n) found.set(label, value);
  });
  return found;
}
