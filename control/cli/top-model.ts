/**
 * What `top` knows: the last sample of each flow and interface, the rates between two of them, and how they went. Draws nothing.
 */
import type { xmcast } from '#proto';

import { fromWire, fromWireMap } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { notSent } from './format-flows';
import { modeText, roleText, statusText } from './format-interfaces';
import { routeKey } from './live-views';

type Flow = xmcast.v1.Flow.$Properties;
type Interface = xmcast.v1.Interface.$Properties;

export interface FlowRow {
  readonly source: string;
  readonly group: string;
  readonly from: string;
  /** Outgoing interfaces. */
  readonly out: number;
  readonly packetsPerSecond: number;
  readonly bitsPerSecond: number;
  /** Packets and copies that were lost for any reason. */
  readonly lostPerSecond: number;
  /** Bits per second, oldest first. */
  readonly history: readonly number[];
}

export interface PortRow {
  readonly name: string;
  readonly role: string;
  readonly mode: string;
  readonly status: string;
  readonly rxPacketsPerSecond: number;
  readonly rxBitsPerSecond: number;
  readonly txPacketsPerSecond: number;
  readonly txBitsPerSecond: number;
  readonly droppedPerSecond: number;
  /** Bits per second in both directions, oldest first. */
  readonly history: readonly number[];
}

/** Samples remembered of each. */
const HISTORY = 60;
const BITS_PER_BYTE = 8;

interface KnownFlow {
  flow: Flow;
  lostPerSecond: number;
  /** It was in the sample under way. */
  isFresh: boolean;
  readonly history: number[];
}

interface KnownPort {
  port: Interface;
  row: PortRow;
  atMs: number;
  readonly history: number[];
}

export class TopModel {
  readonly #flows = new Map<string, KnownFlow>();
  readonly #ports = new Map<string, KnownPort>();
  #flowSamples = 0;
  #portSamples = 0;

  /** There is something to show, and rates are rates: two samples of the interfaces. */
  get isReady(): boolean {
    return this.#flowSamples >= 1 && this.#portSamples >= 2;
  }

  /** A flow that is left out is as it was, and still. */
  takeFlows({ progress, flows, removed }: xmcast.v1.WatchFlowsResponse.$Properties): void {
    if (progress?.reset === true) for (const known of this.#flows.values()) known.isFresh = false;
    for (const flow of flows ?? []) this.#takeFlow(flow);
    for (const key of removed ?? []) this.#flows.delete(routeKey(key));
    if (progress?.synced === true) this.#endFlowSample();
  }

  /** `atMs`: when it came; rates are over the time between two. */
  takeInterfaces({ progress, interfaces, removed }: xmcast.v1.WatchInterfacesResponse.$Properties, atMs: number): void {
    if (progress?.reset === true) this.#ports.clear();
    for (const port of interfaces ?? []) this.#takePort(port, atMs);
    for (const name of removed ?? []) this.#ports.delete(name);
    if (progress?.synced === true) this.#portSamples += 1;
  }

  flows(): FlowRow[] {
    return Array.from(this.#flows.values(), ({ flow, lostPerSecond, history }) => ({
      source: flow.source ?? '',
      group: flow.group ?? '',
      from: flow.incomingInterface || 'any',
      out: flow.outgoingInterfaces?.length ?? 0,
      packetsPerSecond: flow.packetsPerSecond ?? 0,
      bitsPerSecond: flow.bitsPerSecond ?? 0,
      lostPerSecond,
      history,
    }));
  }

  ports(): PortRow[] {
    return Array.from(this.#ports.values(), ({ row }) => row);
  }

  #takeFlow(flow: Flow): void {
    const known = this.#flows.get(routeKey(flow));
    if (known === undefined) {
      this.#flows.set(routeKey(flow), { flow, lostPerSecond: 0, isFresh: true, history: [] });
      return;
    }
    known.lostPerSecond = lossRate(known.flow, flow);
    known.flow = flow;
    known.isFresh = true;
  }

  #endFlowSample(): void {
    this.#flowSamples += 1;
    for (const known of this.#flows.values()) {
      if (!known.isFresh) {
        known.flow = { ...known.flow, packetsPerSecond: 0, bitsPerSecond: 0 };
        known.lostPerSecond = 0;
      }
      known.isFresh = false;
      remember(known.history, known.flow.bitsPerSecond ?? 0);
    }
  }

  #takePort(port: Interface, atMs: number): void {
    const name = port.name ?? '';
    const known = this.#ports.get(name);
    const seconds = known === undefined ? 0 : (atMs - known.atMs) / 1000;
    // A change of state between two samples is no sample: rates over so short a time would jump.
    if (known !== undefined && seconds < SHORTEST_SECONDS) {
      known.row = { ...known.row, ...faceOf(port) };
      return;
    }
    const history = known?.history ?? [];
    const rates = known === undefined ? NO_RATES : ratesBetween(known.port, port, seconds);
    if (known !== undefined) remember(history, rates.rxBitsPerSecond + rates.txBitsPerSecond);
    this.#ports.set(name, { port, atMs, history, row: { ...faceOf(port), ...rates, history } });
  }
}

const SHORTEST_SECONDS = 0.05;

type Rates = Omit<PortRow, 'name' | 'role' | 'mode' | 'status' | 'history'>;

const NO_RATES: Rates = { rxPacketsPerSecond: 0, rxBitsPerSecond: 0, txPacketsPerSecond: 0, txBitsPerSecond: 0, droppedPerSecond: 0 };

function faceOf(port: Interface): Pick<PortRow, 'name' | 'role' | 'mode' | 'status'> {
  return { name: port.name ?? '', role: roleText(port), mode: modeText(port), status: statusText(port) };
}

function ratesBetween(before: Interface, now: Interface, seconds: number): Rates {
  const rate = (figure: (port: Interface) => bigint): number => growth(figure(before), figure(now)) / seconds;
  return {
    rxPacketsPerSecond: rate((port) => fromWire(port.rxPackets)),
    rxBitsPerSecond: rate((port) => fromWire(port.rxBytes)) * BITS_PER_BYTE,
    txPacketsPerSecond: rate((port) => fromWire(port.txPackets)),
    txBitsPerSecond: rate((port) => fromWire(port.txBytes)) * BITS_PER_BYTE,
    droppedPerSecond: rate((port) => [...fromWireMap(port.drops).values()].reduce((sum, value) => sum + value, 0n)),
  };
}

function lossRate(before: Flow, now: Flow): number {
  const seconds = ((fromWireTime(now.readTime) ?? 0) - (fromWireTime(before.readTime) ?? 0)) / 1000;
  return seconds > 0 ? growth(lostOf(before), lostOf(now)) / seconds : 0;
}

function lostOf(flow: Flow): bigint {
  return notSent(flow) + fromWire(flow.wrongInterfacePackets) + fromWire(flow.ttlDroppedPackets);
}

/** A counter that is less than before has begun again. */
function growth(before: bigint, now: bigint): number {
  return Number(now < before ? 0n : now - before);
}

function remember(history: number[], value: number): void {
  history.push(value);
  if (history.length > HISTORY) history.shift();
}
