/**
 * The data plane's end of one Control stream: carries out what the controller sends, in order, and gathers what it is told. A controller
 * that does not read is not read from either; packets for it are dropped and counted meanwhile.
 */
import { status, type ServerDuplexStream } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { headerText } from '../api/api-error';
import { fromWire, toWire } from '../api/u64';
import type { Punt } from '../dataplane/api';
import type { Outcome } from './operations';
import type { Claim, Verdict } from './primary';
import { puntMessage } from './wire-route';

export type ControlCall = ServerDuplexStream<xmcast.v1.ControlRequest.$Properties, xmcast.v1.ControlResponse.$Properties>;

/** Packets that wait for a controller to read them. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** What a small message costs in memory, over and above its bytes. */
const MESSAGE_BYTES = 512;
/** Below the 4 MB that clients of gRPC take by default. */
const MAX_PUNT_BYTES = 1024 * 1024;
/** Messages that a controller has not read when nothing more is read from it. */
const MAX_UNREAD = 64;
const MAX_TEXT = 64;

export interface SessionDependencies {
  readonly ask: (claim: Claim, session: ServerSession) => Verdict<ServerSession>;
  readonly carryOut: (request: xmcast.v1.ControlRequest.$Properties) => Outcome | Promise<Outcome>;
  readonly describe: () => xmcast.v1.GetDataplaneResponse.$Properties;
  /** In every result. */
  readonly after: () => Pick<xmcast.v1.OperationResult.$Properties, 'tableVersion' | 'usage'>;
  readonly onEnd: (session: ServerSession) => void;
}

export class ServerSession {
  readonly #call: ControlCall;
  readonly #deps: SessionDependencies;
  #isOpen = false;
  #hasEnded = false;
  #results: xmcast.v1.OperationResult.$Properties[] = [];
  #flushPlanned = false;
  #waitingBytes = 0;
  /** A long batch is being written, or the controller does not read its results. */
  #isBatchRunning = false;

  constructor(call: ControlCall, deps: SessionDependencies) {
    this.#call = call;
    this.#deps = deps;
    call.on('data', (request: xmcast.v1.ControlRequest.$Properties) => this.#received(request));
    call.on('end', () => this.end());
    call.on('cancelled', () => this.end());
    call.on('error', () => this.end());
    call.on('drain', () => this.#readOn());
  }

  /** Returns how many it could not take. */
  punted(punts: readonly Punt[], puntsLost: bigint): number {
    let lost = 0;
    for (const { piece, bytes } of pieces(punts)) {
      if (!this.#say({ punts: piece.map(puntMessage), puntsLost: toWire(puntsLost + BigInt(lost)) }, bytes)) lost += piece.length;
    }
    return lost;
  }

  say(message: xmcast.v1.ControlResponse.$Properties): void {
    this.#say(message, 0);
  }

  /** Idempotent. With a status it is the controller's fault, or another one's turn. */
  end(code?: status, reason = ''): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#deps.onEnd(this);
    if (code === undefined) this.#call.end();
    else this.#call.emit('error', { code, details: headerText(reason) });
  }

  /** Returns false when too much waits already. */
  #say(message: xmcast.v1.ControlResponse.$Properties, payloadBytes: number): boolean {
    if (this.#hasEnded || this.#waitingBytes >= MAX_WAITING_BYTES) return false;
    const bytes = payloadBytes + MESSAGE_BYTES;
    this.#waitingBytes += bytes;
    this.#call.write(message, () => (this.#waitingBytes -= bytes));
    return true;
  }

  #received(request: xmcast.v1.ControlRequest.$Properties): void {
    if (this.#hasEnded) return;
    if (request.open !== null && request.open !== undefined) return this.#open(request.open);
    if (!this.#isOpen) return this.end(status.INVALID_ARGUMENT, 'the stream does not begin with open');
    const sequence = fromWire(request.sequence);
    const outcome = this.#deps.carryOut(request);
    if (!(outcome instanceof Promise)) return this.#note(sequence, request, outcome);
    const isBatch = request.writeRoutes !== null && request.writeRoutes !== undefined;
    if (isBatch) this.#holdBack();
    // carryOut never rejects.
    void outcome.then((found) => {
      this.#note(sequence, request, found);
      if (isBatch) this.#batchWritten();
    });
  }

  #open({ name, controllerId, electionId }: xmcast.v1.OpenSession.$Properties): void {
    if (this.#isOpen) return this.end(status.INVALID_ARGUMENT, 'the stream is open already');
    if (typeof controllerId !== 'string' || controllerId === '' || controllerId.length > MAX_TEXT) {
      return this.end(status.INVALID_ARGUMENT, `open.controller_id: 1 to ${MAX_TEXT} characters are needed`);
    }
    const claim = { name: (name ?? '').slice(0, MAX_TEXT), controllerId, electionId: fromWire(electionId) };
    const verdict = this.#deps.ask(claim, this);
    if (!verdict.granted) {
      const { holder } = verdict;
      return this.end(status.FAILED_PRECONDITION, `"${holder.name}" is primary with election id ${holder.electionId}, this one has ${claim.electionId}`);
    }
    this.#isOpen = true;
    verdict.ousted?.end(status.ABORTED, `"${claim.name}" with election id ${claim.electionId} has taken over`);
    this.#call.write({ opened: { dataplane: this.#deps.describe() } });
  }

  #note(sequence: bigint, { sequence: wireSequence, transmit }: xmcast.v1.ControlRequest.$Properties, outcome: Outcome): void {
    const isFine = (outcome.error ?? '') === '' && (outcome.refused ?? []).length === 0;
    const isTransmit = transmit !== null && transmit !== undefined;
    if (this.#hasEnded || (isFine && (sequence === 0n || isTransmit))) return;
    this.#results.push({ sequence: wireSequence ?? 0, ...outcome, ...this.#deps.after() });
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    // What arrived together is answered together.
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushPlanned = false;
    const results = this.#results;
    this.#results = [];
    if (!this.#hasEnded && !this.#call.write({ results })) this.#holdBackWhileFull();
  }

  #holdBack(): void {
    this.#isBatchRunning = true;
    this.#call.pause();
  }

  #holdBackWhileFull(): void {
    if (this.#call.writableLength >= MAX_UNREAD) this.#call.pause();
  }

  #batchWritten(): void {
    this.#isBatchRunning = false;
    this.#readOn();
  }

  #readOn(): void {
    if (!this.#isBatchRunning && !this.#hasEnded) this.#call.resume();
  }
}

function* pieces(punts: readonly Punt[]): Generator<{ readonly piece: readonly Punt[]; readonly bytes: number }> {
  let piece: Punt[] = [];
  let bytes = 0;
  for (const punt of punts) {
    if (piece.length > 0 && bytes + punt.frame.length > MAX_PUNT_BYTES) {
      yield { piece, bytes };
      piece = [];
      bytes = 0;
    }
    piece.push(punt);
    bytes += punt.frame.length;
  }
  if (piece.length > 0) yield { piece, bytes };
}
