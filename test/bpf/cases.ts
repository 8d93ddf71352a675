/**
 * What becomes of one packet that comes in by vport 1, whichever program has it.
 */
import type { InstalledRoute } from '../../control/dataplane/abi';
import { XDP } from './forwarder';
import type { FrameOptions } from './packet';

export const S = '10.100.0.10';
export const G = '239.1.1.1';

export interface Case {
  readonly name: string;
  readonly frame: FrameOptions;
  readonly route?: { readonly source: string; readonly options: Partial<InstalledRoute> };
  readonly ttlThreshold?: number;
  /** Of XDP. */
  readonly verdict: number;
  readonly drops?: Record<string, number>;
  readonly punts?: Record<string, number>;
  /** Multicast data packets counted on the port. Default: 1 when anything is expected to be dropped or redirected. */
  readonly rx?: number;
  readonly accepted?: number;
}

/** RFC 2113. */
const ROUTER_ALERT = [0x94, 4, 0, 0];
const toMembers = { source: S, options: {} };
export const CASES: readonly Case[] = [
  { name: 'not IPv4', frame: { etherType: 0x86dd }, verdict: XDP.PASS, rx: 0 },
  { name: 'unicast IPv4', frame: { group: '10.1.1.1', destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 1) }, verdict: XDP.PASS, rx: 0 },
  { name: '224.0.0.0/24 stays on the link', frame: { group: '224.0.0.251' }, route: toMembers, verdict: XDP.PASS, rx: 0 },
  { name: 'IGMP report', frame: { protocol: 2, firstByte: 0x16 }, verdict: XDP.PASS, punts: { igmp_report: 1 }, rx: 0 },
  { name: 'IGMP query', frame: { protocol: 2, firstByte: 0x11, group: '224.0.0.1' }, verdict: XDP.PASS, punts: { igmp_query: 1 }, rx: 0 },
  { name: 'PIM hello', frame: { protocol: 103, group: '224.0.0.13' }, verdict: XDP.PASS, punts: { pim: 1 }, rx: 0 },
  { name: 'IGMP with options finds its type behind them', frame: { protocol: 2, firstByte: 0x11, headerLength: 6 }, verdict: XDP.PASS, punts: { igmp_query: 1 }, rx: 0 },
  { name: 'IGMP to a group that has a route is not forwarded', frame: { protocol: 2, firstByte: 0x16 }, route: toMembers, verdict: XDP.PASS, punts: { igmp_report: 1 }, rx: 0 },
  { name: '(S,G)', frame: {}, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'padding behind a short packet', frame: { payload: 4, padding: 14 }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'no route', frame: {}, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: 'a route of another source', frame: { source: '10.100.0.11' }, route: toMembers, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(*,G) announces the source', frame: {}, route: { source: '*', options: { learn: true } }, verdict: XDP.REDIRECT, accepted: 1, punts: { new_source: 1 } },
  { name: '(*,G) by another interface is a question', frame: {}, route: { source: '*', options: { learn: true, incoming: 2 } }, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(*,G) without incoming interface is a question', frame: {}, route: { source: '*', options: { learn: true, incoming: undefined } }, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: '(S,G) by another interface', frame: {}, route: { source: S, options: { incoming: 2 } }, verdict: XDP.DROP, drops: { wrong_interface: 1 }, punts: { wrong_interface: 1 } },
  { name: 'everybody excludes the source', frame: {}, route: { source: S, options: { copies: 0 } }, verdict: XDP.DROP, drops: { no_receivers: 1 }, accepted: 1 },
  { name: 'a group that is not there', frame: {}, route: { source: S, options: { group: 63 } }, verdict: XDP.DROP, drops: { no_group: 1 }, accepted: 1 },
  { name: 'TTL 2 is enough by default', frame: { ttl: 2 }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'TTL 1 goes no further', frame: { ttl: 1 }, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL 0', frame: { ttl: 0 }, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL below the threshold', frame: { ttl: 15 }, ttlThreshold: 16, route: toMembers, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL at the threshold', frame: { ttl: 16 }, ttlThreshold: 16, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'TTL not above the threshold of the route', frame: { ttl: 20 }, route: { source: S, options: { ttlThreshold: 20 } }, verdict: XDP.DROP, drops: { ttl_in: 1 } },
  { name: 'TTL above the threshold of the route', frame: { ttl: 21 }, route: { source: S, options: { ttlThreshold: 20 } }, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'IP header checksum', frame: { checksum: 0x1234 }, route: toMembers, verdict: XDP.DROP, drops: { bad_checksum: 1 } },
  { name: 'IP version 5', frame: { version: 5 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'header of 16 bytes', frame: { headerLength: 4 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'total length below the header', frame: { totalLength: 19 }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'total length beyond the frame', frame: { totalLength: 129 }, route: toMembers, verdict: XDP.DROP, drops: { truncated: 1 } },
  { name: 'options that ask nothing of a router', frame: { ipOptions: [1, 1, 0, 0] }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'router alert', frame: { ipOptions: ROUTER_ALERT }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'options nobody knows', frame: { ipOptions: [1, 0x9f, 7, 1, 2, 3, 4, 5] }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'forty bytes of options', frame: { headerLength: 15 }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'forty bytes that are one option', frame: { ipOptions: [0x9f, 40, ...Array.from({ length: 38 }, (_, i) => i)] }, route: toMembers, verdict: XDP.REDIRECT, accepted: 1 },
  { name: 'options, and no route', frame: { ipOptions: ROUTER_ALERT }, verdict: XDP.DROP, punts: { no_route: 1 } },
  { name: 'options and a checksum of another header', frame: { ipOptions: ROUTER_ALERT, checksum: 0x1234 }, route: toMembers, verdict: XDP.DROP, drops: { bad_checksum: 1 } },
  ...[7, 68, 131, 137].map((type): Case => ({ name: `option ${type} asks routers for a way or a record: left to the host`, frame: { ipOptions: [1, type, 3, 4] }, route: toMembers, verdict: XDP.PASS, drops: { ip_options: 1 } })),
  { name: 'something behind the end of the options', frame: { ipOptions: [1, 0, 0, 9] }, route: toMembers, verdict: XDP.PASS, drops: { ip_options: 1 } },
  { name: 'an option of no length', frame: { ipOptions: [0x9f, 0, 1, 1] }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'an option of one byte that has to have two', frame: { ipOptions: [0x9f, 1, 1, 1] }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'an option longer than the header', frame: { ipOptions: [1, 0x9f, 4, 1] }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'an option that ends with its type', frame: { ipOptions: [1, 1, 1, 0x9f] }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'a router alert without its value', frame: { ipOptions: [0x94, 3, 0, 1] }, route: toMembers, verdict: XDP.DROP, drops: { bad_ip_header: 1 } },
  { name: 'source 0.0.0.0', frame: { source: '0.0.0.0' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source 127.0.0.1', frame: { source: '127.0.0.1' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source of class D', frame: { source: '224.1.1.1' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'source 255.255.255.255', frame: { source: '255.255.255.255' }, route: toMembers, verdict: XDP.DROP, drops: { martian_source: 1 } },
  { name: 'MAC of another group', frame: { destinationMac: Uint8Array.of(1, 0, 0x5e, 1, 1, 2) }, route: toMembers, verdict: XDP.DROP, drops: { mac_mismatch: 1 } },
  { name: 'unicast MAC', frame: { destinationMac: Uint8Array.of(2, 0, 0, 0, 0, 1) }, route: toMembers, verdict: XDP.DROP, drops: { mac_mismatch: 1 } },
];
