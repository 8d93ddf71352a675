/**
 * A host of the lab that joins groups through its kernel and counts what arrives, per stream, source and group.
 */
import { TRAFFIC_PORT } from './sender';
import type { TrafficProcess } from './traffic-process';

export interface ReceiverOptions {
  /** Joined before the receiver is handed out: "239.1.1.1", or "232.1.1.1@10.0.0.1" for one source. */
  readonly joins?: readonly string[];
  /** Default TRAFFIC_PORT. */
  readonly port?: number;
  /**
   * Also count every frame on the interface, wanted or not (`onWire` and what follows from it). Costs a copy per frame.
   * Default true.
   */
  readonly wire?: boolean;
}

export interface FlowStats {
  /** 0: not from a sender of the lab, or damaged beyond recognition. */
  readonly streamId: number;
  readonly source: string;
  readonly group: string;
  /** Distinct intact datagrams. */
  readonly received: number;
  /** Sequence numbers missing between the first and the last received, without `passedBy`. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  /** More than 2^20 behind: neither received nor duplicated. */
  readonly tooOld: number;
  /** Sent while this host did not want the stream, between two times when it did. */
  readonly passedBy: number;
  /** IPv4 total lengths of `received`. */
  readonly bytes: number;
  readonly firstSequence: number | null;
  readonly lastSequence: number | null;
  readonly ttlMin: number | null;
  readonly ttlMax: number | null;
  /** From the return of the latest join (or unblock, or filter) to the first datagram after it. */
  readonly joinToFirstPacketMs: number | null;
  /** Longest time between two datagrams, leaving out the time while unwanted. */
  readonly maxGapNs: number;
  /** One way, sender's system call to receiver's kernel. */
  readonly latencyMinNs: number | null;
  readonly latencyMaxNs: number | null;
  readonly latencyAverageNs: number | null;
  /** Frames that reached the interface, repetitions and unwanted ones included. */
  readonly onWire: number;
  /** Of these, how many came while the host did not want them. */
  readonly unwanted: number;
  /** Of these, how many came after the latest leave (or block, or filter), and how long after it the last one did. */
  readonly afterLeave: number;
  readonly afterLeaveLastMs: number | null;
  readonly wanted: boolean;
}

export interface ReceiverStats {
  readonly flows: readonly FlowStats[];
  /** Datagrams whose payload is not what a sender wrote. */
  readonly corrupted: number;
  /** Losses of this host, not of the path: socket buffer full, packet socket full, frames refused by the interface. */
  readonly kernelDropped: number;
  readonly wireDropped: number;
  readonly interfaceDropped: number;
  /** Datagrams this host dropped for a bad UDP checksum. */
  readonly checksumErrors: number;
}

export interface FlowMatch {
  readonly group: string;
  readonly source?: string;
  readonly streamId?: number;
}

export class Receiver {
  readonly #traffic: TrafficProcess;

  constructor(traffic: TrafficProcess) {
    this.#traffic = traffic;
  }

  stats(): Promise<ReceiverStats> {
    return this.#traffic.command('stats');
  }

  /** The one flow that matches; all zero when nothing of it was ever seen. Fails when several match. */
  async flow(match: FlowMatch): Promise<FlowStats> {
    return findFlow(await this.stats(), match);
  }

  /** Any source, or one source. Fails with the kernel's error, e.g. EADDRINUSE when joined already. */
  async join(group: string, source?: string): Promise<void> {
    await this.#traffic.command(request('join', group, source));
  }

  async leave(group: string, source?: string): Promise<void> {
    await this.#traffic.command(request('leave', group, source));
  }

  /** Any source but this one; the group must be joined. */
  async block(group: string, source: string): Promise<void> {
    await this.#traffic.command(request('block', group, source));
  }

  async unblock(group: string, source: string): Promise<void> {
    await this.#traffic.command(request('unblock', group, source));
  }

  /** Replaces the whole filter of a joined group at once; the kernel reports the change of mode. */
  async filter(group: string, mode: 'include' | 'exclude', sources: readonly string[]): Promise<void> {
    await this.#traffic.command(['filter', group, mode, ...sources].join(' '));
  }

  /** Leaves everything, as a program that ends does. Resolves with the final count. */
  async stop(): Promise<ReceiverStats> {
    await this.#traffic.command('stop');
    return this.#traffic.finished();
  }
}

export function findFlow(stats: ReceiverStats, match: FlowMatch): FlowStats {
  const found = stats.flows.filter(
    (flow) =>
      flow.group === match.group &&
      (match.source === undefined || flow.source === match.source) &&
      (match.streamId === undefined || flow.streamId === match.streamId),
  );
  const [first, second] = found;
  if (second !== undefined) throw new Error(`${found.length} flows match ${JSON.stringify(match)}: name source or streamId`);
  return first ?? { ...NOTHING_SEEN, ...match };
}

const NOTHING_SEEN: FlowStats = {
  streamId: 0,
  source: '0.0.0.0',
  group: '0.0.0.0',
  received: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  corrupted: 0,
  tooOld: 0,
  passedBy: 0,
  bytes: 0,
  firstSequence: null,
  lastSequence: null,
  ttlMin: null,
  ttlMax: null,
  joinToFirstPacketMs: null,
  maxGapNs: 0,
  latencyMinNs: null,
  latencyMaxNs: null,
  latencyAverageNs: null,
  onWire: 0,
  unwanted: 0,
  afterLeave: 0,
  afterLeaveLastMs: null,
  wanted: false,
};

export function receiverArguments(options: ReceiverOptions, interfaceName: string): readonly string[] {
  const argv = ['receive', '--interface', interfaceName, '--port', `${options.port ?? TRAFFIC_PORT}`];
  for (const join of options.joins ?? []) argv.push('--join', join);
  if (options.wire === false) argv.push('--no-wire');
  return argv;
}

function request(verb: string, group: string, source: string | undefined): string {
  return source === undefined ? `${verb} ${group}` : `${verb} ${group} ${source}`;
}
