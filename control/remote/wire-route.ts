/**
 * Routes, ports and punts between the controller's words and the messages of DataplaneService. What comes from the other side is checked:
 * a function that reads returns a sentence when it cannot.
 */
import type { xmcast } from '#proto';
import { PUNT_CLASSES, type PolicerSettings, type PortAttachment, type PortMode, type PortSpec, type Punt, type PuntClass } from '../dataplane/api';
import { isRange, type RouteChange, type RouteKey, type VportId, type WantedRoute } from '../mrib/route';
import { formatIpv4, prefixMask, type Ipv4 } from '../protocol/packet/address';

type WireKey = xmcast.v1.DataplaneRouteKey.$Properties;
type WireRoute = xmcast.v1.DataplaneRoute.$Properties;

/** PUNT_CLASSES begin at 1 on the wire. */
const FIRST_PUNT_CLASS = 1;
const MODES: readonly (PortMode | 'auto')[] = ['auto', 'xdp', 'tc'];
const MAX_VLAN = 4094;
const MAX_TTL = 255;
const MAC_BYTES = 6;
const MAX_NAME = 15;
const MAX_MTU = 65_535;
const MAX_FRAME_BYTES = 16_384;
const LOCAL_GROUPS = 0xe0000000;
const LOCAL_GROUPS_BITS = 24;
const MAX_RATE = 1_000_000;
const MAX_TOTAL = 10_000_000;

export function keyMessage({ source, group, sourceLength, groupLength }: RouteKey): WireKey {
  if (sourceLength === undefined && groupLength === undefined) return { source, group };
  return {
    source,
    group,
    ...(sourceLength === undefined ? {} : { sourceLength }),
    ...(groupLength === undefined ? {} : { groupLength }),
  };
}

export function routeMessage(route: WantedRoute): WireRoute {
  return {
    key: keyMessage(route),
    incoming: route.incoming ?? 0,
    outgoing: [...route.outgoing],
    ttlThreshold: route.ttlThreshold ?? 0,
    local: route.incoming !== undefined && route.local?.includes(route.incoming) === true,
    localVports: [...(route.local ?? [])],
  };
}

export function changeMessage(change: RouteChange): xmcast.v1.RouteChange.$Properties {
  return change.kind === 'set' ? { set: routeMessage(change.route) } : { remove: keyMessage(change.key) };
}

/** Unchecked: from a data plane. */
export function wireKey({ source, group, sourceLength, groupLength }: WireKey): RouteKey {
  const key = { source: source ?? 0, group: group ?? 0 };
  const hasSourceLength = sourceLength !== undefined && sourceLength !== null;
  const hasGroupLength = groupLength !== undefined && groupLength !== null;
  if (!hasSourceLength && !hasGroupLength) return key;
  return { ...key, ...(hasSourceLength ? { sourceLength } : {}), ...(hasGroupLength ? { groupLength } : {}) };
}

export function readKey(message: WireKey | null | undefined): RouteKey | string {
  if (message === null || message === undefined) return 'there is no key';
  const key = wireKey(message);
  return keyFault(key) ?? key;
}

export function readRoute(message: WireRoute | null | undefined, maxVport: VportId): WantedRoute | string {
  const key = readKey(message?.key);
  if (typeof key === 'string') return key;
  const incoming = message?.incoming ?? 0;
  const outgoing = [...new Set(message?.outgoing ?? [])].sort((a, b) => a - b);
  const ttlThreshold = message?.ttlThreshold ?? 0;
  const local = localOf(message, incoming);
  const wrong = [incoming, ...outgoing, ...local].find((vport, i) => vport > maxVport || (i > 0 && vport === 0));
  if (wrong !== undefined) return `vport ${wrong} is not within 1 to ${maxVport}`;
  if (incoming !== 0 && outgoing.includes(incoming)) return `vport ${incoming} is both incoming and outgoing`;
  if (ttlThreshold > MAX_TTL) return `TTL threshold ${ttlThreshold} is above ${MAX_TTL}`;
  return {
    ...key,
    incoming: incoming === 0 ? undefined : incoming,
    outgoing,
    ...(ttlThreshold === 0 ? {} : { ttlThreshold }),
    ...(local.length === 0 ? {} : { local }),
  };
}

export function readChange(message: xmcast.v1.RouteChange.$Properties, maxVport: VportId): RouteChange | string {
  if (message.set !== null && message.set !== undefined) {
    const route = readRoute(message.set, maxVport);
    return typeof route === 'string' ? route : { kind: 'set', route };
  }
  if (message.remove === null || message.remove === undefined) return 'the change is neither set nor remove';
  const key = readKey(message.remove);
  return typeof key === 'string' ? key : { kind: 'remove', key };
}

export function isSameRoute(a: WantedRoute, b: WantedRoute): boolean {
  return (
    a.incoming === b.incoming &&
    (a.ttlThreshold ?? 0) === (b.ttlThreshold ?? 0) &&
    sameVports(a.local ?? [], b.local ?? []) &&
    sameVports(a.outgoing, b.outgoing)
  );
}

function sameVports(a: readonly VportId[], b: readonly VportId[]): boolean {
  return a.length === b.length && a.every((vport, i) => vport === b[i]);
}

/** A controller of an older version knows only of the incoming interface. */
function localOf(message: WireRoute | null | undefined, incoming: VportId): readonly VportId[] {
  const named = message?.localVports ?? [];
  const implied = named.length === 0 && message?.local === true && incoming !== 0 ? [incoming] : [];
  return [...new Set([...named, ...implied])].sort((a, b) => a - b);
}

/** Of a port that was taken over not everything is known. */
export function portMessage(port: Pick<PortSpec, 'vport' | 'name' | 'ifindex'> & Partial<PortSpec>): xmcast.v1.DataplanePort.$Properties {
  const { vport, name, ifindex, macAddress = new Uint8Array(0), mtu = 0, ttlThreshold = 0, mode = 'auto', kind = '', partOf = '', vlan: vlanId = 0 } = port;
  return { vport, name, ifindex, macAddress, mtu, ttlThreshold, mode: MODES.indexOf(mode), kind, partOf, vlanId };
}

export function readPort(message: xmcast.v1.DataplanePort.$Properties, maxVport: VportId): PortSpec | string {
  const { vport, name, ifindex, macAddress, mtu, ttlThreshold, mode, kind, partOf, vlanId } = message;
  if (!isWithin(vport, 1, maxVport)) return `vport ${vport ?? 0} is not within 1 to ${maxVport}`;
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) return `name: 1 to ${MAX_NAME} characters are allowed`;
  if (!isWithin(ifindex, 1, 0x7fffffff)) return `ifindex ${ifindex ?? 0} is none`;
  if (macAddress?.length !== MAC_BYTES) return `mac_address: ${MAC_BYTES} bytes are needed, not ${macAddress?.length ?? 0}`;
  if (!isWithin(mtu, 1, MAX_MTU)) return `mtu ${mtu ?? 0} is not within 1 to ${MAX_MTU}`;
  if (!isWithin(ttlThreshold ?? 0, 0, MAX_TTL)) return `ttl_threshold is above ${MAX_TTL}`;
  if (!isWithin(vlanId ?? 0, 0, MAX_VLAN)) return `vlan_id is above ${MAX_VLAN}`;
  const known = MODES[mode ?? 0];
  if (known === undefined) return `mode ${mode} is unknown`;
  const parts = { vport, name, ifindex, mtu, ttlThreshold: ttlThreshold ?? 0, ...(vlanId ? { vlan: vlanId } : {}) };
  return { ...parts, macAddress: Uint8Array.from(macAddress), mode: known, kind: (kind ?? '').slice(0, MAX_NAME), ...(partOf ? { partOf: partOf.slice(0, MAX_NAME) } : {}) };
}

export function attachmentMessage({ mode, reason, isFallback }: PortAttachment): xmcast.v1.PortAttachment.$Properties {
  return { mode: MODES.indexOf(mode), reason, isFallback };
}

export function readAttachment(message: xmcast.v1.PortAttachment.$Properties | null | undefined): PortAttachment {
  return {
    mode: MODES[message?.mode ?? 0] === 'tc' ? 'tc' : 'xdp',
    reason: message?.reason ?? '',
    isFallback: message?.isFallback ?? false,
  };
}

export type Policers = Readonly<Record<PuntClass, PolicerSettings>>;

export function policersMessage(policers: Policers): xmcast.v1.SetPolicers.$Properties {
  return {
    policers: PUNT_CLASSES.map((name, i) => {
      const { ratePps, burst, totalPps } = policers[name];
      return { class: i + FIRST_PUNT_CLASS, rate: ratePps, burst, total: totalPps };
    }),
  };
}

export function readPolicers(message: xmcast.v1.SetPolicers.$Properties): Policers | string {
  const found = new Map<PuntClass, PolicerSettings>();
  for (const { class: number, rate, burst, total } of message.policers ?? []) {
    const name = PUNT_CLASSES[(number ?? 0) - FIRST_PUNT_CLASS];
    if (name === undefined) return `class ${number ?? 0} is unknown`;
    if (found.has(name)) return `class ${name} is there twice`;
    if (!isWithin(rate, 1, MAX_RATE) || !isWithin(burst, 1, MAX_RATE)) return `${name}: rate and burst are 1 to ${MAX_RATE}`;
    if (!isWithin(total, 1, MAX_TOTAL)) return `${name}: total is 1 to ${MAX_TOTAL}`;
    found.set(name, { ratePps: rate, burst, totalPps: total });
  }
  const missing = PUNT_CLASSES.filter((name) => !found.has(name));
  if (missing.length > 0) return `there is none for ${missing.join(', ')}`;
  return Object.fromEntries(found) as Policers;
}

export function puntMessage(punt: Punt): xmcast.v1.Punt.$Properties {
  const { vport, frame, frameBytes, hostHasIt = false } = punt;
  return { class: PUNT_CLASSES.indexOf(punt.class) + FIRST_PUNT_CLASS, vport, frame, frameBytes, hostHasIt };
}

/** undefined: of a class this version does not know. */
export function readPunt(message: xmcast.v1.Punt.$Properties): Punt | undefined {
  const name = PUNT_CLASSES[(message.class ?? 0) - FIRST_PUNT_CLASS];
  const frame = message.frame ?? new Uint8Array(0);
  if (name === undefined) return undefined;
  return { class: name, vport: message.vport ?? 0, frame, frameBytes: message.frameBytes ?? frame.length, ...(message.hostHasIt === true ? { hostHasIt: true } : {}) };
}

export function readFrame(message: xmcast.v1.Transmit.$Properties | xmcast.v1.Resend.$Properties): Uint8Array | string {
  const { frame } = message;
  if (frame === null || frame === undefined || frame.length === 0) return 'there is no frame';
  return frame.length > MAX_FRAME_BYTES ? `a frame of ${frame.length} bytes is too long` : frame;
}

function keyFault(key: RouteKey): string | undefined {
  const { source, group, sourceLength, groupLength = 32 } = key;
  const sourceBits = sourceLength ?? (source === 0 ? 0 : 32);
  if (sourceBits > 32 || groupLength > 32 || groupLength < 4) return 'source_length is 0 to 32, group_length 4 to 32';
  if (!isMulticast(group)) return `group ${formatIpv4(group)} is no multicast address`;
  if (prefixed(group, groupLength) !== group || prefixed(source, sourceBits) !== source) return 'bits behind the length of a prefix are set';
  if (groupLength >= LOCAL_GROUPS_BITS && prefixed(group, LOCAL_GROUPS_BITS) === LOCAL_GROUPS) return `group ${formatIpv4(group)} never leaves its link`;
  if (!isRange(key) && isMulticast(source)) return `source ${formatIpv4(source)} is a group`;
  return undefined;
}

function isMulticast(address: Ipv4): boolean {
  return address >>> 28 === 0xe;
}

function prefixed(address: Ipv4, length: number): Ipv4 {
  return (address & prefixMask(length)) >>> 0;
}

function isWithin(value: number | null | undefined, minimum: number, maximum: number): value is number {
  return typeof value === 'number' && value >= minimum && value <= maximum;
}
