/**
 * The controller's end of one Control stream: numbers what it sends, matches the answers, and ends once. Knows nothing of routes or ports.
 */
import { Metadata, type Client, type ClientDuplexStream } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { fromWire } from '../api/u64';
import { XmcastError, type ErrorCode, ERROR_CODES } from '../errors';
import { dataplaneServiceDefinition } from './definition';

type Request = xmcast.v1.ControlRequest.$Properties;
type Response = xmcast.v1.ControlResponse.$Properties;
export type Operation = Omit<Request, 'sequence'>;
export type Result = xmcast.v1.OperationResult.$Properties;

export interface ControlStreamEvents {
  readonly onOpened: (dataplane: xmcast.v1.GetDataplaneResponse.$Properties) => void;
  /** Once. No event comes after it. */
  readonly onEnd: (reason: string) => void;
  /** What is neither opened nor a result: punts, room, troubles. */
  readonly onNews: (news: Response) => void;
  /** Of what was sent without asking for an answer. */
  readonly onFailure: (result: Result) => void;
  /** Every result, before whoever waits for it. */
  readonly onResult: (result: Result) => void;
}

interface Waiting {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: XmcastError) => void;
}

export class ControlStream {
  readonly #call: ClientDuplexStream<Request, Response>;
  readonly #target: string;
  readonly #events: ControlStreamEvents;
  readonly #waiting = new Map<number, Waiting>();
  #sequence = 0;
  #hasEnded = false;

  constructor(client: Client, target: string, events: ControlStreamEvents) {
    this.#target = target;
    this.#events = events;
    const { path, requestSerialize, responseDeserialize } = dataplaneServiceDefinition.control;
    this.#call = client.makeBidiStreamRequest<Request, Response>(path, requestSerialize as never, responseDeserialize, new Metadata(), {});
    this.#call.on('data', (response: Response) => this.#received(response));
    this.#call.on('error', (error: Error & { readonly details?: string }) => this.#end(plain(error.details ?? error.message)));
    this.#call.on('end', () => this.#end('the data plane has ended the stream'));
  }

  /** Nothing is sent any more once it has ended. Returns the sequence number. */
  send(operation: Operation): number {
    const sequence = ++this.#sequence;
    if (!this.#hasEnded) this.#call.write({ sequence, ...operation });
    return sequence;
  }

  /** Only a failure is told: to onFailure. */
  tell(operation: Operation): void {
    if (!this.#hasEnded) this.#call.write(operation);
  }

  /** Rejects with XmcastError: what the data plane says, or XM_DATAPLANE when it cannot be asked. */
  ask(operation: Operation): Promise<Result> {
    if (this.#hasEnded) return Promise.reject(unreachable(this.#target, 'the connection has ended'));
    const sequence = this.send(operation);
    return new Promise((resolve, reject) => this.#waiting.set(sequence, { resolve, reject }));
  }

  /** Idempotent. */
  close(): void {
    this.#call.cancel();
    this.#end('the controller has ended the connection');
  }

  #received(response: Response): void {
    if (this.#hasEnded) return;
    const { opened, results } = response;
    for (const result of results ?? []) this.#answered(result);
    if (opened !== null && opened !== undefined) return this.#events.onOpened(opened.dataplane ?? {});
    if ((results ?? []).length === 0) this.#events.onNews(response);
  }

  #answered(result: Result): void {
    const sequence = Number(fromWire(result.sequence));
    this.#events.onResult(result);
    const waiting = this.#waiting.get(sequence);
    this.#waiting.delete(sequence);
    const error = errorOf(result);
    if (waiting === undefined) {
      if (error !== undefined) this.#events.onFailure(result);
    } else if (error === undefined) waiting.resolve(result);
    else waiting.reject(error);
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const error = unreachable(this.#target, reason);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    // The stream may have errors of its own still to come.
    this.#call.on('error', () => undefined);
    this.#events.onEnd(reason);
  }
}

/** The runtime wraps the error of the system in words of its own. */
function plain(details: string): string {
  return /Last error: (?:Error: )?(.*?)\. Resolution note/.exec(details)?.[1] ?? details;
}

export function unreachable(target: string, reason: string): XmcastError {
  return new XmcastError('XM_DATAPLANE', `reach the data plane at ${target}: ${reason}`, {
    hint: 'Start "xmcastd --role dataplane", and let this user write to its socket; the connection is tried again all the time.',
  });
}

function errorOf({ error, message, hint }: Result): XmcastError | undefined {
  if (error === null || error === undefined || error === '') return undefined;
  const code = error in ERROR_CODES ? (error as ErrorCode) : 'XM_INTERNAL';
  return new XmcastError(code, message ?? error, { hint: hint ?? '' });
}
