/**
 * Keeps a Control stream to a data plane: connects, waits longer after each failure, and says when it is up and down. What is done on a new
 * stream before it counts as up is somebody else's.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { toWire } from '../api/u64';
import { errorText, type XmcastError } from '../errors';
import type { Clock } from '../kernel/clock';
import type { Log } from '../log';
import { ControlStream, unreachable, type ControlStreamEvents } from './control-stream';
import { openClient, type DataplaneAddress } from './open-client';

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5000;

export type Described = xmcast.v1.GetDataplaneResponse.$Properties;

export interface Connected {
  readonly client: Client;
  readonly stream: ControlStream;
}

export interface ConnectionOptions extends DataplaneAddress, Pick<ControlStreamEvents, 'onNews' | 'onFailure' | 'onResult'> {
  /** For people. */
  readonly name: string;
  readonly electionId: bigint;
  readonly clock: Clock;
  readonly log: Log;
  /** This controller is primary; the connection is up when this resolves. */
  readonly prepare: (connected: Connected, described: Described) => Promise<void>;
  readonly onUp: () => void;
  readonly onDown: () => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #controllerId = randomUUID();
  #connected: Connected | undefined;
  #isUp = false;
  #sinceMs: number;
  #problem = 'the connection is being made';
  #connects = 0;
  #retryMs = FIRST_RETRY_MS;
  #retryTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.nowWallMs();
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Wall clock: since when it is as it is. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Why it is not up; "" when it is. */
  get problem(): string {
    return this.#problem;
  }

  /** Times it came up. */
  get connects(): number {
    return this.#connects;
  }

  /** undefined while it is not up. */
  get up(): Connected | undefined {
    return this.#isUp ? this.#connected : undefined;
  }

  start(): void {
    const { target, name, electionId, onNews, onFailure, onResult } = this.#options;
    const client = this.#openClient();
    if (client === undefined) return;
    const stream = new ControlStream(client, target, {
      onOpened: (described) => void this.#opened(connected, described),
      onEnd: (reason) => this.#lost(connected, reason),
      onNews,
      onFailure,
      onResult,
    });
    const connected = { client, stream };
    this.#connected = connected;
    stream.tell({ open: { name, controllerId: this.#controllerId, electionId: toWire(electionId) } });
  }

  /** undefined: it will be tried again. */
  #openClient(): Client | undefined {
    try {
      return openClient(this.#options);
    } catch (error) {
      this.#again(`certificates of this controller: ${errorText(error)}`);
      return undefined;
    }
  }

  unreachable(): XmcastError {
    return unreachable(this.#options.target, this.#problem);
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retryTimer);
    this.#disconnect();
  }

  async #opened(connected: Connected, described: Described): Promise<void> {
    try {
      await this.#options.prepare(connected, described);
    } catch (error) {
      return this.#lost(connected, errorText(error));
    }
    if (this.#connected !== connected || this.#closed) return;
    this.#isUp = true;
    this.#problem = '';
    this.#sinceMs = this.#options.clock.nowWallMs();
    this.#connects++;
    this.#retryMs = FIRST_RETRY_MS;
    this.#options.onUp();
  }

  #lost(connected: Connected, reason: string): void {
    if (this.#connected === connected && !this.#closed) this.#again(reason);
  }

  #again(reason: string): void {
    const { clock, log, target } = this.#options;
    const { code, hint, message } = unreachable(target, reason);
    // Tried again and again: said once.
    if (reason !== this.#problem) log.warn({ code, hint, target }, message);
    if (this.#isUp) this.#sinceMs = clock.nowWallMs();
    this.#problem = reason;
    this.#disconnect();
    // Not all at the same moment, where several have lost the same data plane.
    this.#retryTimer = setTimeout(() => this.start(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  #disconnect(): void {
    const connected = this.#connected;
    this.#connected = undefined;
    this.#isUp = false;
    connected?.stream.close();
    connected?.client.close();
    this.#options.onDown();
  }
}
