/**
 * grpc.reflection.v1 and v1alpha, fed with the compiled schema: original file names and comments, no .proto at run time.
 */
import type { Server } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { Reader } from 'protobufjs/minimal';

import { readSchema } from './schema';
import { CONFIG_SERVICE_NAME, STATE_SERVICE_NAME, STATIC_ENTRY_SERVICE_NAME, SYSTEM_SERVICE_NAME } from './services';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];

/** FileDescriptorSet { repeated FileDescriptorProto file = 1; }, length-delimited. */
const FILE_TAG = (1 << 3) | 2;

/** `services`: the full names of those that are listed. */
export function addReflection(
  server: Server,
  services: readonly string[] = [CONFIG_SERVICE_NAME, STATE_SERVICE_NAME, STATIC_ENTRY_SERVICE_NAME, SYSTEM_SERVICE_NAME],
): void {
  // Its type asks for what proto-loader makes; the service reads nothing but `fileDescriptorProtos`.
  const schema = { xmcast: { fileDescriptorProtos: splitDescriptorSet(readSchema()) } };
  new ReflectionService(schema as unknown as PackageDefinition, { services: [...services] }).addToServer(server);
}

/** The serialized file descriptors of a serialized FileDescriptorSet. */
export function splitDescriptorSet(set: Uint8Array): Buffer[] {
  const reader = Reader.create(set);
  const files: Buffer[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === FILE_TAG) files.push(Buffer.from(reader.bytes()));
    else reader.skipType(tag & 7);
  }
  return files;
}
