/**
 * Options → a client of the API at the target they name: over the unix socket, or over TCP with certificates.
 */
import { readFileSync } from 'node:fs';

import { ApiClient, type ClientTls } from '../api/client';
import { errorText } from '../errors';

import { type CallContext, CliFailure, EXIT } from './failure';
import { type GlobalOptions, readTarget, type Target } from './options';
import { unreadableText } from './unreadable';

export interface Connection {
  readonly client: ApiClient;
  /** For the words of a failure. */
  readonly context: CallContext;
}

/** Connects with the first call. Throws CliFailure. */
export function connectionOf(options: GlobalOptions): Connection {
  const target = targetOf(options.target);
  const tls = 'path' in target.place ? undefined : tlsOf(options, target);
  const { timeout: timeoutMs } = options;
  return { client: new ApiClient({ target: target.name, tls, timeoutMs }), context: { target, timeoutMs } };
}

/** The environment's target has not been through the option's parser. */
function targetOf(text: string): Target {
  try {
    return readTarget(text);
  } catch (error) {
    throw new CliFailure(EXIT.usage, `XMCAST_TARGET: ${errorText(error)}`);
  }
}

function tlsOf({ tlsCa, tlsCert, tlsKey, tlsServerName }: GlobalOptions, { name }: Target): ClientTls {
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    throw new CliFailure(EXIT.usage, `${name} is reached over TLS: give --tls-ca, --tls-cert and --tls-key.`);
  }
  return {
    ca: readPem(tlsCa, '--tls-ca'),
    certificate: readPem(tlsCert, '--tls-cert'),
    key: readPem(tlsKey, '--tls-key'),
    serverName: tlsServerName,
  };
}

function readPem(file: string, option: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliFailure(EXIT.usage, `${option}: ${unreadableText(file, error)}`);
  }
}
