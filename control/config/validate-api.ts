/**
 * The section of the management API: its fields one by one, and that nothing listens on TCP without certificates.
 */
import type { xmcast } from '#proto';
import { ROLES } from './api-settings';
import { listProblems, problem, rangeProblems, requiredTextProblems, textProblems } from './field-rules';
import { parseListen } from './listen';
import { printable } from './printable';
import { API_LIMITS_RANGES, MAX_API_LISTENERS, MAX_API_ROLES } from './ranges';
import type { Problem } from './settings';
import { indexPath, keyPath } from './source-map';
import { pathFault, wordFault } from './text-faults';

/** sun_path of struct sockaddr_un, without its end. */
const LONGEST_SOCKET_PATH = 107;
const LONGEST_PATH = 4095;
/** What certificates of the field have is far below; RFC 5280 sets no limit. */
const LONGEST_MATCH = 1024;

type ApiConfig = xmcast.v1.ApiConfig.$Properties;
type TlsConfig = xmcast.v1.TlsConfig.$Properties;

export function apiProblems(api: ApiConfig): Problem[] {
  return [
    ...textProblems('api.socket', api.socket, (path) => pathFault(path, LONGEST_SOCKET_PATH)),
    ...textProblems('api.socket_group', api.socketGroup, groupFault),
    ...listProblems('api.listen', api.listen, MAX_API_LISTENERS, (text, path) => textProblems(path, text, addressFault)),
    ...duplicates(api.listen ?? []),
    ...tlsProblems(api),
    ...listProblems('api.roles', api.roles, MAX_API_ROLES, ({ match, role }, path) => [
      ...requiredTextProblems(keyPath(path, 'match'), match, matchFault),
      ...requiredTextProblems(keyPath(path, 'role'), role, (word) => wordFault(word, ROLES)),
    ]),
    ...rangeProblems(api.limits ?? {}, API_LIMITS_RANGES, 'api.limits'),
  ];
}

/** As in useradd(8), or a number of 31 bits. */
function groupFault(text: string): string | undefined {
  if (/^(?:[a-z_][a-z0-9_-]{0,31}|0|[1-9][0-9]{0,8})$/i.test(text)) return undefined;
  return `${printable(text)} is neither the name of a group nor its number`;
}

function addressFault(text: string): string | undefined {
  const address = parseListen(text);
  if (address !== undefined && address !== 'off') return undefined;
  return `${printable(text)} is no address:port such as "0.0.0.0:9470" or "[::1]:9470", port 1 to 65535`;
}

function duplicates(listen: readonly string[]): Problem[] {
  const first = new Map<string, number>();
  return listen.flatMap((text, index) => {
    const earlier = first.get(text);
    if (earlier === undefined) first.set(text, index);
    return earlier === undefined ? [] : [problem(indexPath('api.listen', index), `${printable(text)} is already api.listen[${earlier}]`)];
  });
}

function tlsProblems({ listen, tls }: ApiConfig): Problem[] {
  if (tls === undefined || tls === null) {
    return listen?.length ? [problem('api.tls', 'is left out; api.listen needs it, for there is no TCP without certificates')] : [];
  }
  const required = ['certificate', 'key', 'clientCa'] as const satisfies readonly (keyof TlsConfig)[];
  const fault = (path: string): string | undefined => pathFault(path, LONGEST_PATH);
  return [
    ...required.flatMap((name) => requiredTextProblems(keyPath('api.tls', name === 'clientCa' ? 'client_ca' : name), tls[name], fault)),
    ...textProblems('api.tls.crl', tls.crl, fault),
  ];
}

function matchFault(match: string): string | undefined {
  if (match.length > LONGEST_MATCH) return `has ${match.length} characters; allowed are ${LONGEST_MATCH}`;
  if (/[^\x21-\x7e]/.test(match.replace(/^CN=/, '').replaceAll(' ', ''))) return `${printable(match)} has characters that are not printable ASCII`;
  if (match.startsWith('CN=') ? match.length > 3 : match.includes('://') || /^[\w*.-]+$/.test(match)) return undefined;
  return `${printable(match)} is neither a URI such as "spiffe://example.org/operators/*", a DNS name nor "CN=name"`;
}
