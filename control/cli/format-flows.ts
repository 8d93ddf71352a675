/**
 * Flows as a table: what came in, at what rate, and what went out.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';

import { type Column, PLAIN, renderTable, type TableStyle } from './table';
import { formatBitRate, formatBytes, formatCount, formatRate } from './units';

type Flow = xmcast.v1.Flow.$Properties;

const COLUMNS: readonly Column[] = [
  { title: 'SOURCE' },
  { title: 'GROUP' },
  { title: 'FROM' },
  { title: 'TO' },
  { title: 'PACKETS', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: 'PACKETS/S', align: 'right' },
  { title: 'RATE', align: 'right' },
  { title: 'COPIES', align: 'right' },
  { title: 'COPY BYTES', align: 'right', wide: true },
  { title: 'EXPECTED', align: 'right', wide: true },
  { title: 'NOT SENT', align: 'right' },
  { title: 'FAILED', align: 'right', wide: true },
  { title: 'DROPPED', align: 'right', wide: true },
  { title: 'SKIPPED', align: 'right', wide: true },
  { title: 'WRONG IF', align: 'right' },
  { title: 'TTL', align: 'right' },
];

export function formatFlows(flows: readonly Flow[], style: TableStyle = PLAIN): string {
  return renderTable(COLUMNS, flows.map(flowRow), style);
}

function flowRow(flow: Flow): string[] {
  return [
    flow.source ?? '',
    flow.group ?? '',
    flow.incomingInterface || 'any',
    (flow.outgoingInterfaces ?? []).join(' ') || '-',
    formatCount(fromWire(flow.packets)),
    formatBytes(fromWire(flow.bytes)),
    formatRate(flow.packetsPerSecond ?? 0),
    formatBitRate(flow.bitsPerSecond ?? 0),
    formatCount(fromWire(flow.replicatedPackets)),
    formatBytes(fromWire(flow.replicatedBytes)),
    formatCount(fromWire(flow.expectedPackets)),
    formatCount(notSent(flow)),
    formatCount(fromWire(flow.failedPackets)),
    formatCount(fromWire(flow.droppedPackets)),
    formatCount(fromWire(flow.skippedPackets)),
    formatCount(fromWire(flow.wrongInterfacePackets)),
    formatCount(fromWire(flow.ttlDroppedPackets)),
  ];
}

/** Copies that were wanted and did not leave, for whatever reason. */
export function notSent(flow: Flow): bigint {
  return fromWire(flow.failedPackets) + fromWire(flow.droppedPackets) + fromWire(flow.skippedPackets);
}
