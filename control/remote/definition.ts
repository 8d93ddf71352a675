/**
 * DataplaneService as both ends use it. Counters go by a codec of their own, see counter-codec.ts.
 */
import type { MethodDefinition } from '@grpc/grpc-js';
import { xmcast } from '#proto';
import { defineService } from '../api/define-service';
import { decodeCounterPiece, encodeCounterPiece, type CounterPiece } from './counter-codec';

export const DATAPLANE_SERVICE_NAME = 'xmcast.v1.DataplaneService';

const generated = defineService<xmcast.v1.DataplaneService>(xmcast.v1.DataplaneService, xmcast.v1);

const readCounters: MethodDefinition<xmcast.v1.ReadCountersRequest.$Properties, CounterPiece> = {
  ...generated.readCounters,
  responseSerialize: encodeCounterPiece,
  responseDeserialize: decodeCounterPiece,
};

export const dataplaneServiceDefinition = { ...generated, readCounters };
