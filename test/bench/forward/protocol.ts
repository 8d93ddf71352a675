/**
 * What the bench and its worker say to each other: one JSON request a line, one answer each (the line protocol of xmtraffic). The
 * worker runs inside the router's namespace and does everything that needs the kernel; the bench decides and reports.
 */

/** Who gets the frames. `tc` is xmcast on a port in tc mode. `egress` is `bare` with an egress program that does nothing; `drop` is nobody: it shows what a frame costs before anyone has touched it. */
export const CONTENDERS = ['xmcast', 'tc', 'kernel', 'bare', 'egress'] as const;
export type ContenderName = (typeof CONTENDERS)[number] | 'drop';

export interface RouterPort {
  readonly name: string;
  readonly ifindex: number;
  /** "02:00:…" */
  readonly mac: string;
  readonly mtu: number;
}

/** Loads and attaches everything. The first port is where frames come in. */
export interface OpenRequest {
  readonly do: 'open';
  readonly ports: readonly RouterPort[];
  readonly pinPath: string;
  /** Folder on a bpffs for programs that others must find: the receivers' program, and the forwarder's own. */
  readonly benchPinPath: string;
  readonly routeLimit: number;
  /** Port counts that will be measured, each with a bare broadcast map of exactly its size and a route of its own. */
  readonly portCounts: readonly number[];
}
export interface OpenAnswer {
  /** Pins, for "ip link set … xdp pinned". */
  readonly receiverProgram: string;
  readonly generatorProgram: string;
}

/** Interface indexes of the receivers, in the order of the outgoing ports. */
export interface ReceiversRequest {
  readonly do: 'receivers';
  readonly ifindexes: readonly number[];
}

/** Installs this many routes to as many ports, from as many sources to one group. */
export interface FillRequest {
  readonly do: 'fill';
  readonly routes: number;
  readonly ports: number;
}
export interface FillAnswer {
  readonly elapsedMs: number;
  /** Memory of the controller's own process that went into them. */
  readonly heapBytes: number;
}

/** One run of one contender. */
export interface SliceRequest {
  readonly do: 'slice';
  readonly contender: ContenderName;
  readonly ports: number;
  /** On the wire of a veth: without frame check sequence. */
  readonly frameBytes: number;
  readonly frames: number;
  /** 0: the one route of this port count. Else the routes of the last fill, as many of them as this. */
  readonly fillRoutes: number;
}
export interface SliceAnswer {
  readonly elapsedNs: number;
  /** See cpu-clock.ts. */
  readonly cpuNs: number;
  /** By outgoing port, all of them: also those that should get nothing. */
  readonly packets: readonly number[];
  readonly bytes: readonly number[];
}

/** The forwarder's own counters since they were asked for last. */
export interface CountersRequest {
  readonly do: 'counters';
}
export interface CountersAnswer {
  readonly accepted: number;
  /** Sums over all routes. */
  readonly routeCopies: number;
  readonly routeCopyBytes: number;
  /** By outgoing port. */
  readonly portPackets: readonly number[];
  readonly portBytes: readonly number[];
}

export interface MemoryRequest {
  readonly do: 'memory';
}
export interface MemoryAnswer {
  readonly cpus: number;
  readonly perRouteBytes: number;
  readonly perVportBytes: number;
  /** Maps whose size depends on neither. */
  readonly fixedBytes: number;
  /** By slots, empty. */
  readonly groups: readonly { readonly slots: number; readonly bytes: number }[];
}

export interface CloseRequest {
  readonly do: 'close';
}

export type Request =
  OpenRequest | ReceiversRequest | FillRequest | SliceRequest | CountersRequest | MemoryRequest | CloseRequest;

export interface Answers {
  readonly open: OpenAnswer;
  readonly receivers: object;
  readonly fill: FillAnswer;
  readonly slice: SliceAnswer;
  readonly counters: CountersAnswer;
  readonly memory: MemoryAnswer;
  readonly close: object;
}
