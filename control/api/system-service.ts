/**
 * SystemService over a StateSource, and what there is to say of configuration and certificates.
 */
import { status as grpcStatus } from '@grpc/grpc-js';
import type { xmcast } from '#proto';

import { ApiError } from './api-error';
import type { ServiceHandlers } from './define-service';
import { statusMessage } from './messages';
import type { StateSource } from './state-source';

export function systemServiceHandlers(
  state: StateSource,
  /** What others than the router have to say. */
  conditions: () => readonly string[],
  detach: (() => void) | undefined,
): ServiceHandlers<xmcast.v1.SystemService> {
  const getStatus = (): xmcast.v1.GetStatusResponse.$Properties => {
    const now = state.status();
    return statusMessage({ ...now, conditions: [...now.conditions, ...conditions()] });
  };
  return {
    getStatus,
    detach: () => {
      if (detach === undefined) throw new ApiError(grpcStatus.UNIMPLEMENTED, 'this xmcastd cannot be told to detach');
      detach();
      return {};
    },
  };
}
