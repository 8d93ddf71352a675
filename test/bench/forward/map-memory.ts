/**
 * What the forwarder's maps cost in kernel memory, by the kernel's own account (`memlock` of /proc/self/fdinfo), shared out over what
 * they grow with. Looks at sizes, not at names: a new map finds its place by itself.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap, possibleCpus } from '#bindings';
import { indexBuckets } from '../../../control/dataplane/route-index';
import type { MemoryAnswer } from './protocol';

const BPF_MAP_TYPE_DEVMAP = 14;
const GROUP_SLOTS = [4, 16, 64, 256, 1024];

/** `maxVports` as the object declares it. */
export function mapMemory(pinPath: string, routeLimit: number, maxVports: number): MemoryAnswer {
  const cpus = possibleCpus();
  let [perRouteBytes, perVportBytes, fixedBytes] = [0, 0, 0];
  for (const map of pinnedMaps(pinPath)) {
    const { maxEntries } = map.info;
    const bytes = memoryOf(map);
    if (growsWith(routeLimit, maxEntries)) perRouteBytes += bytes / maxEntries;
    else if (growsWith(cpus * routeLimit, maxEntries)) perRouteBytes += (cpus * bytes) / maxEntries;
    else if (maxEntries === indexBuckets(routeLimit)) perRouteBytes += bytes / routeLimit;
    else if (maxEntries % maxVports === 0) perVportBytes += bytes / maxVports;
    else fixedBytes += bytes;
    map.close();
  }
  return { cpus, perRouteBytes, perVportBytes, fixedBytes, groups: GROUP_SLOTS.map(groupMemory) };
}

/** Counters rest a while after their route has gone, so there are somewhat more of them than routes. */
function growsWith(limit: number, maxEntries: number): boolean {
  return maxEntries >= limit && maxEntries < 1.5 * limit;
}

function pinnedMaps(pinPath: string): readonly BpfMap[] {
  const maps: BpfMap[] = [];
  const folder = join(pinPath, 'current');
  for (const name of readdirSync(folder)) {
    try {
      maps.push(BpfMap.openPinned(join(folder, name)));
    } catch {
      // A program or a link: not a map.
    }
  }
  return maps;
}

function groupMemory(slots: number): { slots: number; bytes: number } {
  const map = BpfMap.create({ type: BPF_MAP_TYPE_DEVMAP, name: 'group', keySize: 4, valueSize: 8, maxEntries: slots });
  const bytes = memoryOf(map);
  map.close();
  return { slots, bytes };
}

function memoryOf(map: BpfMap): number {
  const bytes = /^memlock:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${map.fd}`, 'utf8'))?.[1];
  if (bytes === undefined) throw new Error(`the kernel does not tell the size of map ${map.info.name}`);
  return Number(bytes);
}
