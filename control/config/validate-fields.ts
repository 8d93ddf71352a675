/**
 * Each field of a Config on its own: ranges of numbers and durations, spelling of names, addresses and paths.
 */
import type { google, xmcast } from '#proto';
import { isLocalNetworkControl, isMulticast, parsePrefix } from '../protocol/packet/address';
import { LOG_LEVELS, policersByClass } from './defaults';
import { durationMs, formatDuration, formatMs } from './duration';
import { parseListen } from './listen';
import { printable } from './printable';
import {
  DATAPLANE_RANGES,
  IGMP_RANGES,
  INTERFACE_RANGES,
  LIMITS_RANGES,
  MAX_INTERFACES,
  POLICER_BURST,
  POLICER_RATE,
  POLICER_TOTAL,
  type Range,
} from './ranges';
import type { Problem } from './settings';
import { indexPath, keyPath } from './source-map';
import { nearestWord } from './suggest';

type Value = number | google.protobuf.Duration.$Properties | null | undefined;

/** A path of the kernel has 4,096 bytes with its end; pins get names of up to 255 below the folder. */
const LONGEST_PIN_PATH = 3840;
/** sun_path of struct sockaddr_un, without its end. */
const LONGEST_SOCKET_PATH = 107;

export function fieldProblems(config: xmcast.v1.Config.$Properties): Problem[] {
  const policers = Object.entries(policersByClass(config.dataplane?.policers ?? {}));
  return [
    ...interfacesProblems(config.interfaces ?? []),
    ...igmpProblems(config.igmp, 'igmp'),
    ...rangeProblems(config.limits ?? {}, LIMITS_RANGES, 'limits'),
    ...textProblems('dataplane.pin_path', config.dataplane?.pinPath, (path) => pathFault(path, LONGEST_PIN_PATH)),
    ...policers.flatMap(([name, policer]) => policerProblems(policer, `dataplane.policers.${name}`)),
    ...rangeProblems(config.dataplane ?? {}, DATAPLANE_RANGES, 'dataplane'),
    ...textProblems('api.socket', config.api?.socket, (path) => pathFault(path, LONGEST_SOCKET_PATH)),
    ...textProblems('metrics.listen', config.metrics?.listen, listenFault),
    ...textProblems('log_level', config.logLevel, logLevelFault),
  ];
}

function interfacesProblems(interfaces: readonly xmcast.v1.InterfaceConfig.$Properties[]): Problem[] {
  if (interfaces.length === 0) return [problem('interfaces', 'none given; at least one is needed')];
  if (interfaces.length > MAX_INTERFACES) {
    return [problem('interfaces', `${interfaces.length} given; at most ${MAX_INTERFACES} are allowed`)];
  }
  return interfaces.flatMap((item, index) => {
    const path = indexPath('interfaces', index);
    return [
      ...textProblems(keyPath(path, 'name'), item.name ?? '', interfaceNameFault),
      ...rangeProblems(item, INTERFACE_RANGES, path),
      ...(item.boundaries ?? []).flatMap((text, i) => textProblems(indexPath(keyPath(path, 'boundaries'), i), text, multicastPrefixFault)),
      ...igmpProblems(item.igmp, keyPath(path, 'igmp')),
    ];
  });
}

function igmpProblems(igmp: xmcast.v1.IgmpConfig.$Properties | null | undefined, path: string): Problem[] {
  if (igmp === undefined || igmp === null) return [];
  return [...rangeProblems(igmp, IGMP_RANGES, path), ...textProblems(keyPath(path, 'ssm_range'), igmp.ssmRange, ssmRangeFault)];
}

function policerProblems(policer: xmcast.v1.PolicerConfig.$Properties | undefined, path: string): Problem[] {
  if (policer === undefined) return [];
  const rate = policer.rate ?? 0;
  // Zero and "left out" are one thing on the wire.
  if (rate === 0) return [problem(keyPath(path, 'rate'), 'is 0 or left out; allowed is 1 to 1000000')];
  return [
    ...valueProblems(keyPath(path, 'rate'), rate, POLICER_RATE),
    ...valueProblems(keyPath(path, 'burst'), policer.burst, POLICER_BURST),
    ...valueProblems(keyPath(path, 'total'), policer.total, POLICER_TOTAL),
  ];
}

function rangeProblems<Property extends string>(
  section: { readonly [property in NoInfer<Property>]?: Value },
  ranges: Readonly<Record<Property, Range>>,
  path: string,
): Problem[] {
  const properties = Object.keys(ranges) as Property[];
  return properties.flatMap((property) => valueProblems(keyPath(path, snakeCase(property)), section[property], ranges[property]));
}

function valueProblems(path: string, value: Value, range: Range): Problem[] {
  if (value === undefined || value === null) return [];
  const fault = typeof value === 'number' ? numberFault(value, range) : durationFault(value, range);
  return fault === undefined ? [] : [problem(path, fault)];
}

function numberFault(value: number, { min, max }: Range): string | undefined {
  return Number.isInteger(value) && value >= min && value <= max ? undefined : `is ${value}; allowed is ${min} to ${max}`;
}

function durationFault(value: google.protobuf.Duration.$Properties, { min, max }: Range): string | undefined {
  const ms = durationMs(value);
  const allowed = `allowed is ${formatMs(min)} to ${formatMs(max)}`;
  if (Number.isNaN(ms)) return `is not a valid duration (seconds and nanos of one sign, nanos below a second); ${allowed}`;
  if (ms < min || ms > max) return `is ${formatDuration(value)}; ${allowed}`;
  return Number.isInteger(ms) ? undefined : `is ${formatDuration(value)}; nothing finer than a millisecond (0.001s) is kept`;
}

/** What dev_valid_name() of the kernel takes, and no controls. */
function interfaceNameFault(name: string): string | undefined {
  if (name === '') return 'a name is needed, as the kernel has it, such as "eth1"';
  const bytes = Buffer.byteLength(name);
  if (bytes > 15) return `${printable(name)} has ${bytes} bytes; Linux allows 15`;
  if (name === '.' || name === '..' || /[/:\s\p{Cc}]/u.test(name)) {
    return `${printable(name)} is no interface name; Linux allows no space, "/" or ":" in it, nor "." or ".." for all of it`;
  }
  return undefined;
}

function multicastPrefixFault(text: string): string | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined)
    return `${printable(text)} is no IPv4 prefix; write it such as "232.0.0.0/8", bits behind the length zero`;
  return isMulticast(prefix.address) && prefix.length >= 4 ? undefined : `${printable(text)} is not within 224.0.0.0/4`;
}

function ssmRangeFault(text: string): string | undefined {
  const prefix = parsePrefix(text);
  const fault = multicastPrefixFault(text);
  if (fault !== undefined || prefix === undefined) return fault;
  // RFC 5771 §4: these never leave the link, so nobody can be asked for a source of them.
  const linkLocal = prefix.length >= 24 && isLocalNetworkControl(prefix.address);
  return linkLocal ? `${printable(text)} is within 224.0.0.0/24, which is never routed` : undefined;
}

function pathFault(path: string, longest: number): string | undefined {
  const bytes = Buffer.byteLength(path);
  if (!path.startsWith('/')) return `${printable(path)} is not an absolute path`;
  if (bytes > longest) return `${printable(path)} has ${bytes} bytes; allowed are ${longest}`;
  if (/\p{Cc}/u.test(path)) return `${printable(path)} has a control character`;
  const parts = path.slice(1).split('/');
  const plain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  return plain ? undefined : `${printable(path)} must not have empty, "." or ".." parts, nor end with "/"`;
}

function listenFault(text: string): string | undefined {
  if (parseListen(text) !== undefined) return undefined;
  return `${printable(text)} is neither "off" nor address:port such as "127.0.0.1:9469" or "[::1]:9469", port 1 to 65535`;
}

function logLevelFault(level: string): string | undefined {
  if (LOG_LEVELS.some((known) => known === level)) return undefined;
  const nearest = nearestWord(level, LOG_LEVELS);
  const meant = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  return `is ${printable(level)}; allowed are ${LOG_LEVELS.join(', ')}${meant}`;
}

function textProblems(path: string, text: string | null | undefined, faultOf: (text: string) => string | undefined): Problem[] {
  const fault = text === undefined || text === null ? undefined : faultOf(text);
  return fault === undefined ? [] : [problem(path, fault)];
}

function snakeCase(property: string): string {
  return property.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

function problem(path: string, message: string): Problem {
  return { path, line: 0, column: 0, message };
}
