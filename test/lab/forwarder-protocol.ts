/**
 * What a test and the forwarder's worker say to each other: one JSON request a line, one answer each (the line protocol of xmtraffic).
 */

export interface ForwarderPort {
  readonly vport: number;
  readonly name: string;
  readonly ifindex: number;
  /** Default: untagged. */
  readonly vlan?: number;
  /** "02:00:…" */
  readonly mac: string;
  readonly mtu: number;
  readonly ttlThreshold: number;
  /** Default: XDP, if the driver takes it. */
  readonly mode?: 'xdp' | 'tc';
}

/** By vport. */
export interface ForwarderRoute {
  readonly source: string;
  readonly group: string;
  readonly incoming: number;
  /** Ascending. */
  readonly outgoing: readonly number[];
}

export interface OpenRequest {
  readonly do: 'open';
  readonly ports: readonly ForwarderPort[];
  readonly pinPath: string;
  readonly groupLimit: number;
}

export interface SetPortRequest {
  readonly do: 'setPort';
  readonly port: ForwarderPort;
}

export interface RemovePortRequest {
  readonly do: 'removePort';
  readonly vport: number;
}

export interface RoutesRequest {
  readonly do: 'routes';
  readonly routes: readonly ForwarderRoute[];
}

export interface CountersRequest {
  readonly do: 'counters';
}

export interface RouteFigures {
  readonly packets: number;
  readonly expected: number;
  /** Copies the drivers took. */
  readonly sent: number;
  /** Of IP. */
  readonly sentBytes: number;
  readonly failed: number;
  readonly dropped: number;
}

export interface PortFigures {
  readonly received: number;
  readonly sent: number;
  /** Only reasons that have occurred. */
  readonly drops: Readonly<Record<string, number>>;
}

export interface CountersAnswer {
  /** By "source group". */
  readonly routes: Readonly<Record<string, RouteFigures>>;
  /** By vport. */
  readonly ports: Readonly<Record<number, PortFigures>>;
}

/** Loads the numbered stream: its packets enter at `ingressIfindex` as if they had been received there. */
export interface StreamRequest {
  readonly do: 'stream';
  /** Compiled numbered.bpf.c. */
  readonly objectPath: string;
  /** Folder on a bpffs: for the receivers' program and what else must be found by path. */
  readonly pinPath: string;
  readonly ingressIfindex: number;
  readonly source: string;
  readonly group: string;
  readonly ipBytes: number;
  /** Default: untagged. */
  readonly vlan?: number;
  /** No XDP program receives it there: the stack does, and tc in front of it. */
  readonly toStack?: boolean;
}

/** MAX_INTERFACES of numbered.bpf.c: what comes tagged is counted by VLAN. */
export function placeOfVlan(vlan: number): number {
  return 256 + vlan;
}

export interface StreamAnswer {
  /** Pins, for "ip link set … xdp pinned". */
  readonly senderProgram: string;
  readonly receiverProgram: string;
}

/** Answered when the last packet has gone through the forwarder. */
export interface GenerateRequest {
  readonly do: 'generate';
  readonly packets: number;
  /** Default: as fast as it goes. */
  readonly ratePps?: number;
  /** Packets that enter in one go, at most 256: what one NAPI poll would bring. */
  readonly burst: number;
}

/** generate, and route changes at the same time, until both are done. */
export interface ChurnRequest {
  readonly do: 'churn';
  readonly stream: GenerateRequest;
  /** Taken in turn. */
  readonly routes: readonly ForwarderRoute[];
  readonly changes: number;
  readonly changesPerSecond: number;
}

export interface ChurnAnswer {
  readonly elapsedMs: number;
  /** Changes that were refused: the route before stayed. */
  readonly refused: number;
  readonly lastProblem: string | null;
}

/** What came to these interfaces, wherever they are, or VLANs (placeOfVlan()), by the receivers' program. */
export interface ArrivalsRequest {
  readonly do: 'arrivals';
  readonly ifindexes: readonly number[];
}

export interface Arrivals {
  readonly packets: number;
  readonly bytes: number;
  /** Numbers that were passed over. */
  readonly missing: number;
  /** Repeated, or out of order. */
  readonly behind: number;
  readonly strange: number;
  /** One more than the highest number seen. */
  readonly next: number;
}

export interface ArrivalsAnswer {
  readonly arrivals: readonly Arrivals[];
}

/** The receiver on this interface takes so long for each packet from now on. */
export interface SlowRequest {
  readonly do: 'slow';
  readonly ifindex: number;
  readonly delayNs: number;
}

export interface CloseRequest {
  readonly do: 'close';
}

export interface ForwarderAnswers {
  readonly open: object;
  readonly setPort: object;
  readonly removePort: object;
  readonly routes: object;
  readonly counters: CountersAnswer;
  readonly stream: StreamAnswer;
  readonly generate: object;
  readonly churn: ChurnAnswer;
  readonly arrivals: ArrivalsAnswer;
  readonly slow: object;
  readonly close: object;
}

export type ForwarderRequest =
  | OpenRequest
  | SetPortRequest
  | RemovePortRequest
  | RoutesRequest
  | CountersRequest
  | StreamRequest
  | GenerateRequest
  | ChurnRequest
  | ArrivalsRequest
  | SlowRequest
  | CloseRequest;
