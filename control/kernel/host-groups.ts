/**
 * The groups that this machine's kernel is in, whoever has joined them: /proc/net/igmp and, for their sources, /proc/net/mcfilter. The
 * kernel tells of changes only since Linux 6.14, so they are read when there is reason to.
 */
import { readFile } from 'node:fs/promises';
import { prefixContains, type Ipv4 } from '../protocol/packet/address';

export interface HostGroup {
  readonly ifindex: number;
  readonly interfaceName: string;
  readonly group: Ipv4;
  /** Empty: every source. */
  readonly sources: readonly Ipv4[];
}

/** RFC 4607: here nobody can want every source. */
const SOURCE_SPECIFIC = { address: 0xe8000000, length: 8 };

export class HostGroups {
  #text = '';
  #groups: readonly HostGroup[] = [];

  /** The same array as before when nothing has changed. Rejects with the error of the file system. */
  async read(): Promise<readonly HostGroup[]> {
    const [groups, filters] = await Promise.all([readFile('/proc/net/igmp', 'latin1'), readFile('/proc/net/mcfilter', 'latin1')]);
    const text = `${groups}\n${filters}`;
    if (text !== this.#text) this.#groups = parseHostGroups(groups, filters);
    this.#text = text;
    return this.#groups;
  }
}

interface Included {
  readonly source: Ipv4;
  /** Sockets that name it. */
  readonly sockets: number;
}

export function parseHostGroups(groups: string, filters: string): readonly HostGroup[] {
  const included = parseFilters(filters);
  const found: HostGroup[] = [];
  let [ifindex, interfaceName] = [0, ''];
  for (const line of groups.split('\n')) {
    const device = /^(\d+)\s+(\S+)\s*:/.exec(line);
    if (device !== null) [ifindex, interfaceName] = [Number(device[1]), device[2] ?? ''];
    const [, address, users] = /^\s+([0-9A-F]{8})\s+(\d+)\s/.exec(line) ?? [];
    if (address === undefined) continue;
    const group = swapped(Number.parseInt(address, 16));
    found.push({ ifindex, interfaceName, group, sources: sourcesOf(group, Number(users), included.get(`${ifindex} ${group}`) ?? []) });
  }
  return found;
}

/**
 * The files do not tell which sockets want every source but those they name. Where all sockets name one and the same source none does;
 * elsewhere it is taken for granted: too much is better than too little, and the kernel filters once more.
 */
function sourcesOf(group: Ipv4, users: number, included: readonly Included[]): readonly Ipv4[] {
  const isSpecific = prefixContains(SOURCE_SPECIFIC, group) || included.some(({ sockets }) => sockets === users);
  return isSpecific ? included.map(({ source }) => source) : [];
}

/** Of those that somebody includes, by interface and group. */
function parseFilters(filters: string): ReadonlyMap<string, readonly Included[]> {
  const found = new Map<string, Included[]>();
  for (const line of filters.split('\n')) {
    const [, ifindex, group, source, sockets] = /^\s*(\d+)\s+\S+\s+0x([0-9a-f]{8})\s+0x([0-9a-f]{8})\s+(\d+)\s/.exec(line) ?? [];
    if (ifindex === undefined || group === undefined || source === undefined || Number(sockets) === 0) continue;
    const name = `${ifindex} ${Number.parseInt(group, 16)}`;
    const others = found.get(name) ?? [];
    others.push({ source: Number.parseInt(source, 16), sockets: Number(sockets) });
    found.set(name, others);
  }
  return found;
}

/** The first file has addresses as the CPU sees their four bytes. */
function swapped(word: number): Ipv4 {
  const bytes = new Uint8Array(new Uint32Array([word]).buffer);
  return new DataView(bytes.buffer).getUint32(0);
}
