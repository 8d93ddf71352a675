/** What the bench and the worker in the router's namespace say to each other: one JSON request a line, one answer each. */
import type { BenchPort, Spread } from '../routes/protocol';

/** With `target` the data plane is another process; without, it is the worker's own. */
export interface OpenRequest {
  readonly do: 'open';
  readonly ports: readonly BenchPort[];
  readonly target: string | null;
  readonly pinPath: string;
  readonly routeLimit: number;
}

/** One route at a time, each when the one before is confirmed. */
export interface SinglesRequest {
  readonly do: 'singles';
  readonly samples: number;
}

export interface SinglesAnswer {
  /** From the call to the confirmation. */
  readonly confirmedUs: Spread;
}

/** So many routes through RouteSync, in lists of this length. */
export interface BatchRequest {
  readonly do: 'batch';
  readonly routes: number;
  readonly listLength: number;
}

export interface BatchAnswer {
  readonly installMs: number;
  readonly removeMs: number;
  /** The longest time in which the controller could do nothing else. */
  readonly stallMs: number;
}

export interface CountersRequest {
  readonly do: 'counters';
  readonly routes: number;
  readonly reads: number;
}

export interface CountersAnswer {
  /** A reading that tells of every route. */
  readonly completeMs: Spread;
  /** One that tells of what has changed: nothing. */
  readonly unchangedMs: Spread;
  readonly stallMs: Spread;
}

/** What has been punted since the last call. */
export interface PuntsRequest {
  readonly do: 'punts';
}

export interface PuntsAnswer {
  readonly punts: number;
  /** From the first to the last. */
  readonly elapsedMs: number;
}

export interface CloseRequest {
  readonly do: 'close';
}

export type Request = OpenRequest | SinglesRequest | BatchRequest | CountersRequest | PuntsRequest | CloseRequest;

export interface Answers {
  readonly open: object;
  readonly singles: SinglesAnswer;
  readonly batch: BatchAnswer;
  readonly counters: CountersAnswer;
  readonly punts: PuntsAnswer;
  readonly close: object;
}
