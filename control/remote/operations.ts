/**
 * Carries out the operations of the primary controller on the data plane of this process, and knows what ports it has set. Operations on
 * ports take their time and follow one another; everything else is done when it comes.
 */
import type { xmcast } from '#proto';
import type { LocalDataplane, PortAttachment, PortSpec } from '../dataplane/api';
import { errorText, XmcastError } from '../errors';
import type { RouteChange, VportId } from '../mrib/route';
import { RouteBatch, type Refusal } from './route-batch';
import { attachmentMessage, readChange, readFrame, readPolicers, readPort } from './wire-route';

/** All-or-nothing, as the generated code numbers it. */
const ALL_OR_NOTHING = 1;
const MAX_CHANGES = 65_536;

export type Operation = xmcast.v1.ControlRequest.$Properties;
/** What there is to say besides the sequence. */
export type Outcome = Pick<xmcast.v1.OperationResult.$Properties, 'error' | 'message' | 'hint' | 'refused' | 'attachment'>;

const DONE: Outcome = {};

export interface OperationsOptions {
  readonly dataplane: LocalDataplane;
  readonly nowMs: () => number;
  readonly onTrouble: (message: string) => void;
}

/** Of a port that was taken over little is known until it is set again. */
export interface InstalledPort {
  readonly port: Pick<PortSpec, 'vport' | 'name' | 'ifindex'> & Partial<PortSpec>;
  readonly attachment?: PortAttachment;
}

export class Operations {
  readonly #options: OperationsOptions;
  readonly #ports = new Map<VportId, InstalledPort>();
  /** Their counters stay. */
  readonly #everSet = new Set<VportId>();
  #portWork: Promise<unknown> = Promise.resolve();
  #version = 0;

  constructor(options: OperationsOptions) {
    this.#options = options;
    for (const port of options.dataplane.takenOver?.ports ?? []) {
      this.#ports.set(port.vport, { port });
      this.#everSet.add(port.vport);
    }
  }

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  get ports(): readonly InstalledPort[] {
    return [...this.#ports.values()].sort((a, b) => a.port.vport - b.port.vport);
  }

  get everSet(): ReadonlySet<VportId> {
    return this.#everSet;
  }

  /** Never throws or rejects: what is wrong is the outcome. A promise only where it takes time. */
  carryOut(operation: Operation): Outcome | Promise<Outcome> {
    try {
      return this.#carryOut(operation);
    } catch (error) {
      return failed(error);
    }
  }

  #carryOut(operation: Operation): Outcome | Promise<Outcome> {
    const { setPort, removePort, setPolicers, writeRoutes, transmit, resend } = operation;
    if (isPresent(writeRoutes)) return this.#writeRoutes(writeRoutes);
    if (isPresent(transmit)) return this.#transmit(transmit);
    if (isPresent(resend)) return this.#resend(resend);
    if (isPresent(setPort)) return this.#inOrder(() => this.#setPort(setPort));
    if (isPresent(removePort)) return this.#inOrder(() => this.#removePort(removePort));
    if (isPresent(setPolicers)) return this.#setPolicers(setPolicers);
    return invalid('the message has no operation that is known here');
  }

  #writeRoutes({ changes = [], atomicity }: xmcast.v1.WriteRoutes.$Properties): Outcome | Promise<Outcome> {
    const messages = changes ?? [];
    if (messages.length > MAX_CHANGES) return invalid(`write_routes: ${messages.length} changes are more than ${MAX_CHANGES}`);
    const { read, malformed } = this.#readChanges(messages);
    const isAllOrNothing = atomicity === ALL_OR_NOTHING;
    if (isAllOrNothing && malformed.length > 0) return refusedOutcome(malformed);
    this.#version++;
    const { dataplane, nowMs, onTrouble } = this.#options;
    const batch = new RouteBatch({ forwarder: dataplane, nowMs, onTrouble });
    const valid = read.map(({ change }) => change);
    const finish = (refused: readonly Refusal[]): Outcome =>
      refusedOutcome([...malformed, ...refused.map(({ index, problem }) => ({ index: read[index]?.index ?? 0, problem }))]);
    const written = isAllOrNothing ? batch.writeAllOrNothing(valid) : batch.write(valid);
    return written instanceof Promise ? written.then(finish).catch(failed) : finish(written);
  }

  #readChanges(messages: readonly xmcast.v1.RouteChange.$Properties[]): {
    readonly read: readonly { readonly change: RouteChange; readonly index: number }[];
    readonly malformed: readonly Refusal[];
  } {
    const read: { change: RouteChange; index: number }[] = [];
    const malformed: Refusal[] = [];
    for (const [index, message] of messages.entries()) {
      const change = readChange(message, this.#options.dataplane.maxVport);
      if (typeof change === 'string') malformed.push({ index, problem: change });
      else read.push({ change, index });
    }
    return { read, malformed };
  }

  #transmit(message: xmcast.v1.Transmit.$Properties): Outcome {
    const frame = readFrame(message);
    if (typeof frame === 'string') return invalid(`transmit: ${frame}`);
    const errno = this.#options.dataplane.transmit(message.vport ?? 0, frame);
    return errno === undefined ? DONE : { error: errno, message: `transmit on vport ${message.vport ?? 0}: ${errno}` };
  }

  #resend(message: xmcast.v1.Resend.$Properties): Outcome | Promise<Outcome> {
    const frame = readFrame(message);
    if (typeof frame === 'string') return invalid(`resend: ${frame}`);
    const { vport, source, group, hostHasIt } = message;
    const punt = { class: 'no_route', vport: vport ?? 0, frame, frameBytes: frame.length, hostHasIt: hostHasIt ?? false } as const;
    return this.#options.dataplane.resend(punt, { source: source ?? 0, group: group ?? 0 }).then(() => DONE, failed);
  }

  #setPolicers(message: xmcast.v1.SetPolicers.$Properties): Outcome {
    const policers = readPolicers(message);
    if (typeof policers === 'string') return invalid(`set_policers: ${policers}`);
    this.#version++;
    this.#options.dataplane.setPolicers(policers);
    return DONE;
  }

  async #setPort(message: xmcast.v1.DataplanePort.$Properties): Promise<Outcome> {
    const { dataplane } = this.#options;
    const port = readPort(message, dataplane.maxVport);
    if (typeof port === 'string') return invalid(`set_port: ${port}`);
    this.#version++;
    this.#ports.delete(port.vport);
    this.#everSet.add(port.vport);
    const attachment = await dataplane.setPort(port);
    this.#ports.set(port.vport, { port, attachment });
    return { attachment: attachmentMessage(attachment) };
  }

  async #removePort(vport: VportId): Promise<Outcome> {
    this.#version++;
    await this.#options.dataplane.removePort(vport);
    this.#ports.delete(vport);
    return DONE;
  }

  #inOrder(work: () => Promise<Outcome>): Promise<Outcome> {
    const done = this.#portWork.then(work).catch(failed);
    this.#portWork = done;
    return done;
  }
}

function isPresent<Value>(value: Value | null | undefined): value is Value {
  return value !== null && value !== undefined;
}

export function invalid(message: string): Outcome {
  return { error: 'INVALID_ARGUMENT', message, hint: 'See the comments of dataplane.proto.' };
}

function failed(error: unknown): Outcome {
  if (error instanceof XmcastError) return { error: error.code, message: error.message, hint: error.hint };
  return { error: 'XM_INTERNAL', message: errorText(error), hint: 'The log of the data plane may say more.' };
}

function refusedOutcome(refused: readonly Refusal[]): Outcome {
  return refused.length === 0 ? DONE : { refused: refused.map(({ index, problem }) => ({ index, problem })) };
}
