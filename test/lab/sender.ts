/**
 * A stream of numbered multicast datagrams from a host of the lab. A datagram that the kernel refuses uses no sequence number.
 */
import type { TrafficProcess } from './traffic-process';

/** UDP port of senders and receivers unless told otherwise. */
export const TRAFFIC_PORT = 5000;

export interface SenderOptions {
  readonly group: string;
  /** Default TRAFFIC_PORT. */
  readonly port?: number;
  /** One of the host's addresses. Default: its first. */
  readonly source?: string;
  /** Datagrams a second; 0 waits for setRate(). Default 1000. */
  readonly rate?: number;
  /** Ends after so many datagrams. Default: none. */
  readonly count?: number;
  /** Ends after so many seconds, 1 to 86400. Default: none. */
  readonly seconds?: number;
  /** UDP payload in bytes, 32 to 65507. Default 1316, seven MPEG transport packets. */
  readonly size?: number;
  /** Default 64. */
  readonly ttl?: number;
  /** Default: unique within the lab. */
  readonly streamId?: number;
}

export interface SenderStats {
  readonly sent: number;
  /** Datagrams the kernel refused, and its last reason. */
  readonly errors: number;
  readonly lastError: string | null;
  /** CLOCK_MONOTONIC; 0 before the first datagram. */
  readonly firstNs: number;
  readonly lastNs: number;
  readonly rate: number;
}

export class Sender {
  readonly streamId: number;
  readonly #traffic: TrafficProcess;

  constructor(traffic: TrafficProcess, streamId: number) {
    this.#traffic = traffic;
    this.streamId = streamId;
  }

  stats(): Promise<SenderStats> {
    return this.#traffic.command('stats');
  }

  /** Datagrams a second from now on; 0 pauses. */
  async setRate(rate: number): Promise<void> {
    await this.#traffic.command(`rate ${rate}`);
  }

  /** Resolves when `count` or `seconds` is through, or stop() was called. */
  finished(): Promise<SenderStats> {
    return this.#traffic.finished();
  }

  async stop(): Promise<SenderStats> {
    await this.#traffic.command('stop');
    return this.finished();
  }
}

export function senderArguments(options: SenderOptions, interfaceName: string, streamId: number): readonly string[] {
  const argv = ['send', '--interface', interfaceName, '--stream-id', `${streamId}`];
  argv.push('--group', options.group, '--port', `${options.port ?? TRAFFIC_PORT}`);
  for (const name of ['source', 'rate', 'count', 'seconds', 'size', 'ttl'] as const) {
    const value = options[name];
    if (value !== undefined) argv.push(`--${name}`, `${value}`);
  }
  return argv;
}
