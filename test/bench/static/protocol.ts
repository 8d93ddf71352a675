/** What the bench and the daemon under it say to each other beside the API. */
export interface OpenRequest {
  readonly do: 'open';
  readonly configPath: string;
  readonly stateDir: string;
}

/** What happens from now on is watched. */
export interface BeginRequest {
  readonly do: 'begin';
}

export interface EndRequest {
  readonly do: 'end';
}

/** What is in use after a collection. */
export interface HeapRequest {
  readonly do: 'heap';
}

export interface CloseRequest {
  readonly do: 'close';
}

export type Request = OpenRequest | BeginRequest | EndRequest | HeapRequest | CloseRequest;

export interface Watched {
  /** The longest time in which nothing else ran. */
  readonly stallMs: number;
  /** One of a hundred waits was longer. */
  readonly waitP99Ms: number;
  readonly cpuMs: number;
}

export interface Answers {
  readonly open: Record<string, never>;
  readonly begin: Record<string, never>;
  readonly end: Watched;
  readonly heap: { readonly bytes: number };
  readonly close: Record<string, never>;
}
