/**
 * Every call passes here before its handler: the role of who calls, the rate of its calls; and on the way out its status is counted.
 */
import {
  Metadata,
  ResponderBuilder,
  type ServerInterceptingCallInterface,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
  status,
} from '@grpc/grpc-js';

import type { Role } from '../config/api-settings';
import type { Log } from '../log';

import { includesRole, neededRole } from './access';
import type { ApiCounters } from './api-counters';
import type { Refusals } from './refusals';
import { DETAILS_TRAILER, encodeRichError, type RichError } from './rich-error';

/** One end of a connection. */
export interface Caller {
  /** For logs: "unix socket", or the first name of the certificate. */
  readonly name: string;
  /** As the rules are now. */
  role(): Role | undefined;
  /** false: too many calls. */
  takeRequest(): boolean;
}

export interface AdmissionOptions {
  readonly counters: ApiCounters;
  readonly refusals: Refusals;
  readonly log: Log;
}

type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

export function admission(caller: Caller, options: AdmissionOptions): ServerInterceptor {
  return ({ path }, call) => {
    const outcome = observe(call, (code) => settle(path, code, caller, options), options.refusals, caller);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const refusal = refusalOf(path, caller, options.refusals);
        if (refusal === undefined) next(metadata);
        else {
          outcome.isOurs = true;
          call.sendStatus(refusal);
        }
      })
      .withOnCancel(() => outcome.end(status.CANCELLED))
      .build();
    const responder = new ResponderBuilder()
      .withStart((next) => next(listener))
      .withSendStatus((sent, next) => {
        outcome.isOurs = true;
        next(sent);
      })
      .build();
    return new ServerInterceptingCall(call, responder);
  };
}

interface Outcome {
  /** The status comes from our handlers, not from grpc-js. */
  isOurs: boolean;
  end(code: status): void;
}

/**
 * grpc-js ends calls with too large or undecodable messages below all interceptors, by sendStatus() of the call they are built on: so that
 * is where statuses are seen.
 */
function observe(call: ServerInterceptingCallInterface, onEnd: (code: status) => void, refusals: Refusals, caller: Caller): Outcome {
  let ended = false;
  const outcome: Outcome = {
    isOurs: false,
    end: (code) => {
      if (ended) return;
      ended = true;
      onEnd(code);
    },
  };
  const send = call.sendStatus.bind(call);
  call.sendStatus = (sent: Status): void => {
    if (!ended && !outcome.isOurs) countBelow(sent, refusals, caller);
    outcome.end(sent.code ?? status.UNKNOWN);
    send(sent);
  };
  return outcome;
}

function countBelow({ code, details }: Status, refusals: Refusals, { name }: Caller): void {
  if (code === status.RESOURCE_EXHAUSTED) refusals.count('message_size', name, details ?? '');
  if (code === status.INTERNAL || code === status.UNIMPLEMENTED) refusals.count('malformed', name, details ?? '');
}

function refusalOf(path: string, caller: Caller, refusals: Refusals): Status | undefined {
  if (!caller.takeRequest()) {
    refusals.count('request_rate', caller.name);
    return richStatus(status.RESOURCE_EXHAUSTED, 'too many requests; wait, and send fewer', { reason: 'REQUEST_RATE', metadata: {} });
  }
  const [role, needed] = [caller.role(), neededRole(path)];
  if (includesRole(role, needed)) return undefined;
  refusals.count('permission', caller.name, path);
  const has = role === undefined ? 'no role: no rule of api.roles matches its certificate' : `the role ${role}`;
  const metadata = { client: caller.name, role: role ?? '', needed_role: needed, method: path.slice(1) };
  return richStatus(status.PERMISSION_DENIED, `${path.slice(1)} needs the role ${needed}; this client has ${has}`, {
    reason: 'ROLE_MISSING',
    metadata,
  });
}

function richStatus(code: status, details: string, rich: Omit<RichError, 'violations'>): Status {
  const metadata = new Metadata();
  metadata.set(DETAILS_TRAILER, encodeRichError(code, details, { ...rich, violations: [] }));
  return { code, details, metadata };
}

/** Who changed what, for whoever looks into it later. Reading is nothing to write down. */
function settle(path: string, code: status, { name }: Caller, { counters, log }: AdmissionOptions): void {
  counters.countRequest(path, code);
  if (neededRole(path) === 'viewer' || code === status.PERMISSION_DENIED || code === status.RESOURCE_EXHAUSTED) return;
  log.info({ client: name, method: path.slice(1), code: status[code] }, 'API: call');
}
