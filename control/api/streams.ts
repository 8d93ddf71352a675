/**
 * Turns plain stream handlers into grpc-js ones: one message under way at a time, an end for clients that do not read, UNAVAILABLE for all
 * when the server stops. Whatever a handler throws ends that stream with a status and never reaches the process.
 */
import { type ServerWritableStream, status, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { constants, type ServerHttp2Stream } from 'node:http2';

import type { Log } from '../log';

import { ApiError } from './api-error';
import type { ResponseStream } from './define-service';
import { statusOf } from './unary';

type Call = ServerWritableStream<object, object>;
type Handler = (request: object, stream: ResponseStream<object>) => Promise<void>;

export const STALL_MS = 30_000;

export interface StreamsOptions {
  readonly log: Log;
  /** How long a client may leave a message unread. Default 30 s. */
  readonly stallMs?: number;
}

/** A client has read nothing for too long. */
export class StallError extends ApiError {
  constructor(stallMs: number) {
    super(status.RESOURCE_EXHAUSTED, `nothing was read from this stream for ${stallMs / 1000} s; read faster, or watch less`);
  }
}

export class Streams {
  readonly #log: Log;
  readonly #stallMs: number;
  readonly #open = new Set<OpenStream>();
  #stopping = false;

  constructor({ log, stallMs = STALL_MS }: StreamsOptions) {
    this.#log = log;
    this.#stallMs = stallMs;
  }

  handlers(handlers: object): UntypedServiceImplementation {
    const entries = Object.entries(handlers) as [string, Handler][];
    return Object.fromEntries(entries.map(([name, handler]) => [name, (call: Call) => void this.#serve(name, handler, call)]));
  }

  /** Ends all streams; none is opened any more. */
  stop(): void {
    this.#stopping = true;
    for (const stream of this.#open) stream.fail(new ApiError(status.UNAVAILABLE, 'xmcastd is stopping'));
  }

  async #serve(name: string, handler: Handler, call: Call): Promise<void> {
    const stream = new OpenStream(call, this.#stallMs);
    this.#open.add(stream);
    try {
      if (this.#stopping) throw new ApiError(status.UNAVAILABLE, 'xmcastd is stopping');
      await handler(call.request, stream);
      stream.end();
    } catch (error) {
      if (!stream.isOver) stream.endWith(statusOf(name, error, this.#log));
    } finally {
      this.#open.delete(stream);
    }
  }
}

class OpenStream implements ResponseStream<object> {
  readonly #call: Call;
  readonly #stallMs: number;
  readonly #over = new AbortController();
  /** Rejects the send() under way. */
  #reject: ((error: Error) => void) | undefined;

  constructor(call: Call, stallMs: number) {
    this.#call = call;
    this.#stallMs = stallMs;
    call.on('cancelled', () => this.fail(undefined));
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get isOver(): boolean {
    return this.#over.signal.aborted;
  }

  send(response: object): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isOver) return reject(new Error('the stream is over'));
      const timer = setTimeout(() => this.#stalled(), this.#stallMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#reject = undefined;
      };
      this.#reject = (error) => {
        settle();
        reject(error);
      };
      // Called when the flow control of HTTP/2 has let all of it go.
      this.#call.write(response, () => {
        settle();
        resolve();
      });
    });
  }

  end(): void {
    if (!this.isOver) this.#call.end();
    this.#over.abort();
  }

  /** As the client sees it. */
  endWith(error: { readonly code: status; readonly details: string }): void {
    this.#call.emit('error', error);
    this.#over.abort();
  }

  /** undefined: the client is gone already. */
  fail(error: ApiError | undefined): void {
    if (this.isOver) return;
    const waits = this.#reject !== undefined;
    if (error !== undefined) this.endWith({ code: error.code, details: error.message });
    this.#over.abort();
    this.#reject?.(error ?? new Error('the client is gone'));
    // What waits to be read keeps the status from being sent; the client is told by the reset.
    if (error !== undefined && waits) resetStream(this.#call, error.code);
  }

  #stalled(): void {
    this.fail(new StallError(this.#stallMs));
  }
}

/** gRPC: ENHANCE_YOUR_CALM is RESOURCE_EXHAUSTED to the client, REFUSED_STREAM UNAVAILABLE. */
function resetStream(call: Call, code: status): void {
  const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_REFUSED_STREAM } = constants;
  transportOf(call)?.close(code === status.RESOURCE_EXHAUSTED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_REFUSED_STREAM);
}

/** grpc-js offers no way to give up a stream whose client does not read, so its HTTP/2 stream is found behind what it wraps. */
function transportOf(call: Call): ServerHttp2Stream | undefined {
  let layer: unknown = Reflect.get(call, 'call');
  while (typeof layer === 'object' && layer !== null) {
    const stream: unknown = Reflect.get(layer, 'stream');
    if (stream !== undefined) return stream as ServerHttp2Stream;
    layer = Reflect.get(layer, 'nextCall');
  }
  return undefined;
}
