/**
 * SystemService over a StateSource, what there is to say of configuration and certificates, and what the daemon lets itself be told.
 */
import { status as grpcStatus } from '@grpc/grpc-js';
import type { google, xmcast } from '#proto';

import { durationMs } from '../config/duration';
import { LOG_LEVELS, type LogLevelName } from '../log-level';

import { ApiError, invalidArgument } from './api-error';
import { capabilitiesMessage } from './capabilities';
import type { ServiceHandlers } from './define-service';
import { statusMessage } from './messages';
import type { ServerLimits } from './server-limits';
import type { StateSource } from './state-source';
import type { SystemControl } from './system-control';
import { traceMessage, traceQuestion } from './trace-message';
import { toWireTime } from './wire-time';

type Handlers = ServiceHandlers<xmcast.v1.SystemService>;

const USUAL_LEVEL_MS = 600_000;
const MIN_LEVEL_MS = 1_000;
const MAX_LEVEL_MS = 86_400_000;

/** `conditions`: what others than the router have to say. */
export function statusReader(state: StateSource, conditions: () => readonly string[]): () => xmcast.v1.GetStatusResponse.$Properties {
  return () => {
    const now = state.status();
    return statusMessage({ ...now, conditions: [...now.conditions, ...conditions()] });
  };
}

export function systemServiceHandlers(
  getStatus: () => xmcast.v1.GetStatusResponse.$Properties,
  detach: (() => void) | undefined,
): Pick<Handlers, 'getStatus' | 'detach'> {
  return {
    getStatus,
    detach: () => {
      if (detach === undefined) throw new ApiError(grpcStatus.UNIMPLEMENTED, 'this xmcastd cannot be told to detach');
      detach();
      return {};
    },
  };
}

export function systemControlHandlers(
  state: StateSource,
  control: SystemControl,
  /** As they are now. */
  limits: () => ServerLimits,
): Omit<Handlers, 'getStatus' | 'detach'> {
  return {
    getCapabilities: () => capabilitiesMessage(state, control, limits()),
    resetCounters: async ({ flows, interfaces }) => {
      const both = flows !== true && interfaces !== true;
      const resetWallMs = await control.resetCounters({ flows: both || flows === true, interfaces: both || interfaces === true });
      return { resetTime: toWireTime(resetWallMs) };
    },
    setLogLevel: ({ level, duration }) => {
      const { level: now, revertWallMs } = control.setLogLevel(readLevel(level ?? ''), readDuration(duration));
      return { level: now, ...(revertWallMs === undefined ? {} : { revertTime: toWireTime(revertWallMs) }) };
    },
    trace: (request) => traceMessage(control.trace(traceQuestion(request))),
  };
}

function readLevel(text: string): LogLevelName | undefined {
  if (text === '') return undefined;
  const level = LOG_LEVELS.find((name) => name === text);
  if (level === undefined) throw invalidArgument('level', text, `is none of ${LOG_LEVELS.join(', ')}`);
  return level;
}

function readDuration(duration: google.protobuf.Duration.$Properties | null | undefined): number {
  const ms = duration === null || duration === undefined ? 0 : Math.floor(durationMs(duration));
  if (ms === 0) return USUAL_LEVEL_MS;
  if (ms >= MIN_LEVEL_MS && ms <= MAX_LEVEL_MS) return ms;
  throw invalidArgument('duration', `${ms / 1000}s`, `is not from ${MIN_LEVEL_MS / 1000} to ${MAX_LEVEL_MS / 1000} seconds`);
}
