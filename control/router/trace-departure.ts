/**
 * The last part of a trace: what becomes of the copy for each interface, and why some get none. Pure.
 */
import type { TracePort, TraceQuestion, TraceStep } from '../api/trace-source';
import type { VportId } from '../mrib/route';
import type { PortFacts, TraceFacts } from './trace-facts';

/** What forwards the packet: an entry of the table, or what its first packet makes of it. */
export interface Forwarding {
  readonly incoming: VportId | undefined;
  readonly outgoing: readonly VportId[];
  readonly ttlThreshold: number;
  readonly isLocal: boolean;
  readonly isStatic: boolean;
  /** As in a sentence: "(10.0.0.5, 239.1.1.1)", "the route its first packet asks for". */
  readonly name: string;
}

export interface Departing {
  readonly facts: TraceFacts;
  readonly forwarding: Forwarding | undefined;
  /** Why the packet does not get so far. */
  readonly end: string | undefined;
}

export function departures(question: TraceQuestion, departing: Departing): { readonly steps: readonly TraceStep[]; readonly ports: readonly TracePort[] } {
  const { facts, forwarding } = departing;
  const steps: TraceStep[] = [];
  const ports: TracePort[] = [];
  for (const port of facts.ports) {
    if (port.vport === arrivalOf(question, departing)) continue;
    const isOutgoing = forwarding?.outgoing.includes(port.vport) === true;
    const obstacle = isOutgoing ? departureObstacle(question, port, forwarding) : absence(port, departing);
    const sent = isOutgoing && obstacle === undefined && departing.end === undefined;
    const reason = obstacle ?? (departing.end === undefined ? sentText(question, port) : `the packet does not get so far: ${departing.end}`);
    ports.push({ interface: port.name, sent, reason });
    const verdict = sent ? 'pass' : isOutgoing ? 'drop' : 'note';
    steps.push({ stage: 'departure', verdict, interface: port.name, text: sent ? reason : `no copy: ${reason}` });
  }
  return { steps, ports };
}

function arrivalOf({ interface: name }: TraceQuestion, { facts, forwarding }: Departing): VportId | undefined {
  return name === undefined ? (forwarding?.incoming ?? facts.expected.vports[0]) : facts.ports.find((port) => port.name === name)?.vport;
}

function departureObstacle({ ttl, bytes }: TraceQuestion, port: PortFacts, forwarding: Forwarding): string | undefined {
  const threshold = Math.max(port.ttlThreshold, forwarding.ttlThreshold);
  const obstacle = attachmentObstacle(port);
  if (obstacle !== undefined) return obstacle;
  if (ttl <= threshold) return `TTL ${ttl} is not above the threshold of ${threshold}: ttl_out`;
  return bytes > port.mtu ? `${bytes} bytes are more than the MTU of ${port.mtu}: too_big` : undefined;
}

function sentText({ ttl, bytes }: TraceQuestion, port: PortFacts): string {
  return `a copy leaves with TTL ${ttl - 1}: above the threshold of ${port.ttlThreshold}, and ${bytes} bytes fit the MTU of ${port.mtu}`;
}

/** Why it is not among the outgoing interfaces. */
function absence(port: PortFacts, { facts, forwarding }: Departing): string {
  if (forwarding?.isStatic === true) return 'the static route does not name it';
  if (port.boundary !== undefined) return `the group is in its boundary ${port.boundary}`;
  if (port.isUpstream) return upstreamAbsence(port, facts);
  const { demand } = port;
  const obstacle = attachmentObstacle(port);
  if (obstacle !== undefined) return obstacle;
  if (demand === undefined) return port.refusal === undefined ? 'nobody there has asked for the group' : `nobody there is a member: ${port.refusal}`;
  if (!demand.wantsSource) return demand.mode === 'include' ? 'hosts there want other sources only' : 'all hosts there exclude this source';
  if (!port.forwardsToHosts) return `hosts want it, but ${port.otherQuerier ?? 'another router'} is the querier there and forwards (RFC 4605 4.2); see forward_if_not_querier`;
  return forwarding === undefined ? 'hosts want it, but no route takes the packet' : 'hosts want it, but the route does not lead there';
}

function upstreamAbsence(port: PortFacts, { expected }: TraceFacts): string {
  if (expected.vports.includes(port.vport)) return 'the stream is expected from there, not sent there';
  return 'an upstream: it gets what comes from downstream sources only, where it serves the group (RFC 4605 4.2)';
}

/** Why nothing can come or go by it. */
export function attachmentObstacle(port: PortFacts): string | undefined {
  if (!port.exists) return 'no such interface exists now';
  if (port.problem !== undefined) return `the forwarder could not be attached: ${port.problem}`;
  if (!port.isUp) return 'the interface is down';
  return port.mode === undefined ? 'the forwarder is not attached yet' : undefined;
}
