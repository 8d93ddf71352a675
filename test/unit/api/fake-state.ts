/**
 * A StateSource that tests fill by hand: plain arrays, and a count of how often counters were asked for.
 */
import type {
  FlowState,
  InterfaceState,
  MembershipState,
  NeighborState,
  ReportState,
  RouteState,
  StateSource,
  StatusState,
} from '../../../control/api/state-source';
import { ChangeJournal } from '../../../control/api/change-journal';
import { groupText, sourceText } from '../../../control/api/route-text';
import type { MembershipKey, NeighborKey, ReportKey, WatchTable } from '../../../control/api/watch-source';
import { WatchUsage } from '../../../control/api/watch-usage';
import type { RouteKey } from '../../../control/mrib/route';
import type { IgmpHostSnapshot } from '../../../control/protocol/igmp/host/api';
import type { TrackedHost } from '../../../control/protocol/igmp/router/api';
import { parseIpv4 } from '../../../control/protocol/packet/address';

export function ip(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no IPv4 address`);
  return address;
}

export class FakeState implements StateSource {
  statusState: StatusState = {
    version: '0.1.0-test',
    startedAtMs: 1_700_000_000_500,
    ready: true,
    interfaces: { configured: 2, forwarding: 2 },
    memberships: 3,
    membershipBudget: { used: 2, limit: 131_072 },
    routes: { installed: 2, limit: 4096, refused: 0n },
    staticEntries: { routes: 5, memberships: 6, limit: 131_072, expiredLeases: 0n },
    replicationGroups: { used: 1, limit: 1024 },
    takeover: undefined,
    repairs: new Map(),
    dataplane: { target: 'unix:///run/dp.sock', isUp: true, sinceMs: 1_700_000_000_000, problem: '', connects: 2, puntsLost: 3n },
    conditions: [],
    countersResetWallMs: undefined,
  };
  interfaceStates: InterfaceState[] = [];
  membershipStates: MembershipState[] = [];
  reportStates: ReportState[] = [];
  neighborStates: NeighborState[] = [];
  routeStates: RouteState[] = [];
  flowStates: FlowState[] = [];
  refreshes = 0;
  readonly watchUsage = new WatchUsage();
  readonly interfaceTable = table(() => this.interfaceStates, ({ name }) => name, (name: string) => name);
  readonly membershipTable: WatchTable<MembershipKey, MembershipState> = table(
    () => this.membershipStates,
    (state) => `${state.interface} ${state.group}`,
    (key: MembershipKey) => `${key.interface} ${key.group}`,
    (state) => ({ interface: state.interface, group: state.group }),
  );
  readonly reportTable: WatchTable<ReportKey, ReportState> = table(
    () => this.reportStates,
    (state) => `${state.interface} ${state.group}`,
    (key: ReportKey) => `${key.interface} ${key.group}`,
    (state) => ({ interface: state.interface, group: state.group }),
  );
  readonly neighborTable: WatchTable<NeighborKey, NeighborState> = table(
    () => this.neighborStates,
    (state) => `${state.interface} ${state.address}`,
    (key: NeighborKey) => `${key.interface} ${key.address}`,
    (state) => ({ interface: state.interface, address: state.address }),
  );
  readonly routeTable: WatchTable<RouteKey, RouteState> = table(() => this.routeStates, routeText, routeText, routeKey);
  readonly flowTable: WatchTable<RouteKey, FlowState> = table(() => this.flowStates, routeText, routeText, routeKey);
  /** Replaced by tests that hold a refresh or let it fail. */
  onRefresh: () => Promise<void> = () => Promise.resolve();

  status(): StatusState {
    return this.statusState;
  }

  interfaces(): readonly InterfaceState[] {
    return this.interfaceStates;
  }

  flows(): readonly FlowState[] {
    return this.flowStates;
  }

  refreshCounters(): Promise<void> {
    this.refreshes += 1;
    return this.onRefresh();
  }
}

/** Entries of a list, found by name. A test that changes the list records the key in the journal. */
function table<Key, State>(
  list: () => readonly State[],
  nameOf: (state: State) => string,
  nameOfKey: (key: Key) => string,
  keyOf: (state: State) => Key = nameOf as unknown as (state: State) => Key,
): WatchTable<Key, State> {
  let indexed: readonly State[] | undefined;
  let index: ReadonlyMap<string, State> = new Map();
  const read = (key: Key): State | undefined => {
    if (indexed !== list()) index = new Map(list().map((state) => [nameOf(state), state]));
    indexed = list();
    return index.get(nameOfKey(key));
  };
  const keys = function* (): Iterable<Key> {
    for (const state of list()) yield keyOf(state);
  };
  return { journal: new ChangeJournal<Key>(), keys, read };
}

type Ranged = Parameters<typeof groupText>[0];

function routeText(route: Ranged): string {
  const isRange = route.groupLength !== undefined || route.sourceLength !== undefined;
  return `${sourceText(route)} ${groupText(route)}${isRange ? ' range' : ''}`;
}

function routeKey({ source, group, sourceLength, groupLength }: Ranged): RouteKey {
  return { source, group, ...(sourceLength === undefined ? {} : { sourceLength }), ...(groupLength === undefined ? {} : { groupLength }) };
}

export function neighborState(changes: Partial<NeighborState> = {}): NeighborState {
  return {
    interface: 'eth1',
    address: ip('10.1.0.2'),
    isQuerier: true,
    version: 3,
    ageMs: 600_000,
    lastHeardMs: 5_000,
    expiresMs: 250_000,
    queries: 6n,
    ...changes,
  };
}

export function interfaceState(changes: Partial<InterfaceState> = {}): InterfaceState {
  return {
    name: 'eth1',
    ifindex: 3,
    trunk: undefined,
    role: 'downstream',
    status: 'forwarding',
    problem: '',
    mode: 'xdp',
    modeReason: '',
    macAddress: '02:00:00:00:00:01',
    addresses: [{ address: ip('10.1.0.1'), length: 24 }],
    mtu: 1500,
    ttlThreshold: 1,
    alternativeSubnets: [],
    rxPackets: 0n,
    rxBytes: 0n,
    acceptedPackets: 9n,
    resentPackets: 1n,
    originatedPackets: 2n,
    txPackets: 0n,
    txBytes: 0n,
    drops: new Map(),
    punts: new Map(),
    puntDrops: new Map(),
    querier: { isQuerier: true, address: ip('10.1.0.1'), otherQuerierPresentMs: undefined },
    forwardsToHosts: true,
    host: undefined,
    memberships: 2,
    igmpVersion: 3,
    igmpReceived: new Map(),
    igmpSent: new Map(),
    igmpDropped: new Map(),
    ...changes,
  };
}

/** An interface towards the sources, with what only those have. */
export function upstreamState(host: Partial<IgmpHostSnapshot> = {}, changes: Partial<InterfaceState> = {}): InterfaceState {
  return interfaceState({
    name: 'eth0',
    role: 'upstream',
    querier: undefined,
    forwardsToHosts: false,
    memberships: 0,
    host: { version: 3, querier: ip('10.0.0.1'), lastQueryMs: 12_000, olderVersionMs: undefined, groups: 7, ...host },
    ...changes,
  });
}

export function membershipState(changes: Partial<MembershipState> = {}): MembershipState {
  return {
    interface: 'eth1',
    group: ip('239.1.1.1'),
    mode: 'exclude',
    compatibilityVersion: 3,
    groupTimerMs: 125_500,
    sources: [],
    lastReporter: ip('10.1.0.9'),
    ageMs: 61_000,
    isStatic: false,
    hosts: [trackedHost()],
    allHostsKnown: true,
    ...changes,
  };
}

export function trackedHost(changes: Partial<TrackedHost> = {}): TrackedHost {
  return { address: ip('10.1.0.9'), version: 3, mode: 'exclude', sources: [], ageMs: 61_000, lastReportMs: 4_500, ...changes };
}

export function reportState(changes: Partial<ReportState> = {}): ReportState {
  return { interface: 'eth0', group: ip('239.1.1.1'), filter: { mode: 'exclude', sources: [] }, ...changes };
}

export function routeState(changes: Partial<RouteState> = {}): RouteState {
  return {
    source: ip('10.0.0.5'),
    group: ip('239.1.1.1'),
    sourceLength: undefined,
    groupLength: undefined,
    isStatic: false,
    incomingInterface: 'eth0',
    outgoingInterfaces: ['eth1'],
    localInterfaces: [],
    installed: true,
    problem: '',
    ageMs: 5_000,
    ...changes,
  };
}

export function flowState(changes: Partial<FlowState> = {}): FlowState {
  return {
    source: ip('10.0.0.5'),
    group: ip('239.1.1.1'),
    sourceLength: undefined,
    groupLength: undefined,
    incomingInterface: 'eth0',
    outgoingInterfaces: ['eth1', 'eth2'],
    packets: 1_000n,
    bytes: 1_316_000n,
    replicatedPackets: 2_000n,
    replicatedBytes: 2_632_000n,
    expectedPackets: 2_000n,
    failedPackets: 0n,
    droppedPackets: 0n,
    skippedPackets: 0n,
    wrongInterfacePackets: 0n,
    ttlDroppedPackets: 0n,
    packetsPerSecond: 950.5,
    bitsPerSecond: 10_006_864,
    readAtMs: 1_700_000_100_000,
    ...changes,
  };
}

/** `count` different flows in no particular order. */
export function manyFlows(count: number): FlowState[] {
  // 7919 is prime and shares no factor with the counts used: the walk visits each index once, out of order.
  return Array.from({ length: count }, (_, index) => (index * 7919) % count).map((index) =>
    flowState({
      group: ip('239.0.0.0') + (index % 256),
      source: ip('10.0.0.1') + Math.floor(index / 256),
      packets: BigInt(index),
    }),
  );
}
