/**
 * One series per flow and metric, as text. Tens of thousands of flows are written in slices so that the event loop, which also answers
 * IGMP, is never held for long; label sets are kept between scrapes because most flows are the same ones each time.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { groupRange, groupText, sourceRange, sourceText } from '../api/route-text';
import type { FlowState } from '../api/state-source';
import type { Ipv4Prefix } from '../protocol/packet/address';

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

/** Label texts of the flows of the last scrape, by group, source (each with its length) and incoming interface. */
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
    const group = cacheKey(groupRange(flow));
    const source = cacheKey(sourceRange(flow));
    const known = this.#known.get(group)?.get(source);
    const entry = known?.iif === flow.incomingInterface ? known : { iif: flow.incomingInterface, text: flowLabelText(flow) };
    let bySource = next.get(group);
    if (bySource === undefined) next.set(group, (bySource = new Map()));
    bySource.set(source, entry);
    return entry.text;
  }
}

/** Address and length as one number: 38 bits, which it holds exactly. */
function cacheKey({ address, length }: Ipv4Prefix): number {
  return address * 64 + length;
}

/** (*,G) has source="*", a range its prefix; an empty iif means that each source's own reverse path decides. */
function flowLabelText(flow: FlowState): string {
  return `{source="${sourceText(flow)}",group="${groupText(flow)}",iif="${escapeLabelValue(flow.incomingInterface)}"}`;
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
