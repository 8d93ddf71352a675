/**
 * How the two roles reach each other, from the command line: a unix socket, or TCP with certificates at both ends.
 */
import { resolve } from 'node:path';
import type { NetworkSettings } from './api/network';
import type { Arguments } from './arguments';
import type { Role, RoleRule } from './config/api-settings';
import { parseListen } from './config/listen';
import { XmcastError } from './errors';
import type { DataplaneAddress } from './remote/open-client';

const LIMITS = { connections: 16, connectionsPerClient: 8, requestsPerSecond: 1000 };

/** Role controller. Throws XM_USAGE. */
export function dataplaneAddress({ dataplane: target, tlsCa, tlsCert, tlsKey, tlsServerName }: Arguments): DataplaneAddress {
  if (target.startsWith('unix:')) return { target };
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    throw new XmcastError('XM_USAGE', `reach the data plane at ${target}: over TCP there are certificates at both ends`, {
      hint: 'Give --tls-ca, --tls-cert and --tls-key.',
    });
  }
  return { target, tls: { ca: resolve(tlsCa), certificate: resolve(tlsCert), key: resolve(tlsKey), serverName: tlsServerName } };
}

/** Role dataplane. undefined: only the unix socket. Throws XM_USAGE. */
export function dataplaneNetwork({ dataplaneListen, tlsCa, tlsCert, tlsKey, allow = [], allowRead = [] }: Arguments): NetworkSettings | undefined {
  if (dataplaneListen === undefined) return undefined;
  const address = parseListen(dataplaneListen);
  if (address === undefined || address === 'off') {
    throw new XmcastError('XM_USAGE', `listen for controllers on ${dataplaneListen}: no address and port`, { hint: 'For example 10.0.0.1:9471 or [::1]:9471.' });
  }
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined || allow.length + allowRead.length === 0) {
    throw new XmcastError('XM_USAGE', `listen for controllers on ${dataplaneListen}: over TCP there are certificates at both ends`, {
      hint: 'Give --tls-ca, --tls-cert, --tls-key, and with --allow the names of controllers that may drive, with --allow-read those of clients that may read.',
    });
  }
  return {
    listen: [address],
    tls: { certificate: resolve(tlsCert), key: resolve(tlsKey), clientCa: resolve(tlsCa), crl: undefined },
    // The first that matches decides: who may drive may read.
    roles: [...rules(allow, 'admin'), ...rules(allowRead, 'viewer')],
    limits: LIMITS,
  };
}

function rules(names: readonly string[], role: Role): readonly RoleRule[] {
  return names.map((match) => ({ match, role }));
}
