/**
 * From the eBPF object file to programs and maps in the kernel, sized as asked, with everything in place that a program reads before the
 * first packet. Attaches only the programs that listen to the kernel's replication; ports come later.
 */
import { strict as assert } from 'node:assert';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { BpfMap, BpfObject, possibleCpus } from '#bindings';
import type { BpfLink } from '#bindings';
import { XmcastError, errorText } from '../errors';
import { Abi } from './abi';
import type { PolicerSettings, PuntClass } from './api';
import { CounterStore } from './counter-store';
import { InstalledAbi } from './installed-abi';
import { u32Key } from './keys';
import { describeLayout, layoutMap, readLayout, type ForwarderSizes } from './layout-record';
import type { Generation, PinFolder } from './pin-folder';
import { nameIngress, writePolicers } from './program-settings';
import { indexBuckets, indexShift } from './route-index';

export interface Forwarder {
  readonly object: BpfObject;
  readonly abi: Abi;
  readonly installedAbi: InstalledAbi;
  /** Where its maps and observers are pinned. */
  readonly generation: Generation;
  /** In words: what its maps are made for. */
  readonly layout: string;
  /** The maps were there before, with what they hold. */
  readonly isTakeover: boolean;
  /** Programs on tracepoints: they tell what became of the copies. */
  readonly observers: readonly BpfLink[];
}

const OBSERVERS = ['xm_transmitted', 'xm_not_replicated'];
export const LAYOUT = 'xm_layout';
/** Global variables of the programs: what each CPU is busy with. */
const VARIABLES = { map: '.bss', pin: 'xm_cpus' };
/** Of a pin that is about to take the place of another. */
const NEW = '_new';

/**
 * Maps that are pinned and of the same layout are taken over with all they hold, so that the programs that run and those that are loaded
 * now count and forward as one; otherwise new ones are made and pinned, for PinFolder.makeCurrent() when they are ready. Rejects with
 * XmcastError XM_BPF_LOAD.
 */
export async function loadForwarder(
  path: string,
  sizes: ForwarderSizes,
  policers: Readonly<Record<PuntClass, PolicerSettings>>,
  pins: PinFolder,
): Promise<Forwarder> {
  const object = open(path);
  try {
    const abi = new Abi(object.btf);
    setSizes(object, abi, sizes);
    const layout = describeLayout(object.btf, sizes);
    const before = pins.current;
    const isTakeover = before !== undefined && layoutOf(before) === layout && hasAllMaps(object, before);
    if (isTakeover) for (const [map, pin] of pinnedMaps(object)) object.reuseMap(map, before.openMap(pin));
    await object.load();
    writePolicers({ object, abi }, policers);
    nameIngress({ object, abi });
    const observers = OBSERVERS.map((name) => object.attachTracing(name));
    const generation = isTakeover ? before : pinMaps(object, layout, pins.makeGeneration());
    OBSERVERS.forEach((name, i) => observers[i] !== undefined && pinInPlace(observers[i], generation.pinPath(name)));
    return { object, abi, installedAbi: new InstalledAbi(object.btf), generation, layout, isTakeover, observers };
  } catch (error) {
    object.close();
    if (error instanceof XmcastError) throw error;
    const log = (error as { readonly libbpfLog?: string }).libbpfLog ?? '';
    throw new XmcastError('XM_BPF_LOAD', `load ${path} into the kernel: ${errorText(error)}${log === '' ? '' : `\n${log.trimEnd()}`}`, {
      hint: 'xmcastd needs Linux 5.15 or later with BTF and CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON (or root); before 5.11 also "ulimit -l unlimited".',
      cause: error,
    });
  }
}

/** Before the object is loaded. Maps that hold something for each CPU grow with their number. */
export function setSizes(object: BpfObject, abi: Abi, sizes: ForwarderSizes): void {
  const { counters, groups } = abi.routeLimits;
  if (possibleCpus() > abi.maxCpus) throw new Error(`this machine may have ${possibleCpus()} CPUs, the programs know ${abi.maxCpus}`);
  assert(sizes.counters <= counters && sizes.groups <= groups, 'a route has room for every counter and every group');
  object.setMaxEntries('xm_routes', sizes.routes);
  object.setMaxEntries('xm_route_thresholds', sizes.counters);
  object.setMaxEntries('xm_groups', sizes.groups);
  // By slot, and by device.
  object.setMaxEntries('xm_slot_ports', 2 * sizes.vlanSlots);
  object.setMaxEntries('xm_group_prefixes', sizes.ranges);
  object.setMaxEntries('xm_source_prefixes', sizes.ranges);
  object.setMaxEntries('xm_route_moved', sizes.counters);
  CounterStore.size(object, { slots: sizes.counters, vports: abi.maxVports });
  setConstant(object, 'xm_route_slots', sizes.counters);
  const buckets = indexBuckets(sizes.routes);
  object.setMaxEntries('xm_route_buckets', buckets);
  setConstant(object, 'xm_index_shift', indexShift(buckets));
}

function setConstant(object: BpfObject, name: string, value: number): void {
  const variable = object.btf.variables.find((candidate) => candidate.name === name);
  if (variable?.section !== '.rodata') throw new Error(`the object has no constant ${name}`);
  object.setRodata(variable.offset, u32Key(value));
}

function open(path: string): BpfObject {
  try {
    return BpfObject.open(path);
  } catch (error) {
    throw new XmcastError('XM_BPF_LOAD', `open the eBPF object ${path}: ${errorText(error)}`, {
      hint: 'Build it with deploy/bootstrap.sh, or name it with --bpf-object.',
      cause: error,
    });
  }
}

/** undefined: it is not said. */
export function layoutOf(generation: Generation): string | undefined {
  const pin = generation.pinPath(LAYOUT);
  return existsSync(pin) ? readLayout(BpfMap.openPinned(pin)) : undefined;
}

/** Pins that somebody has removed are made anew. Returns how many. */
export function repairPins({ object, generation, layout, observers }: Forwarder): number {
  let repaired = 0;
  const ensure = (name: string, pin: (path: string) => void): void => {
    const path = generation.pinPath(name);
    if (existsSync(path)) return;
    pin(path);
    repaired++;
  };
  for (const [map, name] of pinnedMaps(object)) ensure(name, (path) => object.map(map).pin(path));
  OBSERVERS.forEach((name, i) => ensure(name, (path) => observers[i]?.pin(path)));
  ensure(LAYOUT, (path) => layoutMap(layout).pin(path));
  return repaired;
}

/** By names in the object: under which names they are pinned. */
function pinnedMaps(object: BpfObject): ReadonlyMap<string, string> {
  const named = object.mapNames.filter((name) => name.startsWith('xm_')).map((name): [string, string] => [name, name]);
  return new Map([...named, [VARIABLES.map, VARIABLES.pin]]);
}

function hasAllMaps(object: BpfObject, generation: Generation): boolean {
  return [...pinnedMaps(object).values()].every((pin) => existsSync(generation.pinPath(pin)));
}

/** For a look with bpftool, and for the next controller. What they are comes last. */
function pinMaps(object: BpfObject, layout: string, generation: Generation): Generation {
  for (const [map, pin] of pinnedMaps(object)) object.map(map).pin(generation.pinPath(pin));
  layoutMap(layout).pin(generation.pinPath(LAYOUT));
  return generation;
}

/** In the place of a pin that is there: the observer it holds ends only now, so that no copy goes unseen. */
function pinInPlace(observer: BpfLink, pin: string): void {
  rmSync(`${pin}${NEW}`, { force: true });
  observer.pin(`${pin}${NEW}`);
  renameSync(`${pin}${NEW}`, pin);
}
