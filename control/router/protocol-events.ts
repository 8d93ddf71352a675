/**
 * What the protocol machines have to say, and which upstreams are in use, as events. Pure.
 */
import type { EventType, NewEvent } from '../events';
import type { PortEffect } from './port';

type LogEffect = Extract<PortEffect, { readonly kind: 'log' }>;

const TYPES: Readonly<Record<LogEffect['about'], EventType>> = { querier: 'querier-changed', limit: 'membership-limit', mismatch: 'igmp-mismatch' };

export function protocolEvent(name: string, { about, level, text }: LogEffect): NewEvent {
  return { type: TYPES[about], severity: level, subject: name, text, fields: { interface: name } };
}

/** `names`: of the upstreams in use. */
export function upstreamEvent(names: readonly string[]): NewEvent {
  const isNone = names.length === 0;
  const text = isNone ? 'no upstream is up: nothing is asked for, and nothing comes' : `upstreams in use: ${names.join(', ')}`;
  return { type: 'upstream-changed', severity: isNone ? 'warn' : 'info', text, fields: { upstreams: names } };
}
