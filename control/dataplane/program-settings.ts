/**
 * What the programs are told beside ports and routes: the rates of the policers, and which ingress program is ours.
 */
import type { BpfMap } from '#bindings';
import { PUNT_CLASSES, type PolicerSettings, type PuntClass } from './api';
import { u32Key } from './keys';
import type { Forwarder } from './loader';

type Policers = Readonly<Record<PuntClass, PolicerSettings>>;
type Loaded = Pick<Forwarder, 'object' | 'abi'>;

/** Of xm_self. */
const NEWEST = 0;
const BEFORE = 1;

/** Buckets keep their credit. */
export function writePolicers(loaded: Loaded, policers: Policers): void {
  const map = loaded.object.map('xm_policer_cfg');
  policerRates(loaded, policers).forEach((rate, i) => map.update(u32Key(i), rate));
}

/** For as long as one takes the place of the other there may be two. */
export function nameIngress({ object }: Loaded): void {
  const self = object.map('xm_self');
  const before = self.lookup(u32Key(NEWEST));
  if (before !== undefined) self.update(u32Key(BEFORE), before);
  self.update(u32Key(NEWEST), u32Key(object.program('xm_ingress').id));
}

/** Writes again what somebody else has changed. Returns how many. */
export function repairSettings(loaded: Loaded, policers: Policers): number {
  const { object } = loaded;
  const rates = policerRates(loaded, policers).map((rate, i) => repair(object.map('xm_policer_cfg'), i, rate));
  const self = repair(object.map('xm_self'), NEWEST, u32Key(object.program('xm_ingress').id));
  return [...rates, self].filter(Boolean).length;
}

function repair(map: BpfMap, index: number, wanted: Uint8Array): boolean {
  const key = u32Key(index);
  if (Buffer.compare(map.lookup(key) ?? new Uint8Array(), wanted) === 0) return false;
  map.update(key, wanted);
  return true;
}

/** By class for one vport each, and behind these in total. */
function policerRates({ abi }: Loaded, policers: Policers): readonly Uint8Array[] {
  const each = PUNT_CLASSES.map((puntClass) => policers[puntClass]);
  return [...each.map(({ ratePps, burst }) => abi.policer({ ratePps, burst })), ...each.map(({ totalPps }) => abi.policer({ ratePps: totalPps, burst: totalPps }))];
}
