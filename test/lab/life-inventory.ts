/**
 * Everything of a forwarder that could pile up over a long life, or be lost: in its process, in the kernel, on the bpffs, at the devices.
 * What differs from one life to the next for good reasons, as interface indexes do, is left out.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command';
import type { Daemon } from './daemon';
import { pidOf } from './daemon-process';
import type { Namespace } from './namespace';
import { interfacesOf } from './xdp-forwarder';

export interface Inventory {
  readonly routes: readonly string[];
  readonly memberships: readonly string[];
  readonly interfaces: readonly string[];
  readonly conditions: readonly string[];
  readonly descriptors: number;
  readonly threads: number;
  /** Of the process: maps and programs that it holds. */
  readonly maps: number;
  readonly programs: number;
  /** Of the kernel: maps and links that are pinned below its folder, and programs at devices of its namespace. */
  readonly pinnedMaps: number;
  readonly pinnedLinks: number;
  readonly attached: readonly string[];
  readonly folders: readonly string[];
  readonly pins: readonly string[];
  /** As the kernel has them: what frames they let in, and what hangs at them. */
  readonly devices: readonly string[];
}

export async function takeInventory(router: Namespace, daemon: Daemon): Promise<Inventory> {
  const pid = await pidOf(daemon);
  const [objects, pins, attached, devices, state] = await Promise.all([
    pinnedObjects(daemon.pinPath), pinsOf(router, daemon), attachedIn(router), devicesOf(router), stateOf(daemon),
  ]);
  return { ...state, ...objects, ...pins, ...held(pid), attached, devices, descriptors: readdirSync(`/proc/${pid}/fd`).length, threads: readdirSync(`/proc/${pid}/task`).length };
}

/** Resident memory. */
export async function residentMib(daemon: Daemon): Promise<number> {
  const [, kib] = /^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${await pidOf(daemon)}/status`, 'utf8')) ?? [];
  return Number(kib) / 1024;
}

export async function routesOf({ client }: Daemon, group = ''): Promise<readonly string[]> {
  const routes = await client.listRoutes(group === '' ? {} : { group });
  return routes.map((route) => `${route.source}/${route.group} ${route.outgoingInterfaces?.join()}`).sort();
}

async function stateOf(daemon: Daemon): Promise<Pick<Inventory, 'routes' | 'memberships' | 'interfaces' | 'conditions'>> {
  const { client } = daemon;
  const memberships = (await client.listMemberships({})).map((entry) => `${entry.interface} ${entry.group} ${entry.filterMode}`).sort();
  const interfaces = (await client.listInterfaces({})).map(({ name, status, mode, problem }) => `${name} ${status} ${mode} ${problem}`).sort();
  return { routes: await routesOf(daemon), memberships, interfaces, conditions: (await client.getStatus()).conditions ?? [] };
}

async function pinnedObjects(pinPath: string): Promise<Pick<Inventory, 'pinnedMaps' | 'pinnedLinks'>> {
  const count = async (kind: 'map' | 'link'): Promise<number> => {
    const found = JSON.parse(await run(['bpftool', '-j', '-f', kind, 'show'])) as readonly { readonly pinned?: readonly string[] }[];
    return found.filter(({ pinned = [] }) => pinned.some((path) => path.startsWith(`${pinPath}/`))).length;
  };
  return { pinnedMaps: await count('map'), pinnedLinks: await count('link') };
}

/** Names in place of interface indexes, and of the number of the generation. */
async function pinsOf(router: Namespace, { pinPath }: Daemon): Promise<Pick<Inventory, 'pins' | 'folders'>> {
  const names = new Map((await interfacesOf(router, await interfaceNames(router))).map(({ ifindex, name }) => [String(ifindex), name]));
  const lasting = (path: string): string => path.replace(/^((?:link|filter)_)(\d+)/, (_, kind: string, ifindex: string) => `${kind}${names.get(ifindex) ?? ifindex}`).replace(/^\d+(?=\/|$)/, 'N');
  const paths = readdirSync(pinPath, { recursive: true, encoding: 'utf8' });
  const isFolder = (path: string): boolean => statSync(join(pinPath, path)).isDirectory();
  return { pins: paths.map(lasting).sort(), folders: paths.filter(isFolder).map(lasting).sort() };
}

async function interfaceNames(router: Namespace): Promise<readonly string[]> {
  const links = JSON.parse(await router.run(['ip', '-j', 'link', 'show'])) as readonly { readonly ifname: string }[];
  return links.map(({ ifname }) => ifname);
}

interface Attachment {
  readonly devname: string;
  /** XDP: how; tc: where. */
  readonly mode?: string;
  readonly kind?: string;
  /** Of tc only. */
  readonly name?: string;
}

async function attachedIn(router: Namespace): Promise<readonly string[]> {
  const [shown] = JSON.parse(await router.run(['bpftool', '-j', 'net', 'show'])) as readonly { readonly xdp: readonly Attachment[]; readonly tc: readonly Attachment[] }[];
  return [...(shown?.xdp ?? []), ...(shown?.tc ?? [])].map(({ devname, mode = '', kind = '', name = '' }) => `${devname} ${mode}${kind} ${name}`).sort();
}

async function devicesOf(router: Namespace): Promise<readonly string[]> {
  const links = JSON.parse(await router.run(['ip', '-j', '-d', 'link', 'show'])) as readonly { readonly ifname: string; readonly flags: readonly string[]; readonly allmulti: number; readonly promiscuity: number; readonly mtu: number; readonly address: string; readonly qdisc: string }[];
  return links.map(({ ifname, flags, allmulti, promiscuity, mtu, address, qdisc }) => `${ifname} ${[...flags].sort().join()} allmulti ${allmulti} promiscuity ${promiscuity} mtu ${mtu} ${address} ${qdisc}`).sort();
}

/** As the descriptors of the process name them: others on this machine have their own. */
function held(pid: number): { readonly maps: number; readonly programs: number } {
  const kinds = { map_id: new Set<string>(), prog_id: new Set<string>() };
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    for (const [, kind, id] of readIfThere(`/proc/${pid}/fdinfo/${fd}`).matchAll(/^(map_id|prog_id):\s*(\d+)/gm)) kinds[kind as keyof typeof kinds].add(id ?? '');
  }
  return { maps: kinds.map_id.size, programs: kinds.prog_id.size };
}

/** A descriptor may be closed between two looks. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
