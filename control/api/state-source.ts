/**
 * What the API, the metrics and through them the CLI can see of a running router: a read-only view that daemon.ts provides.
 * Plain data, taken at the moment of the call from memory: no call here may block or read a BPF map.
 */
import type { DataplaneLink, PortMode } from '../dataplane/api';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import type { HostFilter, IgmpHostSnapshot } from '../protocol/igmp/host/api';
import type { MembershipSnapshot, QuerierSnapshot } from '../protocol/igmp/router/api';
import type { WatchSource } from './watch-source';

export interface InterfaceState {
  readonly name: string;
  /** 0 while no such interface exists. */
  readonly ifindex: number;
  /** Only of a VLAN: the interface its frames are on, and its number there. */
  readonly trunk: { readonly name: string; readonly vlan: number } | undefined;
  readonly role: 'upstream' | 'downstream';
  /** 'absent' no such interface; 'attaching' up, and not forwarding yet; 'no-address' up without IPv4 address; 'error' see `problem`. */
  readonly status: 'absent' | 'down' | 'no-address' | 'error' | 'attaching' | 'forwarding';
  /** One sentence when status is not 'forwarding', else "". */
  readonly problem: string;
  readonly mode: PortMode | 'none';
  /** Why it is not XDP, else "". */
  readonly modeReason: string;
  readonly macAddress: string;
  readonly addresses: readonly Ipv4Prefix[];
  readonly mtu: number;
  readonly ttlThreshold: number;
  readonly alternativeSubnets: readonly Ipv4Prefix[];
  readonly rxPackets: bigint;
  readonly rxBytes: bigint;
  /** Taken by a route. */
  readonly acceptedPackets: bigint;
  /** First packets of flows sent on by the controller. */
  readonly resentPackets: bigint;
  readonly originatedPackets: bigint;
  readonly txPackets: bigint;
  readonly txBytes: bigint;
  /** Data-plane drops by reason (the names of enum xm_drop_reason in bpf/abi.h, lower case), only those > 0. */
  readonly drops: ReadonlyMap<string, bigint>;
  /** Packets handed to the controller, by punt class; and those the policers held back. */
  readonly punts: ReadonlyMap<string, bigint>;
  readonly puntDrops: ReadonlyMap<string, bigint>;
  /** undefined on upstream interfaces. */
  readonly querier: QuerierSnapshot | undefined;
  /** Streams are sent to the hosts here: false on an upstream, and where another router is the querier (RFC 4605 §4.2). */
  readonly forwardsToHosts: boolean;
  /** undefined on downstream interfaces. */
  readonly host: IgmpHostSnapshot | undefined;
  /** Groups with listeners. */
  readonly memberships: number;
  readonly igmpVersion: number;
  readonly igmpReceived: ReadonlyMap<string, bigint>;
  readonly igmpSent: ReadonlyMap<string, bigint>;
  readonly igmpDropped: ReadonlyMap<string, bigint>;
}

export interface MembershipState extends MembershipSnapshot {
  readonly interface: string;
}

/** What is asked for at an upstream. */
export interface ReportState {
  readonly interface: string;
  readonly group: Ipv4;
  readonly filter: HostFilter;
}

/** Another multicast router, heard by its queries. */
export interface NeighborState {
  readonly interface: string;
  readonly address: Ipv4;
  /** It is the one that asks here. */
  readonly isQuerier: boolean;
  readonly version: 1 | 2 | 3;
  /** Since its first and its last query. */
  readonly ageMs: number;
  readonly lastHeardMs: number;
  readonly expiresMs: number;
  readonly queries: bigint;
}

/** A route as installed in the data plane. source 0 = (*,G). */
export interface RouteState {
  readonly source: Ipv4;
  readonly group: Ipv4;
  /** Bits that count, on routes for ranges; undefined: all of them (none of source 0). */
  readonly sourceLength: number | undefined;
  readonly groupLength: number | undefined;
  /** Decided by the configuration, not by hosts. */
  readonly isStatic: boolean;
  /** "" when the route has no fixed incoming interface. */
  readonly incomingInterface: string;
  readonly outgoingInterfaces: readonly string[];
  /** Where the machine itself is a member. */
  readonly localInterfaces: readonly string[];
  readonly installed: boolean;
  /** Why it is not installed ("" when it is). */
  readonly problem: string;
  readonly ageMs: number;
}

/** Counters of one route. Bytes are IP bytes (total length). */
export interface FlowState {
  readonly source: Ipv4;
  readonly group: Ipv4;
  /** As in RouteState. */
  readonly sourceLength: number | undefined;
  readonly groupLength: number | undefined;
  readonly incomingInterface: string;
  readonly outgoingInterfaces: readonly string[];
  /** Accepted from the incoming interface. */
  readonly packets: bigint;
  readonly bytes: bigint;
  /** Copies handed to the drivers of outgoing interfaces. */
  readonly replicatedPackets: bigint;
  readonly replicatedBytes: bigint;
  /** Copies the outgoing set asked for: replicated + failed + dropped + skipped, at rest. */
  readonly expectedPackets: bigint;
  /** Copies the drivers did not take. */
  readonly failedPackets: bigint;
  /** Copies stopped on their way out by TTL threshold or MTU. */
  readonly droppedPackets: bigint;
  /** Copies the kernel left out: port down or unable. */
  readonly skippedPackets: bigint;
  readonly wrongInterfacePackets: bigint;
  readonly ttlDroppedPackets: bigint;
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
  /** Wall-clock ms of the counter read these figures come from. */
  readonly readAtMs: number;
}

/** What was forwarding before the start and goes on. */
export interface TakeoverState {
  readonly ports: number;
  readonly routes: number;
  /** Of them, those that nothing known so far asks for. */
  readonly staleRoutes: number;
  readonly unclaimedMemberships: number;
  /** undefined: what nobody had claimed is gone. */
  readonly holdEndsAtMs: number | undefined;
}

export interface StatusState {
  readonly version: string;
  readonly startedAtMs: number;
  readonly ready: boolean;
  readonly interfaces: { readonly configured: number; readonly forwarding: number };
  readonly memberships: number;
  /** Groups that count towards the limit of all interfaces together. */
  readonly membershipBudget: { readonly used: number; readonly limit: number };
  readonly routes: { readonly installed: number; readonly limit: number; readonly refused: bigint };
  /** Given over the API. */
  readonly staticEntries: { readonly routes: number; readonly memberships: number; readonly limit: number; readonly expiredLeases: bigint };
  readonly replicationGroups: { readonly used: number; readonly limit: number };
  /** undefined: it began with nothing. */
  readonly takeover: TakeoverState | undefined;
  /** What somebody else had changed in the kernel and was put right, by kind. */
  readonly repairs: ReadonlyMap<string, bigint>;
  /** Of a data plane in another process; left out in one process. */
  readonly dataplane?: DataplaneLink | undefined;
  /** Things an operator should look at, one sentence each. */
  readonly conditions: readonly string[];
  /** When the counters shown began anew; undefined: with the counting. */
  readonly countersResetWallMs: number | undefined;
}

export interface StateSource extends WatchSource {
  status(): StatusState;
  interfaces(): readonly InterfaceState[];
  /** Lazily: those that are not reached yet may change meanwhile. */
  flows(): Iterable<FlowState>;
  /**
   * Reads all counters from the maps now, off the event loop; what flows() and interfaces() then return is at least that fresh.
   * Concurrent calls share one read.
   */
  refreshCounters(): Promise<void>;
}
