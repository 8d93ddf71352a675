/**
 * What the kernel of a namespace knows about multicast: the groups its hosts have joined, and the interfaces a routing daemon has
 * registered. Reads /proc, asks nobody.
 */
import type { Namespace } from './namespace';

/** Interfaces of the kernel's forwarder, in the order of their numbers. Empty: no daemon routes here. */
export async function multicastVifs(namespace: Namespace): Promise<readonly string[]> {
  const text = await namespace.run(['cat', '/proc/net/ip_mr_vif']);
  return text
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/)[1] ?? '')
    .filter((name) => name !== '');
}

/** Groups joined on an interface by anything that runs there, 224.0.0.1 left out. */
export async function joinedGroups(namespace: Namespace, interfaceName: string): Promise<readonly string[]> {
  return parseJoinedGroups(await namespace.run(['cat', '/proc/net/igmp']), interfaceName);
}

const ALL_HOSTS = '224.0.0.1';

/** Lines of /proc/net/igmp: one for each interface, followed by one for each of its groups, indented. */
export function parseJoinedGroups(text: string, interfaceName: string): readonly string[] {
  const groups: string[] = [];
  let isOurs = false;
  for (const line of text.split('\n').slice(1)) {
    const words = line.trim().split(/\s+/);
    if (!line.startsWith('\t')) isOurs = words[1] === interfaceName;
    else if (isOurs) groups.push(addressOf(words[0] ?? ''));
  }
  return groups.filter((group) => group !== ALL_HOSTS);
}

/** The four bytes in network order, read by the host's CPU as one number. */
function addressOf(hexadecimal: string): string {
  return new Uint8Array(new Uint32Array([Number.parseInt(hexadecimal, 16)]).buffer).join('.');
}
