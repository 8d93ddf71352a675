/**
 * Events as messages of the API. Pure.
 */
import { xmcast } from '#proto';

import type { EventSeverity, EventType, RouterEvent } from '../events';
import { toWire } from './u64';
import { toWireTime } from './wire-time';

const { Severity, Type } = xmcast.v1.Event;

export const SEVERITY: Readonly<Record<EventSeverity, xmcast.v1.Event.Severity>> = {
  info: Severity.SEVERITY_INFO,
  warn: Severity.SEVERITY_WARNING,
  error: Severity.SEVERITY_ERROR,
};

export const TYPE: Readonly<Record<EventType, xmcast.v1.Event.Type>> = {
  started: Type.TYPE_STARTED,
  'interface-added': Type.TYPE_INTERFACE_ADDED,
  'interface-removed': Type.TYPE_INTERFACE_REMOVED,
  'interface-up': Type.TYPE_INTERFACE_UP,
  'interface-down': Type.TYPE_INTERFACE_DOWN,
  'interface-attached': Type.TYPE_INTERFACE_ATTACHED,
  'interface-failed': Type.TYPE_INTERFACE_FAILED,
  'querier-changed': Type.TYPE_QUERIER_CHANGED,
  'membership-limit': Type.TYPE_MEMBERSHIP_LIMIT,
  'igmp-mismatch': Type.TYPE_IGMP_MISMATCH,
  'route-refused': Type.TYPE_ROUTE_REFUSED,
  'route-recovered': Type.TYPE_ROUTE_RECOVERED,
  loop: Type.TYPE_LOOP,
  'upstream-changed': Type.TYPE_UPSTREAM_CHANGED,
  'policer-began': Type.TYPE_POLICER_BEGAN,
  'policer-ended': Type.TYPE_POLICER_ENDED,
  'config-applied': Type.TYPE_CONFIG_APPLIED,
  'config-confirmed': Type.TYPE_CONFIG_CONFIRMED,
  'config-reverted': Type.TYPE_CONFIG_REVERTED,
  'config-failed': Type.TYPE_CONFIG_FAILED,
  'log-level-changed': Type.TYPE_LOG_LEVEL_CHANGED,
  'counters-reset': Type.TYPE_COUNTERS_RESET,
  notice: Type.TYPE_NOTICE,
};

export function eventMessage(event: RouterEvent): xmcast.v1.Event.$Properties {
  const { sequence, atWallMs, type, severity, subject, text, suppressed } = event;
  return {
    sequence: toWire(BigInt(sequence)),
    time: toWireTime(atWallMs),
    type: TYPE[type],
    severity: SEVERITY[severity],
    subject,
    text,
    suppressedCount: toWire(BigInt(suppressed)),
  };
}
