/**
 * From the eBPF object file to programs and maps in the kernel, sized as asked, with everything in place that a program reads before the
 * first packet. Attaches only the programs that listen to the kernel's replication; ports come later.
 */
import { strict as assert } from 'node:assert';
import { BpfObject, possibleCpus } from '#bindings';
import type { BpfLink } from '#bindings';
import { XmcastError, errorText } from '../errors';
import { Abi } from './abi';
import { PUNT_CLASSES, type PolicerSettings, type PuntClass } from './api';
import { CounterStore } from './counter-store';
import { u32Key } from './keys';
import type { PinFolder } from './pin-folder';
import { indexBuckets, indexShift } from './route-index';

export interface ForwarderSizes {
  readonly routes: number;
  /** Slots for counters of routes. */
  readonly counters: number;
  readonly groups: number;
  readonly ranges: number;
  /** Slots of groups with VLANs in them. */
  readonly vlanSlots: number;
}

export interface Forwarder {
  readonly object: BpfObject;
  readonly abi: Abi;
  /** Programs on tracepoints: they tell what became of the copies. */
  readonly observers: readonly BpfLink[];
}

const OBSERVERS = ['xm_transmitted', 'xm_not_replicated'];

/** Rejects with XmcastError XM_BPF_LOAD. */
export async function loadForwarder(path: string, sizes: ForwarderSizes, policers: Readonly<Record<PuntClass, PolicerSettings>>): Promise<Forwarder> {
  const object = open(path);
  try {
    const abi = new Abi(object.btf);
    setSizes(object, abi, sizes);
    await object.load();
    writePolicers({ object, abi }, policers);
    object.map('xm_self').update(u32Key(0), u32Key(object.program('xm_ingress').id));
    return { object, abi, observers: OBSERVERS.map((name) => object.attachTracing(name)) };
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

/** Buckets keep their credit. */
export function writePolicers({ object, abi }: Pick<Forwarder, 'object' | 'abi'>, policers: Readonly<Record<PuntClass, PolicerSettings>>): void {
  const map = object.map('xm_policer_cfg');
  PUNT_CLASSES.forEach((puntClass, i) => {
    const { ratePps, burst, totalPps } = policers[puntClass];
    map.update(u32Key(i), abi.policer({ ratePps, burst }));
    map.update(u32Key(PUNT_CLASSES.length + i), abi.policer({ ratePps: totalPps, burst: totalPps }));
  });
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

/** Maps for a look with bpftool; observers so that the counts stay true while no controller runs. */
export function pinForwarder({ object, observers }: Forwarder, pins: PinFolder): void {
  for (const name of object.mapNames) if (name.startsWith('xm_')) object.map(name).pin(pins.pinPath(name));
  OBSERVERS.forEach((name, i) => observers[i]?.pin(pins.pinPath(name)));
}
