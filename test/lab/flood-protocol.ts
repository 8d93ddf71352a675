/** What flood.ts asks of its worker, and what that answers. Types only. */

export interface OpenFlood {
  readonly do: 'open';
  /** Compiled flood.bpf.c. */
  readonly objectPath: string;
  readonly pinPath: string;
  /** The interface the stream leaves by. */
  readonly ifindex: number;
  readonly source: string;
  readonly group: string;
  /** Bytes of UDP payload. */
  readonly payload: number;
  /** In which VLANs each receiver counts; 0: untagged. */
  readonly receivers: readonly (readonly number[])[];
}

export type FloodRequest =
  | OpenFlood
  | { readonly do: 'start'; readonly ratePps: number }
  | { readonly do: 'stop' }
  | { readonly do: 'report' };

export interface FloodCount {
  readonly packets: number;
  readonly missing: number;
  /** Repeated, or out of order. */
  readonly behind: number;
  /** The number that should come now. */
  readonly next: number;
}

export interface FloodAnswers {
  readonly open: object;
  readonly start: object;
  readonly stop: object;
  readonly report: { readonly sent: number; readonly receivers: readonly FloodCount[] };
}
