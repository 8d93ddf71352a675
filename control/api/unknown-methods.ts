/**
 * Calls of methods that no service here has. grpc-js answers them before any interceptor sees them: nobody would know who calls, hold them to
 * the rate, or count them. So they get a handler as well, under one name for all.
 */
import { type Server, type ServerDuplexStream, status } from '@grpc/grpc-js';

import { UNKNOWN_METHOD } from './access';
import { headerText } from './api-error';

const MAX_SHOWN = 200;

/** grpc-js has a place for handlers by path and none for the rest, so its table of handlers is given an answer for every path. */
export function answerUnknownMethods(server: Server): void {
  const handlers: unknown = Reflect.get(server, 'handlers');
  if (!(handlers instanceof Map)) throw new TypeError('grpc-js keeps its handlers in another way than this version of xmcast knows');
  const known = handlers.get.bind(handlers);
  handlers.get = (path: string): unknown => known(path) ?? unknownMethod(path);
}

function unknownMethod(path: string): object {
  const details = `this xmcastd has no method ${headerText(path.slice(1, MAX_SHOWN))}`;
  return {
    path: UNKNOWN_METHOD,
    // Answered before anything is read, whatever the client is about to send.
    type: 'bidi',
    func: (call: ServerDuplexStream<Buffer, Buffer>) => call.emit('error', { code: status.UNIMPLEMENTED, details }),
    serialize: (bytes: Buffer) => bytes,
    deserialize: (bytes: Buffer) => bytes,
  };
}
