/** What is measured: large updates whole, small ones in a row, an interface that goes and returns, and what an entry needs. */
import { xmcast } from '#proto';
import { staticEntryServiceDefinition } from '../../../control/api/services';
import { fromWire } from '../../../control/api/u64';
import { formatIpv4 } from '../../../control/protocol/packet/address';
import { eventually } from '../../lab/eventually';
import { LANS, type Bed } from './bed';
import type { MemoryRow, Row, SinglesRow } from './results';

type Entry = xmcast.v1.StaticEntry.$Properties;
type Update = xmcast.v1.UpdateStaticEntriesRequest.$Properties;

const OWNER = 'bench';
const FIRST_GROUP = 0xef100000;
const FIRST_SOURCE = 0x0a640101;
const SOURCES_OF_A_GROUP = 200;

/** (S,G), some two hundred sources of each group. `shift` chooses other ports. */
export function sourceRoutes(count: number, downstreams: number, shift = 0): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => ({
    route: {
      group: formatIpv4(FIRST_GROUP + Math.floor(i / SOURCES_OF_A_GROUP)),
      source: formatIpv4(FIRST_SOURCE + (i % SOURCES_OF_A_GROUP)),
      ...ways(i + shift, downstreams),
    },
  }));
}

/** (*,G) */
export function groupRoutes(count: number, downstreams: number): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => ({ route: { group: formatIpv4(FIRST_GROUP + i), ...ways(i, downstreams) } }));
}

export function memberships(count: number): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => ({ membership: { interface: `lan${(i % LANS) + 1}`, group: formatIpv4(FIRST_GROUP + i) } }));
}

function ways(i: number, downstreams: number): { readonly upstream: string; readonly downstreams: string[] } {
  return { upstream: 'up0', downstreams: Array.from({ length: downstreams }, (_, k) => `lan${((i + k) % LANS) + 1}`) };
}

function update(bed: Bed, request: Update): Promise<xmcast.v1.UpdateStaticEntriesResponse.$Properties> {
  return bed.client.call(staticEntryServiceDefinition.updateStaticEntries, xmcast.v1.UpdateStaticEntriesRequest.create({ owner: OWNER, ...request }));
}

/** One call; fails when the data plane has not got all of it. */
export async function measureUpdate(bed: Bed, what: string, request: Update): Promise<Row> {
  const message = xmcast.v1.UpdateStaticEntriesRequest.create({ owner: OWNER, ...request });
  const bytes = xmcast.v1.UpdateStaticEntriesRequest.encode(message).finish().length;
  const { result, wallMs, stallMs, waitP99Ms, cpuMs } = await bed.watch(() => update(bed, request));
  if ((result.refused ?? []).length > 0) throw new Error(`${what}: ${result.refused?.[0]?.problem}`);
  if (fromWire(result.programmedRevision) !== fromWire(result.revision)) throw new Error(`${what}: not programmed`);
  const { added = 0, changed = 0, removed = 0, unchanged = 0 } = result;
  const entries = Number(added) + Number(changed) + Number(removed) + Number(unchanged);
  return { what, entries, bytes, wallMs, stallMs, worstStallMs: stallMs, waitP99Ms, cpuMs };
}

/** Another owner's, beside all that there are: none waits for the answer to the one before. */
export async function measureSingles(bed: Bed, calls: number, atOnce: number): Promise<SinglesRow> {
  const entries = groupRoutes(calls, 1).map(({ route }, i) => ({ route: { ...route, group: formatIpv4(0xefe00000 + i) } }));
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let entry = entries[next++]; entry !== undefined; entry = entries[next++]) await update(bed, { owner: 'singles', upserts: [entry] });
  };
  const { wallMs, stallMs } = await bed.watch(() => Promise.all(Array.from({ length: atOnce }, caller)));
  await update(bed, { owner: 'singles', replace: true });
  return { calls, atOnce, perSecond: (calls * 1000) / wallMs, stallMs };
}

/** Ranges of groups: as many as the data plane takes. */
export function rangeRoutes(count: number): readonly Entry[] {
  return Array.from({ length: count }, (_, i) => ({ route: { group: `${formatIpv4(0xef800000 + 256 * i)}/24`, ...ways(i, 1) } }));
}

/** An interface that all routes know goes down and up again. */
export async function measureFlap(bed: Bed, entries: number): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const state of ['down', 'up'] as const) {
    const isFollowed = async (): Promise<boolean> => (await bed.client.getStatus()).interfacesForwarding === LANS + (state === 'up' ? 1 : 0) && (await settled(bed));
    const { wallMs, stallMs, waitP99Ms, cpuMs } = await bed.watch(async () => {
      await bed.setLink('lan1', state);
      await eventually(isFollowed, { what: `the router follows lan1 ${state}`, timeoutMs: 60_000, intervalMs: 20 });
    });
    rows.push({ what: `lan1 goes ${state}`, entries, bytes: 0, wallMs, stallMs, worstStallMs: stallMs, waitP99Ms, cpuMs });
  }
  return rows;
}

/** An update that changes nothing is answered at once; one that does, when the data plane has it and what was before it. */
async function settled(bed: Bed): Promise<boolean> {
  await update(bed, { owner: 'flap', upserts: [{ route: { group: '239.255.255.1', upstream: 'up0' } }] });
  await update(bed, { owner: 'flap', replace: true });
  return true;
}

export async function measureMemory(bed: Bed, kind: string, upserts: readonly Entry[]): Promise<MemoryRow> {
  await update(bed, { replace: true });
  const before = await bed.heapBytes();
  await update(bed, { upserts: [...upserts] });
  const bytesPerEntry = ((await bed.heapBytes()) - before) / upserts.length;
  await update(bed, { replace: true });
  return { kind, entries: upserts.length, bytesPerEntry };
}
