/**
 * SystemService over a StateSource, and what there is to say of the configuration.
 */
import type { xmcast } from '#proto';

import type { ConfigControl } from './config-service';
import type { ServiceHandlers } from './define-service';
import { statusMessage } from './messages';
import type { StateSource } from './state-source';

export function systemServiceHandlers(
  state: StateSource,
  config: Pick<ConfigControl, 'conditions'> | undefined,
): ServiceHandlers<xmcast.v1.SystemService> {
  const getStatus = (): xmcast.v1.GetStatusResponse.$Properties => {
    const status = state.status();
    return statusMessage({ ...status, conditions: [...status.conditions, ...(config?.conditions() ?? [])] });
  };
  return { getStatus };
}
