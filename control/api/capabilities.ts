/**
 * What this version, this kernel and this machine can do, as GetCapabilities tells it.
 */
import type { xmcast } from '#proto';

import { MAX_INTERFACES } from '../config/ranges';

import { MODE } from './messages';
import { MAX_PAGE_SIZE } from './paging';
import type { ServerLimits } from './server-limits';
import type { StateSource } from './state-source';
import type { SystemControl } from './system-control';
import { toWire } from './u64';

/** What a client may want to know before it asks for it. Words stay what they mean. */
export const FEATURES = [
  'igmpv1', 'igmpv2', 'igmpv3', 'igmp-proxy', 'ssm-mapping', 'static-routes', 'config', 'config-confirm', 'watch', 'events', 'trace',
  'reset-counters', 'log-level',
] as const;

export function capabilitiesMessage(state: StateSource, control: SystemControl, api: ServerLimits): xmcast.v1.GetCapabilitiesResponse.$Properties {
  const { release, features } = control.kernel();
  const status = state.status();
  return {
    apiVersion: 'xmcast.v1',
    version: status.version,
    features: [...FEATURES],
    kernelRelease: release,
    kernelFeatures: features.map(({ name, isAvailable, detail }) => ({ name, available: isAvailable, detail })),
    interfaces: state.interfaces().map(({ name, mode, modeReason }) => ({ interface: name, mode: MODE[mode], modeReason })),
    limits: Object.entries({
      routes: status.routes.limit,
      replication_groups: status.replicationGroups.limit,
      memberships: status.membershipBudget.limit,
      interfaces: MAX_INTERFACES,
      connections: api.unixConnections,
      streams: api.streamsPerConnection,
      watchers: api.watchers,
      page_size: MAX_PAGE_SIZE,
      request_bytes: api.requestBytes,
    }).map(([name, value]) => ({ name, value: toWire(BigInt(value)) })),
  };
}
