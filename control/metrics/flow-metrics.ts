/**
 * One series per flow and metric, as text. Tens of thousands of flows are written in slices so that the event loop, which also answers
 * IGMP, is never held for long; label sets are kept between scrapes because most flows are the same ones each time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { FlowState } from '../api/state-source';
import { formatIpv4 } from '../protocol/packet/address';

import { escapeLabelValue, familyHeader, type MetricFamily, sampleLine, type SampleValue } from './text';

/** Lines between two turns of the event loop: about a millisecond. */
const SLICE_LINES = 2000;

interface FlowFamily extends MetricFamily {
  readonly value: (flow: FlowState) => SampleValue;
  /** Faults have a series only once they occur: two thirds of the lines would be zeros otherwise. */
  readonly onlyAboveZero: boolean;
}

const FAMILIES: readonly FlowFamily[] = [
  {
    name: 'xmcast_flow_forwarded_packets_total',
    type: 'counter',
    help: 'Packets of the flow accepted on its incoming interface.',
    value: (flow) => flow.packets,
    onlyAboveZero: false,
  },
  {
    name: 'xmcast_flow_forwarded_bytes_total',
    type: 'counter',
    help: 'Bytes of the flow accepted on its incoming interface, from the IP header on.',
    value: (flow) => flow.bytes,
    onlyAboveZero: false,
  },
  {
    name: 'xmcast_flow_replicated_packets_total',
    type: 'counter',
    help: 'Copies of the flow handed to the drivers of its outgoing interfaces.',
    value: (flow) => flow.replicatedPackets,
    onlyAboveZero: false,
  },
  {
    name: 'xmcast_flow_replicated_bytes_total',
    type: 'counter',
    help: 'Bytes of the copies of the flow, from the IP header on.',
    value: (flow) => flow.replicatedBytes,
    onlyAboveZero: false,
  },
  {
    name: 'xmcast_flow_outgoing_interfaces',
    type: 'gauge',
    help: 'Interfaces the flow is copied to.',
    value: (flow) => flow.outgoingInterfaces.length,
    onlyAboveZero: false,
  },
  {
    name: 'xmcast_flow_failed_packets_total',
    type: 'counter',
    help: 'Copies of the flow that a driver did not take.',
    value: (flow) => flow.failedPackets,
    onlyAboveZero: true,
  },
  {
    name: 'xmcast_flow_dropped_packets_total',
    type: 'counter',
    help: 'Copies of the flow stopped on their way out by a TTL threshold or the MTU.',
    value: (flow) => flow.droppedPackets,
    onlyAboveZero: true,
  },
  {
    name: 'xmcast_flow_skipped_packets',
    type: 'gauge',
    help: 'Copies of the flow that are missing: its outgoing interface is down or cannot transmit. Falls when copies under way arrive.',
    value: (flow) => flow.skippedPackets,
    onlyAboveZero: true,
  },
  {
    name: 'xmcast_flow_wrong_interface_packets_total',
    type: 'counter',
    help: 'Packets of the flow dropped because they came by another interface than the incoming one.',
    value: (flow) => flow.wrongInterfacePackets,
    onlyAboveZero: true,
  },
  {
    name: 'xmcast_flow_ttl_dropped_packets_total',
    type: 'counter',
    help: 'Packets and copies of the flow dropped by a TTL threshold.',
    value: (flow) => flow.ttlDroppedPackets,
    onlyAboveZero: true,
  },
];

/** Label texts of the flows of the last scrape, by group, source and incoming interface. */
type LabelTexts = Map<number, Map<number, { readonly iif: string; readonly text: string }>>;

export class FlowMetrics {
  #known: LabelTexts = new Map();

  /** The text in pieces; between two pieces the event loop has had a turn. `flows` must not change meanwhile. */
  async *render(flows: readonly FlowState[]): AsyncGenerator<string, void> {
    const labels: string[] = [];
    const next: LabelTexts = new Map();
    for (let start = 0; start < flows.length; start += SLICE_LINES) {
      for (const flow of flows.slice(start, start + SLICE_LINES)) labels.push(this.#labelsOf(flow, next));
      await nextTurn();
    }
    // Only flows of this scrape are kept, so the cache cannot outgrow the route table.
    this.#known = next;
    for (const family of FAMILIES) yield* renderFamily(family, flows, labels);
  }

  #labelsOf(flow: FlowState, next: LabelTexts): string {
    const known = this.#known.get(flow.group)?.get(flow.source);
    const entry = known?.iif === flow.incomingInterface ? known : { iif: flow.incomingInterface, text: flowLabelText(flow) };
    let bySource = next.get(flow.group);
    if (bySource === undefined) next.set(flow.group, (bySource = new Map()));
    bySource.set(flow.source, entry);
    return entry.text;
  }
}

/** (*,G) has source="*"; an empty iif means that each source's own reverse path decides. */
function flowLabelText(flow: FlowState): string {
  const source = flow.source === 0 ? '*' : formatIpv4(flow.source);
  return `{source="${source}",group="${formatIpv4(flow.group)}",iif="${escapeLabelValue(flow.incomingInterface)}"}`;
}

async function* renderFamily(
  family: FlowFamily,
  flows: readonly FlowState[],
  labels: readonly string[],
): AsyncGenerator<string, void> {
  let text = familyHeader(family);
  for (const [index, flow] of flows.entries()) {
    const value = family.value(flow);
    if (value > 0 || !family.onlyAboveZero) text += sampleLine(family.name, labels[index] ?? '', value);
    if ((index + 1) % SLICE_LINES === 0) {
      yield text;
      text = '';
      await nextTurn();
    }
  }
  yield text;
}
