/**
 * veth pairs between namespaces, set up so that packets come out as they would on wires: checksums complete before a packet
 * leaves, VLAN tags in the packet, and both ends able to take frames that XDP redirects. Owns no names beyond its two ends.
 */
import { parseIpv4 } from '../../control/protocol/packet/address';
import { run } from './command';
import { eventually } from './eventually';
import { writeSetting, type Namespace } from './namespace';

/** One end of a link, ready to be made. */
export interface LinkEndSpec {
  readonly namespace: Namespace;
  readonly interfaceName: string;
  /** "10.0.0.1/24"; none for a bare interface. */
  readonly address?: string;
  /** The bridge the end is a port of. */
  readonly bridge?: string;
  /** Kernel host speaks this IGMP version here; 0 lets it follow the querier. */
  readonly igmpVersion?: 0 | 1 | 2 | 3;
  /** Next hop of the default route. */
  readonly gateway?: string;
  readonly mac: string;
}

const MAX_INTERFACE_NAME = 15;

/** Resolves when both ends are up for the kernel (operstate), not merely set up. */
export async function createLink(ends: readonly [LinkEndSpec, LinkEndSpec], mtu: number): Promise<void> {
  for (const end of ends) assertInterfaceName(end.interfaceName);
  const [left, right] = ends.map((end) => `${end.interfaceName} netns ${end.namespace.name} address ${end.mac} mtu ${mtu}`);
  // Made inside the namespaces at once: names never meet those of the machine.
  await run(['ip', 'link', 'add', 'name', ...words(left), 'type', 'veth', 'peer', 'name', ...words(right)]);
  // In two steps: whether an end takes frames from XDP is settled for good when the other end goes up.
  await Promise.all(ends.map((end) => setOffloads(end)));
  await Promise.all(ends.map((end) => configureEnd(end)));
  await Promise.all(ends.map((end) => waitUntilUp(end.namespace, end.interfaceName)));
}

/** 02:00 and the address, so that a capture reads itself. `serial` tells ends without an address apart. */
export function macFor(address: string | undefined, serial: number): string {
  const ip = address === undefined ? undefined : parseIpv4(address.split('/')[0] ?? '');
  const octets =
    ip === undefined
      ? [2, 1, 0, 0, serial >>> 8, serial & 255]
      : [2, 0, ip >>> 24, (ip >>> 16) & 255, (ip >>> 8) & 255, ip & 255];
  return octets.map((octet) => octet.toString(16).padStart(2, '0')).join(':');
}

export async function waitUntilUp(namespace: Namespace, interfaceName: string): Promise<void> {
  const isUp = async (): Promise<boolean> =>
    (await run(['ip', '-n', namespace.name, '-o', 'link', 'show', 'dev', interfaceName])).includes(' state UP ');
  await eventually(isUp, { what: `${interfaceName} in ${namespace.label} is up` });
}

function words(text: string | undefined): readonly string[] {
  return (text ?? '').split(' ');
}

function assertInterfaceName(name: string): void {
  if (name.length > MAX_INTERFACE_NAME || !/^[\w.-]+$/.test(name))
    throw new Error(`not an interface name: ${JSON.stringify(name)}`);
}

async function setOffloads({ namespace, interfaceName }: LinkEndSpec): Promise<void> {
  // tx: a checksum left for hardware to finish is never finished when XDP redirects the frame. gro: switches on NAPI, without which
  // veth refuses frames from XDP. vlan: tags would travel beside the packet, and be gone after a redirect.
  await namespace.script([`ethtool -K ${interfaceName} tx off gro on txvlan off rxvlan off > /dev/null`]);
}

async function configureEnd(end: LinkEndSpec): Promise<void> {
  const device = end.interfaceName;
  const commands = [`link set dev ${device} up`];
  if (end.address !== undefined) commands.unshift(`address add ${end.address} dev ${device}`);
  if (end.bridge !== undefined) commands.unshift(`link set dev ${device} master ${end.bridge}`);
  if (end.gateway !== undefined) commands.push(`route replace default via ${end.gateway} dev ${device}`);
  await end.namespace.script([
    writeSetting(`ipv4/conf/${device}/force_igmp_version`, end.igmpVersion ?? 0),
    // One process for all of it: a lab has many ends.
    "ip -batch - <<'END'",
    ...commands,
    'END',
  ]);
}
