/**
 * Turns plain handlers into grpc-js ones: whatever a handler throws ends that call with a status and never reaches the process.
 */
import { Metadata, type sendUnaryData, type ServerUnaryCall, status, type UntypedServiceImplementation } from '@grpc/grpc-js';

import type { Log } from '../log';

import { ApiError } from './api-error';
import { DETAILS_TRAILER, encodeRichError } from './rich-error';

type Handler = (request: object) => object | Promise<object>;

/** `isStopping`: from then on calls are refused as UNAVAILABLE, so that clients retry against the next process. */
export function unaryHandlers(handlers: object, log: Log, isStopping: () => boolean): UntypedServiceImplementation {
  const entries = Object.entries(handlers) as [string, Handler][];
  return Object.fromEntries(entries.map(([name, handler]) => [name, unaryHandler(name, handler, log, isStopping)]));
}

function unaryHandler(name: string, handler: Handler, log: Log, isStopping: () => boolean) {
  const answer = async (request: object): Promise<object> => {
    if (isStopping()) throw new ApiError(status.UNAVAILABLE, 'xmcastd is stopping');
    return handler(request);
  };
  return (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>): void => {
    answer(call.request).then(
      (response) => callback(null, response),
      (error: unknown) => callback(statusOf(name, error, log)),
    );
  };
}

/** The caller learns that it is our fault; what went wrong is for the log only. */
export function statusOf(name: string, error: unknown, log: Log): { code: status; details: string; metadata?: Metadata } {
  if (error instanceof ApiError) return { code: error.code, details: error.message, ...trailersOf(error) };
  log.error({ err: error, method: name }, `API call ${name} failed`);
  return { code: status.INTERNAL, details: `${name} failed inside xmcastd; its log has the reason` };
}

function trailersOf({ code, message, rich }: ApiError): { metadata?: Metadata } {
  if (rich === undefined) return {};
  const metadata = new Metadata();
  metadata.set(DETAILS_TRAILER, encodeRichError(code, message, rich));
  return { metadata };
}
