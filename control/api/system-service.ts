/**
 * SystemService over a StateSource.
 */
import type { xmcast } from '#proto';

import type { ServiceHandlers } from './define-service';
import { statusMessage } from './messages';
import type { StateSource } from './state-source';

export function systemServiceHandlers(state: StateSource): ServiceHandlers<xmcast.v1.SystemService> {
  return { getStatus: () => statusMessage(state.status()) };
}
