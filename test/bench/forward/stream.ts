/**
 * The packets of the bench: which addresses stand for which route, and the frame and generator state that produce them. Knows bytes
 * and numbers, no kernel.
 */
import { endianness } from 'node:os';
import { internetChecksum } from '../../../control/protocol/packet/checksum';
import { frame } from '../../bpf/packet';

const LITTLE_ENDIAN = endianness() === 'LE';
const ETHERNET_BYTES = 14;
const IP_BYTES = 20;
const UDP_BYTES = 8;

/** 10.128.0.0 and up: room for four million. */
export const FIRST_SOURCE = 0x0a800000;
/** 239.2.0.0 + port count: one route for each port count. */
const ROUTE_GROUPS = 0xef020000;
/** All routes of a full table: they differ in their sources. */
export const FILL_GROUP = 0xef030001;

export function groupOf(ports: number): number {
  return ROUTE_GROUPS + ports;
}

/** 64 is quoted with the frame check sequence, as everywhere; other sizes are those of the frame without. */
export function frameBytesOf(size: number): number {
  return size === 64 ? 60 : size;
}

export function ipBytesOf(frameBytes: number): number {
  return frameBytes - ETHERNET_BYTES;
}

export function benchFrame(group: number, frameBytes: number): Uint8Array {
  return frame({
    source: dotted(FIRST_SOURCE),
    group: dotted(group),
    payload: frameBytes - ETHERNET_BYTES - IP_BYTES - UDP_BYTES,
  });
}

/** struct bench_stream of generate.bpf.c. */
export function generatorState(benchFrameBytes: Uint8Array, sources: number): Uint8Array {
  const header = benchFrameBytes.slice(ETHERNET_BYTES, ETHERNET_BYTES + IP_BYTES);
  header.fill(0, 10, 16); // checksum and source
  const state = new Uint8Array(IP_BYTES + 5 * 4);
  state.set(header);
  const view = new DataView(state.buffer, IP_BYTES);
  const headerSum = ~internetChecksum(header) & 0xffff;
  [headerSum, FIRST_SOURCE, sources, strideThrough(sources), 0].forEach((value, i) =>
    view.setUint32(i * 4, value, LITTLE_ENDIAN),
  );
  return state;
}

/**
 * Steps of about 0.618 of the table visit every source once a round and never a neighbour of the last: no cache line is fetched
 * ahead for free.
 */
export function strideThrough(sources: number): number {
  let stride = Math.floor(sources * 0.618);
  while (stride > 1 && greatestCommonDivisor(stride, sources) !== 1) stride--;
  return sources === 1 ? 0 : Math.max(1, stride);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
