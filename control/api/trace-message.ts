/**
 * Trace: requests become questions, findings become messages. Pure.
 */
import { xmcast } from '#proto';

import { type Ipv4, parseIpv4 } from '../protocol/packet/address';

import { invalidArgument } from './api-error';
import type { TraceQuestion, TraceResult, TraceStage, TraceVerdict } from './trace-source';

const { Stage, Verdict } = xmcast.v1.TraceStep;

const STAGE: Readonly<Record<TraceStage, xmcast.v1.TraceStep.Stage>> = {
  packet: Stage.STAGE_PACKET,
  'reverse-path': Stage.STAGE_REVERSE_PATH,
  arrival: Stage.STAGE_ARRIVAL,
  route: Stage.STAGE_ROUTE,
  membership: Stage.STAGE_MEMBERSHIP,
  departure: Stage.STAGE_DEPARTURE,
};
const VERDICT: Readonly<Record<TraceVerdict, xmcast.v1.TraceStep.Verdict>> = {
  pass: Verdict.VERDICT_PASS,
  drop: Verdict.VERDICT_DROP,
  note: Verdict.VERDICT_NOTE,
};

const USUAL_TTL = 64;
const MAX_TTL = 255;
const USUAL_BYTES = 1400;
const MAX_BYTES = 65_535;
/** Of an interface (IFNAMSIZ less the NUL). */
const MAX_NAME = 15;

export function traceQuestion(request: xmcast.v1.TraceRequest.$Properties): TraceQuestion {
  const name = request.interface ?? '';
  if (name.length > MAX_NAME) throw invalidArgument('interface', name, 'is no name of an interface');
  return {
    group: readAddress('group', request.group ?? ''),
    source: (request.source ?? '') === '' ? 0 : readAddress('source', request.source ?? ''),
    interface: name === '' ? undefined : name,
    ttl: readNumber('ttl', request.ttl || USUAL_TTL, MAX_TTL),
    bytes: readNumber('size', request.size || USUAL_BYTES, MAX_BYTES),
    host: (request.host ?? '') === '' ? undefined : readAddress('host', request.host ?? ''),
  };
}

export function traceMessage({ steps, forwarded, summary, ports }: TraceResult): xmcast.v1.TraceResponse.$Properties {
  return {
    steps: steps.map(({ stage, verdict, interface: name, text }) => ({ stage: STAGE[stage], verdict: VERDICT[verdict], interface: name, text })),
    forwarded,
    summary,
    ports: ports.map((port) => ({ ...port })),
  };
}

function readAddress(field: string, text: string): Ipv4 {
  const address = parseIpv4(text);
  if (address === undefined) throw invalidArgument(field, text, 'is no IPv4 address');
  return address;
}

function readNumber(field: string, value: number, max: number): number {
  if (value <= max) return value;
  throw invalidArgument(field, value, `is more than ${max}`);
}
