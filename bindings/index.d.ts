/**
 * The native layer: libbpf, rtnetlink, packet and raw sockets, sd_notify. Thin, no policy.
 *
 * Every call that fails throws (or rejects with) a NativeError. Calls that may block longer than a millisecond return a Promise
 * and run on a worker thread of libuv. All buffers are copied at the boundary: the caller may reuse what it passed in.
 * close() is idempotent everywhere; using a closed object throws EBADF.
 */

/** What every failing call throws. */
export interface NativeError extends Error {
  /** Positive errno, e.g. 16. */
  readonly errno: number;
  /** Its name, e.g. "EBUSY". */
  readonly code: string;
  /** What was attempted on what, e.g. "attach XDP to ifindex 4". */
  readonly operation: string;
  /** libbpf's own words during the call (verifier log included), empty when it said nothing. */
  readonly libbpfLog: string;
  /** Of a write of many elements: so many, from the first, were done. The next one is the one that failed. */
  readonly processed?: number;
}

// ---------------------------------------------------------------- BTF

export interface BtfMember {
  readonly name: string;
  readonly offset: number;
  /** Bytes of the whole member (array included). */
  readonly size: number;
  /** Bytes of one element: equals `size` unless the member is an array. */
  readonly elementSize: number;
  /** 1 unless the member is an array. */
  readonly elements: number;
  readonly signed: boolean;
  /** Name of the struct when the member (or its element) is a struct, else "". */
  readonly struct: string;
}
export interface BtfStruct { readonly name: string; readonly size: number; readonly members: readonly BtfMember[] }
export interface BtfVariable { readonly name: string; readonly section: string; readonly offset: number; readonly size: number }
export interface BtfLayout {
  readonly structs: Readonly<Record<string, BtfStruct>>;
  /** Enumerators of all named and anonymous enums, by enumerator name. */
  readonly enumerators: Readonly<Record<string, number>>;
  /** By enum name: its enumerators in order of declaration. */
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Variables in .rodata, .data, .bss. */
  readonly variables: readonly BtfVariable[];
}

// ---------------------------------------------------------------- objects, programs, maps, links

export interface MapInfo {
  readonly name: string; readonly type: number; readonly id: number;
  readonly keySize: number; readonly valueSize: number; readonly maxEntries: number; readonly flags: number;
}

export class BpfMap {
  private constructor();
  /** Create a map outside any object (inner maps of an ARRAY_OF_MAPS). */
  static create(options: { type: number; name: string; keySize: number; valueSize: number; maxEntries: number; flags?: number }): BpfMap;
  /** Reopen a pinned map. */
  static openPinned(path: string): BpfMap;
  readonly info: MapInfo;
  /** Bytes of one value as lookup returns it: valueSize, or possible CPUs × valueSize rounded up to 8 for per-CPU maps. */
  readonly valueBytes: number;
  readonly fd: number;
  /** undefined when the key is not there. */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** flags: 0 any, 1 BPF_NOEXIST, 2 BPF_EXIST. */
  update(key: Uint8Array, value: Uint8Array, flags?: number): void;
  /** As update, on a worker thread: for writes that wait for an RCU grace period (a slot of an outer map). */
  updateAsync(key: Uint8Array, value: Uint8Array, flags?: number): Promise<void>;
  /** false when the key was not there. */
  delete(key: Uint8Array): boolean;
  /**
   * A moderate batch in one call, synchronously: keys and values are concatenated. All are written, or it throws with `processed` on the
   * error. 1,024 entries of a hash take a fraction of a millisecond; more belong into updateBatch.
   */
  updateMany(keys: Uint8Array, values: Uint8Array, count: number, flags?: number): void;
  /** As updateMany. Returns how many were there; keys that were not are passed over. */
  deleteMany(keys: Uint8Array, count: number): number;
  /** keys and values are concatenated; resolves with how many were written (all, or it rejects with `processed` on the error). */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number, flags?: number): Promise<number>;
  /** Resolves with how many were there; keys that were not are passed over. */
  deleteBatch(keys: Uint8Array, count: number): Promise<number>;
  /** Everything in the map, concatenated, read in batches on a worker thread. `values` uses valueBytes per entry. */
  lookupBatch(options?: { readonly maxEntries?: number }): Promise<{ keys: Uint8Array; values: Uint8Array; count: number }>;
  /**
   * An array with BPF_F_MMAPABLE that consists of `blocks` blocks of equal length, its values of 64-bit words: the words of the first
   * `entries` values of each block, added up over the blocks, from the map's own memory on a worker thread. EINVAL for any other map.
   */
  sumBlocks(options: { readonly blocks: number; readonly entries: number }): Promise<BigUint64Array>;
  /**
   * The memory of an array with BPF_F_MMAPABLE whose values are 64-bit words: what is written there the programs see at once. It stays
   * when the map is closed. Whole words by Atomics.store(). EINVAL for any other map.
   */
  words(): BigUint64Array;
  /** All keys, by get_next_key: for maps without batch support. Synchronous; small maps only. */
  keys(): Uint8Array[];
  pin(path: string): void;
  close(): void;
}

export interface RunResult { readonly retval: number; readonly dataOut: Uint8Array; readonly durationNs: number }

export class BpfProgram {
  private constructor();
  static openPinned(path: string): BpfProgram;
  /** Whole when it comes from a BpfObject, cut to 15 characters by the kernel when reopened from a pin. */
  readonly name: string;
  readonly fd: number;
  readonly id: number;
  /** Instructions after verification and how many the verifier looked at (kernel 5.16+, else 0). */
  readonly info: { readonly translatedInstructions: number; readonly verifiedInstructions: number };
  /**
   * BPF_PROG_TEST_RUN once or `repeat` times. For XDP, `ingressIfindex` sets ctx->ingress_ifindex (it must exist in this netns)
   * and `dataMeta` is placed in front of the packet as XDP metadata; for others, `mark` is skb->mark. `dataOut` begins at the packet, metadata left out.
   */
  run(options: { data: Uint8Array; repeat?: number; ingressIfindex?: number; mark?: number; dataMeta?: Uint8Array; dataSizeOut?: number }): RunResult;
  /** As run, on a worker thread: for programs of clsact or tcx, whose redirects are real ones. */
  runAsync(options: { data: Uint8Array; repeat?: number; ingressIfindex?: number; mark?: number; dataMeta?: Uint8Array; dataSizeOut?: number }): Promise<RunResult>;
  /** BPF_F_TEST_XDP_LIVE_FRAMES: real frames with real redirects; on a worker thread. */
  runLive(options: { data: Uint8Array; repeat: number; ingressIfindex: number; batchSize?: number }): Promise<void>;
  pin(path: string): void;
  close(): void;
}

export class BpfLink {
  private constructor();
  static openPinned(path: string): BpfLink;
  /** flags: XDP_FLAGS_DRV_MODE = 4. */
  static attachXdp(program: BpfProgram, ifindex: number, flags: number): Promise<BpfLink>;
  /** Any other attach type by number (tcx ingress 46, egress 47). */
  static attach(program: BpfProgram, ifindex: number, attachType: number): Promise<BpfLink>;
  readonly id: number;
  /** ifindex the link holds, 0 when its device is gone (XDP and tcx links). */
  readonly ifindex: number;
  /** Of the program that runs now. */
  readonly programId: number;
  update(program: BpfProgram): Promise<void>;
  pin(path: string): void;
  unpin(): void;
  /** Force-detach even while pinned elsewhere. */
  detach(): Promise<void>;
  /** Closes the descriptor: an unpinned link detaches. */
  close(): void;
}

/** Names one filter of an interface. */
export interface TcFilterPlace {
  readonly ifindex: number;
  /** Default false: on the way in. */
  readonly egress?: boolean;
  readonly priority: number;
  readonly handle: number;
}
/** Attaches to clsact ingress, for kernels without tcx (before Linux 6.6): makes the qdisc, and takes the place of what is there. */
export function attachTcFilter(program: BpfProgram, place: TcFilterPlace): Promise<void>;
/** Resolves with whether there was one. The qdisc stays: others may use it. */
export function detachTcFilter(place: TcFilterPlace): Promise<boolean>;
/** Resolves with the id of its program, 0 when there is none. */
export function queryTcFilter(place: TcFilterPlace): Promise<number>;

/**
 * IFF_ALLMULTI as an administrator sets it: stays when the process ends. Resolves with whether that has changed anything. On a worker
 * thread, like the others: they wait for the lock of the kernel's network configuration.
 */
export function setAllMulticast(ifindex: number, on: boolean): Promise<boolean>;
/** The same for IFF_PROMISC: every frame, whomever and whichever VLAN it is for. */
export function setPromiscuous(ifindex: number, on: boolean): Promise<boolean>;
/** Whether it is on, whoever has turned it on. */
export function queryAllMulticast(ifindex: number): Promise<boolean>;
export function queryPromiscuous(ifindex: number): Promise<boolean>;
/** Whether the device now does this ("rx-lro", "rx-gro-hw", … as "ethtool -k" calls it in its netlink form). false where it cannot. */
export function queryFeature(ifindex: number, feature: string): Promise<boolean>;
/** Resolves with whether that has changed anything: not where the driver has it fixed, or does not know it. */
export function setFeature(ifindex: number, feature: string, on: boolean): Promise<boolean>;

export class BpfObject {
  private constructor();
  /** Parses the ELF; nothing is in the kernel yet. */
  static open(path: string): BpfObject;
  readonly btf: BtfLayout;
  readonly programNames: readonly string[];
  /** Declared maps; the sections .rodata, .data and .bss are not among them. */
  readonly mapNames: readonly string[];
  /** Before load: write bytes at an offset of the .rodata section (offset from btf.variables). */
  setRodata(offset: number, bytes: Uint8Array): void;
  /** Before load. */
  setMaxEntries(map: string, maxEntries: number): void;
  /** Before load: use this already existing map instead of creating one. */
  reuseMap(map: string, existing: BpfMap): void;
  /** Before load: leave a program out. */
  setAutoload(program: string, autoload: boolean): void;
  load(): Promise<void>;
  /** After load. The objects stay valid after this object is closed. */
  program(name: string): BpfProgram;
  map(name: string): BpfMap;
  /** Attach a tracing program (tp_btf, fentry) by its own section. */
  attachTracing(name: string): BpfLink;
  close(): void;
}

/** Reads the BTF of an object file without opening it for load. */
export function readBtf(path: string): BtfLayout;
export function possibleCpus(): number;
/** Mounts bpffs (mount(2) with type "bpf"). */
export function mountBpffs(path: string): void;
/** statfs: is this path on a bpffs? */
export function isBpffs(path: string): boolean;
/** XDP program now on an interface of this netns, 0 when none. mode: 0 none, 1 native, 2 generic, 3 offload, 4 multi. */
export function queryXdp(ifindex: number): { programId: number; mode: number };
/** flock(LOCK_EX | LOCK_NB) on a file or directory. Throws EWOULDBLOCK when another holds it. The lock dies with close() or the process. */
export class FileLock { constructor(path: string); close(): void }

// ---------------------------------------------------------------- ring buffer

/**
 * Hands the records of a ring buffer to JavaScript in the event loop, in batches of at most `maxBatch` (256), other events between them.
 * Records of a batch share one ArrayBuffer. What JavaScript is late for stays in the ring; what finds no room there the program counts.
 */
export class RingBufferReader {
  constructor(map: BpfMap, onRecords: (records: Uint8Array[]) => void, options?: { maxBatch?: number });
  /** No callback after this. */
  close(): void;
}

// ---------------------------------------------------------------- rtnetlink

/**
 * One NETLINK_ROUTE socket. Messages go out and come in as raw bytes: parsing is TypeScript's work.
 * `groups` are RTNLGRP numbers to join (RTNLGRP_LINK 1, NEIGH 3, IPV4_IFADDR 5, IPV4_ROUTE 7, IPV4_RULE 8).
 */
export class NetlinkSocket {
  constructor(options: { groups?: readonly number[]; receiveBufferBytes?: number;
    /** One call per datagram. ENOBUFS (events were lost: dump again) and other errors go to onError. */
    onMessage: (datagram: Uint8Array) => void; onError: (error: NativeError) => void });
  /** Non-blocking send of complete netlink messages. */
  send(datagram: Uint8Array): void;
  close(): void;
}

// ---------------------------------------------------------------- packet and raw sockets

/** AF_PACKET socket on one interface. */
export class PacketSocket {
  constructor(options: { ifindex: number;
    /** 0: transmit only. 0x0003 ETH_P_ALL, 0x0800 ETH_P_IP … */
    protocol: number;
    /** Ask the interface to accept all multicast frames for as long as the socket lives (PACKET_MR_ALLMULTI). */
    allMulticast?: boolean;
    /** Also see frames this box sends (default false: PACKET_IGNORE_OUTGOING). */
    outgoing?: boolean;
    receiveBufferBytes?: number;
    /** `timestampNs`: CLOCK_REALTIME of the kernel (SO_TIMESTAMPNS). */
    onFrame?: (frame: Uint8Array, info: { timestampNs: bigint; outgoing: boolean }) => void;
    onError?: (error: NativeError) => void });
  /** A whole Ethernet frame. Throws ENETDOWN, ENXIO, EMSGSIZE, ENOBUFS … */
  send(frame: Uint8Array): void;
  close(): void;
}

/** Raw IPv4 socket (SOCK_RAW, IP_HDRINCL on send), with the arrival interface of what it receives. */
export class RawIpSocket {
  constructor(options: { protocol: number;
    onPacket?: (packet: Uint8Array, info: { ifindex: number }) => void; onError?: (error: NativeError) => void });
  /** A whole IPv4 packet out of this interface. */
  send(packet: Uint8Array, ifindex: number): void;
  close(): void;
}

// ---------------------------------------------------------------- systemd, clock

/** Sends to $NOTIFY_SOCKET (path or @abstract). Returns false when the variable is not set. */
export function sdNotify(state: string): boolean;
/** CLOCK_MONOTONIC in ns: the clock of bpf_ktime_get_ns(). */
export function monotonicNs(): bigint;
