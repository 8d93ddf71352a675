/** What the bench and the worker in the router's namespace say to each other: one JSON request a line, one answer each. */
import type { MemoryAnswer } from '../forward/protocol';

export interface BenchPort {
  readonly name: string;
  readonly ifindex: number;
  /** "02:00:…" */
  readonly mac: string;
  readonly mtu: number;
}

export interface OpenRequest {
  readonly do: 'open';
  /** The first is where packets come in. */
  readonly ports: readonly BenchPort[];
  readonly pinPath: string;
  readonly benchPinPath: string;
  readonly routeLimit: number;
  readonly groupLimit: number;
}

export interface OpenAnswer {
  /** Pins, for "ip link set … xdp pinned". */
  readonly generatorProgram: string;
  readonly receiverProgram: string;
}

/** Interface indexes of the far ends, in the order of the outgoing ports. */
export interface ReceiversRequest {
  readonly do: 'receivers';
  readonly ifindexes: readonly number[];
}

/** Joins, each of a route of its own. */
export interface JoinsRequest {
  readonly do: 'joins';
  /** The outgoing set after the join. */
  readonly ports: number;
  /** Somebody has that set already. */
  readonly existing: boolean;
  readonly samples: number;
}

export interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export interface JoinsAnswer {
  /** From the decision to the route being in the map. */
  readonly writtenUs: Spread;
}

/** Joins of one more port to a route that packets pass by all the time. */
export interface ArrivalsRequest {
  readonly do: 'arrivals';
  readonly ports: number;
  readonly existing: boolean;
  readonly samples: number;
}

export interface ArrivalsAnswer {
  /** From the decision to the first copy at the far end of the new port. */
  readonly arrivedUs: Spread;
  /** Packets that passed during the measurement. */
  readonly streamPps: number;
}

/** Installs and removes so many routes with one outgoing set, through the queue that the router uses. */
export interface BatchRequest {
  readonly do: 'batch';
  readonly routes: number;
  /** One call each instead. */
  readonly singly: boolean;
}

export interface BatchAnswer {
  readonly installMs: number;
  readonly removeMs: number;
  /** Longest time in which nothing else ran. */
  readonly installStallMs: number;
  /** One of a hundred things that came meanwhile had to wait longer. */
  readonly installWaitP99Ms: number;
  readonly removeStallMs: number;
  readonly refused: number;
}

/** Reads the counters of so many routes, as the router does every second. */
export interface CountersRequest {
  readonly do: 'counters';
  readonly routes: number;
  readonly reads: number;
}

export interface CountersAnswer {
  readonly wallMs: Spread;
  /** Finding out, on the event loop, which routes counted packets. */
  readonly comparedMs: Spread;
  /** Longest time in which nothing else ran, by read. */
  readonly stallMs: Spread;
  /** Of this process: beside the maps. */
  readonly heapBytesPerRoute: number;
}

export interface MemoryRequest {
  readonly do: 'memory';
}

export interface FanoutRequest {
  readonly do: 'fanout';
  readonly ports: number;
  readonly packets: number;
}

export interface FanoutAnswer {
  /** Far ends that got every packet, once. */
  readonly complete: number;
  readonly fewest: number;
  readonly most: number;
  /** By xmcast's own counters. */
  readonly expected: number;
  readonly copies: number;
}

export interface CloseRequest {
  readonly do: 'close';
}

export interface Answers {
  readonly open: OpenAnswer;
  readonly receivers: object;
  readonly joins: JoinsAnswer;
  readonly arrivals: ArrivalsAnswer;
  readonly batch: BatchAnswer;
  readonly counters: CountersAnswer;
  readonly memory: MemoryAnswer;
  readonly fanout: FanoutAnswer;
  readonly close: object;
}

export type Request =
  | OpenRequest
  | ReceiversRequest
  | JoinsRequest
  | ArrivalsRequest
  | BatchRequest
  | CountersRequest
  | MemoryRequest
  | FanoutRequest
  | CloseRequest;
