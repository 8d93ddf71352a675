/**
 * What the controller asks of a forwarder, whatever runs it: set ports, write routes, read counters, hear punts, transmit.
 * A vport is a small integer the controller chooses; everything here speaks vports, never ifindexes.
 */
import type { RouteChange, RouteKey, VportId, WantedRoute } from '../mrib/route';

/** Classes of packets handed to the controller, each with a policer of its own so that a flood in one starves no other. */
export const PUNT_CLASSES = ['igmp_report', 'igmp_query', 'pim', 'new_source', 'no_route', 'wrong_interface'] as const;
export type PuntClass = (typeof PUNT_CLASSES)[number];

export interface PolicerSettings {
  /** Packets per second per interface. */
  readonly ratePps: number;
  readonly burst: number;
  /** Packets per second of all interfaces together; as many at once. */
  readonly totalPps: number;
}

/** What takes the packets off a port: XDP and tc, or tc alone. */
export type PortMode = 'xdp' | 'tc';

export interface PortAttachment {
  readonly mode: PortMode;
  /** Why it is not XDP, without a full stop; "" when it is. */
  readonly reason: string;
  /** XDP was tried and refused. */
  readonly isFallback: boolean;
}

export interface PortSpec {
  readonly vport: VportId;
  /** Of its device, which it may share with other ports. */
  readonly name: string;
  readonly ifindex: number;
  /** 1 to 4094: the frames with this tag on that device. Default 0: those without. */
  readonly vlan?: number;
  /** 6 bytes: the source address of every copy that leaves here. */
  readonly macAddress: Uint8Array;
  /** Bytes of IP. */
  readonly mtu: number;
  readonly ttlThreshold: number;
  /** Default 'auto': XDP where it serves all packets and the driver takes it. Of the ports of one device tc goes before XDP, XDP before auto. */
  readonly mode?: PortMode | 'auto';
  /** "veth", "bridge" …; default "", as of hardware. */
  readonly kind?: string;
  /** Kind of the device that this one is a part of: "bridge", "bond", "vrf" …. Default "": none. */
  readonly partOf?: string;
}

export interface RouteProblem extends RouteKey {
  /** One sentence: why the route is not what was wanted. The route that was there before still is. */
  readonly problem: string;
}

export interface Punt {
  readonly class: PuntClass;
  readonly vport: VportId;
  /** From the Ethernet header on; may be shorter than the frame was. */
  readonly frame: Uint8Array;
  readonly frameBytes: number;
  /** The machine sent it itself, or its applications have got it. Default false. */
  readonly hostHasIt?: boolean;
}

/** Bytes are those of the IP total length. */
export interface CopyCounters {
  /** Accepted on the incoming interface. */
  readonly packets: bigint;
  readonly bytes: bigint;
  /** Copies the outgoing set asked for. At rest: copies + failed + dropped + skipped, see skippedCopies(). */
  readonly expected: bigint;
  /** Copies the drivers took. */
  readonly copies: bigint;
  readonly copyBytes: bigint;
  /** Copies the drivers, or the queues in front of them, did not take. */
  readonly failed: bigint;
  /** Copies stopped on their way out by TTL threshold or MTU. */
  readonly dropped: bigint;
}

export interface RouteCounters extends CopyCounters {
  /** Packets the kernel could not replicate to every port. */
  readonly redirectErrors: bigint;
  readonly wrongInterface: bigint;
  /** Packets and copies. */
  readonly ttlDrops: bigint;
}

/** Copies the kernel left out without a word: port down, without XDP transmit, or behind one that could not be replicated to. */
export function skippedCopies(counters: CopyCounters): bigint {
  const skipped = counters.expected - counters.copies - counters.failed - counters.dropped;
  // The parts are read one after the other while packets pass.
  return skipped > 0n ? skipped : 0n;
}

export interface VportCounters {
  readonly rxPackets: bigint;
  readonly rxBytes: bigint;
  /** Sent on by resend(). */
  readonly resentPackets: bigint;
  /** Sent out here by the machine itself, as if they had come in. */
  readonly originatedPackets: bigint;
  /** Taken by a route: rx + resent + originated = accepted + drops before a route + punts of class no_route. */
  readonly acceptedPackets: bigint;
  readonly txPackets: bigint;
  readonly txBytes: bigint;
  /** In the order of `dropReasons`. */
  readonly drops: readonly bigint[];
  /** In the order of PUNT_CLASSES. */
  readonly punts: readonly bigint[];
  readonly puntsPoliced: readonly bigint[];
  readonly puntsLost: readonly bigint[];
}

/** All counters as they were read at one time. Makes objects only of what is asked for: there may be a hundred thousand routes. */
export interface CounterSnapshot {
  /** By routeName(). Counted since the route was first installed; undefined when it was not installed yet, or is not any more. */
  route(name: string): RouteCounters | undefined;
  vport(vport: VportId): VportCounters | undefined;
  /** Names of the routes there are counters of. */
  routeNames(): Iterable<string>;
  /** Installed routes that have accepted packets since `earlier` was read, in pieces: to be worked off with other things in between. */
  activeSince(earlier: CounterSnapshot): Iterable<readonly RouteKey[]>;
}

/** Before anything was read. */
export const NO_COUNTERS: CounterSnapshot = {
  route: () => undefined,
  vport: () => undefined,
  routeNames: () => [],
  activeSince: () => [],
};

/** What can be found otherwise than it was left, see Dataplane.verify(). */
export const REPAIR_KINDS = ['route', 'index', 'group', 'port', 'attachment', 'pin', 'device', 'setting'] as const;
export type RepairKind = (typeof REPAIR_KINDS)[number];

/** What a comparison has found. */
export interface Verification {
  readonly repairs: ReadonlyMap<RepairKind, number>;
  /** What cannot be put right, one sentence each. */
  readonly problems: readonly string[];
}

/** What was forwarding before this controller began, and goes on. */
export interface TakenOver {
  readonly ports: readonly Pick<PortSpec, 'vport' | 'name' | 'ifindex' | 'vlan'>[];
  readonly routes: readonly WantedRoute[];
}

export interface DataplaneUsage {
  readonly routes: number;
  readonly routeLimit: number;
  readonly groups: number;
  readonly groupLimit: number;
}

/** The way to a data plane in another process. */
export interface DataplaneLink {
  /** "unix:///run/xmcast/dataplane.sock" */
  readonly target: string;
  /** It takes what it is told, and what is installed there is what is wanted. */
  readonly isUp: boolean;
  /** Wall clock: since when it is as it is. */
  readonly sinceMs: number;
  /** Why it is not up, without a full stop; "" when it is. */
  readonly problem: string;
  /** Times it came up. */
  readonly connects: number;
  /** Packets for the controller that were lost on the way, since the data plane started. */
  readonly puntsLost: bigint;
}

export interface Dataplane {
  /** Names of the drop reasons, by their numbers. */
  readonly dropReasons: readonly string[];
  readonly usage: DataplaneUsage;
  /** What somebody else had changed in the kernel and was put right, by kind. */
  readonly repairs: ReadonlyMap<RepairKind, bigint>;
  /** undefined: it began with nothing. */
  readonly takenOver: TakenOver | undefined;
  /** undefined: the data plane is in this process. */
  readonly link: DataplaneLink | undefined;
  /** applyRoutes() is not to be called now, what is to be written waits: it says so itself (onReady) when that is over. */
  readonly isBusy: boolean;
  /** Attaches the forwarder, or applies what has changed of a port. Rejects with XmcastError; the port is then detached. */
  setPort(port: PortSpec): Promise<PortAttachment>;
  /** Idempotent; also when the device is gone already. */
  removePort(vport: VportId): Promise<void>;
  /** From the next packet on. */
  setPolicers(policers: Readonly<Record<PuntClass, PolicerSettings>>): void;
  /**
   * Writes the changes in order, synchronously: meant for some hundreds. Each is atomic: packets see the old route or the new one. Where
   * one route changes several times only the last may be written. Returns those that were refused; undefined when that is not known yet:
   * onApplied then tells.
   */
  applyRoutes(changes: readonly RouteChange[], nowMs: number): readonly RouteProblem[] | undefined;
  /** When this route was installed, by nameOf(); a change of it does not count. undefined while it is not there, or not known to be. */
  installedAtMs(name: string): number | undefined;
  /** Reads every counter, off the event loop. */
  readCounters(): Promise<CounterSnapshot>;
  /**
   * A punted packet once more through the forwarder, as if it had just come in there: for the one that asked for a route, when the route
   * is there. Not when more of the stream was lost meanwhile: a stream that begins a little later is better than one that begins with a
   * hole. Off the event loop.
   */
  resend(punt: Punt, key: RouteKey): Promise<void>;
  /** Sends a whole Ethernet frame. Returns the errno name when the driver refused it, else undefined. */
  transmit(vport: VportId, frame: Uint8Array): string | undefined;
  /** Housekeeping that is due (replication groups whose rest is over). Returns when to call again. */
  tick(nowMs: number): number | undefined;
  /** Compares what is installed with what should be, and puts right what somebody else has changed. One at a time. */
  verify(): Promise<Verification>;
  /** Detaches everything and removes every pin; with `keep` it goes on forwarding, for a later controller to take over. Idempotent. */
  close(options?: { readonly keep: boolean }): Promise<void>;
}

/** What a data plane says by itself. */
export interface DataplaneEvents {
  /** In order of arrival. */
  readonly onPunts: (punts: readonly Punt[]) => void;
  /** There is room that there was not before: routes that were refused may be tried again. */
  readonly onRoom: () => void;
  /** Something went wrong that forwarding survives: one sentence. */
  readonly onTrouble: (message: string) => void;
  /** What came of changes that applyRoutes() could not say at once, without those that a later one has overtaken. */
  readonly onApplied: (changes: readonly RouteChange[], refused: readonly RouteProblem[]) => void;
  /** isBusy is over. */
  readonly onReady: () => void;
  /** The link has come up (again): every port is to be set once more, since the data plane may be another one. */
  readonly onLinkUp: () => void;
}

export interface InstalledRoute {
  readonly route: WantedRoute;
  readonly installedAtMs: number;
}

/** The order of the columns of a CounterPiece. */
export const ROUTE_COUNTER_FIELDS = [
  'packets', 'bytes', 'expected', 'copies', 'copyBytes', 'failed', 'dropped', 'redirectErrors', 'wrongInterface', 'ttlDrops',
] as const satisfies readonly (keyof RouteCounters)[];

/** Counters of some routes: the n-th value of each column is of the n-th key. */
export interface CounterColumns {
  readonly keys: readonly RouteKey[];
  /** In the order of ROUTE_COUNTER_FIELDS. */
  readonly columns: readonly BigUint64Array[];
}

export interface LocalCounterSnapshot extends CounterSnapshot {
  /** Routes of which any counter has changed since `earlier` was read; undefined: all. In pieces, as activeSince(). */
  changedSince(earlier: LocalCounterSnapshot | undefined): Iterable<CounterColumns>;
}

/** A data plane in this process: it knows at once what came of a write, and what is installed. */
export interface LocalDataplane extends Dataplane {
  readonly maxVport: VportId;
  applyRoutes(changes: readonly RouteChange[], nowMs: number): readonly RouteProblem[];
  readCounters(): Promise<LocalCounterSnapshot>;
  /** By nameOf(). */
  installedRoute(name: string): InstalledRoute | undefined;
  /** Follows what is installed and removed while it is walked. */
  installedRoutes(): Iterable<InstalledRoute>;
}
