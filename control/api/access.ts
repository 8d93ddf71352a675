/**
 * Who may call what: the role that each method needs, and the role that a certificate has. Pure.
 */
import { ROLES, type Role, type RoleRule } from '../config/api-settings';

/** The path of all methods that there are not, as rules and counters have it. */
export const UNKNOWN_METHOD = '/unknown';

/**
 * By path. A test holds it to the services there are; a method that is missing is for admins.
 * viewer: reads. operator: what the configuration leaves to operation. admin: decides what the router does.
 */
export const METHOD_ROLES: Readonly<Record<string, Role>> = {
  '/xmcast.v1.ConfigService/GetConfig': 'viewer',
  '/xmcast.v1.ConfigService/ListRevisions': 'viewer',
  '/xmcast.v1.ConfigService/ConfirmConfig': 'operator',
  '/xmcast.v1.ConfigService/ApplyConfig': 'admin',
  '/xmcast.v1.ConfigService/RollbackConfig': 'admin',
  '/xmcast.v1.ConfigService/ReloadConfig': 'admin',
  '/xmcast.v1.StateService/ListInterfaces': 'viewer',
  '/xmcast.v1.StateService/ListMemberships': 'viewer',
  '/xmcast.v1.StateService/ListReports': 'viewer',
  '/xmcast.v1.StateService/ListRoutes': 'viewer',
  '/xmcast.v1.StateService/ListFlows': 'viewer',
  '/xmcast.v1.StateService/ListNeighbors': 'viewer',
  '/xmcast.v1.StateService/ListEvents': 'viewer',
  '/xmcast.v1.StateService/WatchInterfaces': 'viewer',
  '/xmcast.v1.StateService/WatchMemberships': 'viewer',
  '/xmcast.v1.StateService/WatchReports': 'viewer',
  '/xmcast.v1.StateService/WatchNeighbors': 'viewer',
  '/xmcast.v1.StateService/WatchRoutes': 'viewer',
  '/xmcast.v1.StateService/WatchFlows': 'viewer',
  '/xmcast.v1.StateService/WatchEvents': 'viewer',
  '/xmcast.v1.StaticEntryService/ListStaticEntries': 'viewer',
  '/xmcast.v1.StaticEntryService/ListStaticOwners': 'viewer',
  '/xmcast.v1.StaticEntryService/UpdateStaticEntries': 'operator',
  '/xmcast.v1.StaticEntryService/RenewStaticLease': 'operator',
  '/xmcast.v1.SystemService/GetStatus': 'viewer',
  '/xmcast.v1.SystemService/WatchStatus': 'viewer',
  '/xmcast.v1.SystemService/GetCapabilities': 'viewer',
  '/xmcast.v1.SystemService/Trace': 'viewer',
  '/xmcast.v1.SystemService/ResetCounters': 'operator',
  '/xmcast.v1.SystemService/SetLogLevel': 'operator',
  '/xmcast.v1.SystemService/Detach': 'admin',
  '/xmcast.v1.DataplaneService/GetDataplane': 'viewer',
  '/xmcast.v1.DataplaneService/ListPorts': 'viewer',
  '/xmcast.v1.DataplaneService/ReadRoutes': 'viewer',
  '/xmcast.v1.DataplaneService/ReadCounters': 'viewer',
  '/xmcast.v1.DataplaneService/WatchLinks': 'viewer',
  '/xmcast.v1.DataplaneService/Control': 'admin',
  '/grpc.health.v1.Health/Check': 'viewer',
  '/grpc.health.v1.Health/List': 'viewer',
  '/grpc.health.v1.Health/Watch': 'viewer',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'viewer',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'viewer',
};

export function neededRole(path: string): Role {
  // Whoever may ask anything is told that there is no such method.
  if (path === UNKNOWN_METHOD) return 'viewer';
  return Object.hasOwn(METHOD_ROLES, path) ? (METHOD_ROLES[path] ?? 'admin') : 'admin';
}

export function includesRole(given: Role | undefined, needed: Role): boolean {
  return given !== undefined && ROLES.indexOf(given) >= ROLES.indexOf(needed);
}

/** A function from the names of a certificate to its role. undefined: none. */
export function roleFinder(rules: readonly RoleRule[]): (names: readonly string[]) => Role | undefined {
  const compiled = rules.map(({ match, role }) => ({ pattern: patternOf(match), role }));
  return (names) => compiled.find(({ pattern }) => names.some((name) => pattern.test(name)))?.role;
}

/** "*" is any run of characters but "/", so that a rule for one folder of identities never reaches into another. */
function patternOf(match: string): RegExp {
  const isDnsName = !match.startsWith('CN=') && !match.includes('://');
  const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const parts = (isDnsName ? match.toLowerCase() : match).split(/\*+/);
  return new RegExp(`^${parts.map(literal).join('[^/]*')}$`);
}
