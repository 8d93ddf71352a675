/**
 * The management API's part of the configuration: ApiConfig message → settings.
 */
import { strict as assert } from 'node:assert';
import type { xmcast } from '#proto';
import { parseListen, type ListenAddress } from './listen';

/** Each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Absolute paths of PEM files. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string;
  readonly crl: string | undefined;
}

export interface RoleRule {
  /** As in the configuration: a URI, a DNS name or "CN=name", with "*". */
  readonly match: string;
  readonly role: Role;
}

export interface ApiLimits {
  readonly connections: number;
  readonly connectionsPerClient: number;
  readonly requestsPerSecond: number;
  readonly unixConnections: number;
  /** Of all clients together. */
  readonly watchers: number;
  readonly streamsPerConnection: number;
  readonly requestBytes: number;
}

export interface ApiSettings {
  readonly socketPath: string;
  /** A name or a number. undefined: that of xmcast, if there is one. */
  readonly socketGroup: string | undefined;
  readonly listen: readonly ListenAddress[];
  /** There when there is anything to listen on. */
  readonly tls: TlsFiles | undefined;
  readonly roles: readonly RoleRule[];
  readonly limits: ApiLimits;
}

const DEFAULT_SOCKET_PATH = '/run/xmcast/control.sock';
export const DEFAULT_API_LIMITS: ApiLimits = {
  connections: 64,
  connectionsPerClient: 16,
  requestsPerSecond: 1000,
  unixConnections: 64,
  watchers: 64,
  streamsPerConnection: 100,
  // As large as a configuration file may be.
  requestBytes: 4 * 1024 * 1024,
};

export function apiSettings(api: xmcast.v1.ApiConfig.$Properties): ApiSettings {
  return {
    socketPath: api.socket ?? DEFAULT_SOCKET_PATH,
    socketGroup: api.socketGroup ?? undefined,
    listen: (api.listen ?? []).map(validListen),
    tls: tlsFiles(api.tls ?? {}),
    roles: (api.roles ?? []).map(({ match, role }) => ({ match: match ?? '', role: validRole(role ?? '') })),
    limits: apiLimits(api.limits ?? {}),
  };
}

function apiLimits(limits: xmcast.v1.ApiLimitsConfig.$Properties): ApiLimits {
  return {
    connections: limits.connections ?? DEFAULT_API_LIMITS.connections,
    connectionsPerClient: limits.connectionsPerClient ?? DEFAULT_API_LIMITS.connectionsPerClient,
    requestsPerSecond: limits.requestsPerSecond ?? DEFAULT_API_LIMITS.requestsPerSecond,
    unixConnections: limits.unixConnections ?? DEFAULT_API_LIMITS.unixConnections,
    watchers: limits.watchers ?? DEFAULT_API_LIMITS.watchers,
    streamsPerConnection: limits.streamsPerConnection ?? DEFAULT_API_LIMITS.streamsPerConnection,
    requestBytes: limits.requestBytes ?? DEFAULT_API_LIMITS.requestBytes,
  };
}

function tlsFiles({ certificate, key, clientCa, crl }: xmcast.v1.TlsConfig.$Properties): TlsFiles | undefined {
  if (!certificate || !key || !clientCa) return undefined;
  return { certificate, key, clientCa, crl: crl ?? undefined };
}

function validListen(text: string): ListenAddress {
  const address = parseListen(text);
  assert(address !== undefined && address !== 'off', 'a validated configuration has valid addresses to listen on');
  return address;
}

function validRole(text: string): Role {
  const role = ROLES.find((each) => each === text);
  assert(role !== undefined, 'a validated configuration has roles that there are');
  return role;
}
