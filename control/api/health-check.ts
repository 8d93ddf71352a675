/**
 * grpc.health.v1.Health/Check for the client side, by hand: two fields, where the package that serves it brings a parser of schemas along.
 */
import type { MethodDefinition } from '@grpc/grpc-js';
import { Reader, Writer } from 'protobufjs/minimal';

import type { ApiClient } from './client';

/** grpc/health/v1/health.proto, by number. */
const STATUSES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type HealthStatus = (typeof STATUSES)[number];

/** Field 1 of both messages, as a tag: the string of the request, the number of the answer. */
const SERVICE_TAG = 0x0a;
const STATUS_TAG = 0x08;

const CHECK: MethodDefinition<string, HealthStatus> = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: (service) => Buffer.from(Writer.create().uint32(SERVICE_TAG).string(service).finish()),
  requestDeserialize: () => '',
  responseSerialize: () => Buffer.alloc(0),
  responseDeserialize: (bytes) => readStatus(Reader.create(bytes)),
};

/** Rejects as NOT_FOUND when there is no such service. */
export function checkHealth(client: ApiClient, service: string): Promise<HealthStatus> {
  return client.call(CHECK, service);
}

function readStatus(reader: Reader): HealthStatus {
  let status = 0;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === STATUS_TAG) status = reader.int32();
    else reader.skipType(tag & 7);
  }
  return STATUSES[status] ?? 'UNKNOWN';
}
