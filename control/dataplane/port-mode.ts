/**
 * Which programs a port is to have. XDP is about three times as fast as tc; but tc takes what XDP cannot: devices without it, and packets
 * whose checksum the sender's kernel has left to hardware that is not there. Pure.
 */
import type { PortMode, PortSpec } from './api';

export interface PortPlan {
  readonly mode: PortMode;
  /** Why not XDP; "" with XDP. */
  readonly reason: string;
  /** tc will do when the driver refuses XDP. */
  readonly mayFallBack: boolean;
}

/** By kind of link (IFLA_INFO_KIND). */
const TC_REASONS: ReadonlyMap<string, string> = new Map([
  ...kinds('may carry checksums that their senders left unfinished', ['veth', 'netkit', 'tun']),
  ...kinds('have no XDP of their own', ['bridge', 'macvlan', 'macvtap', 'ipvlan', 'ipvtap', 'vlan', 'vxlan', 'geneve', 'gretap', 'dummy', 'ifb']),
]);

export function planPort({ mode = 'auto', kind = '' }: Pick<PortSpec, 'mode' | 'kind'>): PortPlan {
  if (mode === 'tc') return { mode, reason: 'the configuration asks for it', mayFallBack: false };
  if (mode === 'xdp') return { mode, reason: '', mayFallBack: false };
  const reason = TC_REASONS.get(kind);
  return reason === undefined ? { mode: 'xdp', reason: '', mayFallBack: true } : { mode: 'tc', reason, mayFallBack: false };
}

/** Of a device that several ports share: what one of them needs must hold for all. */
export function planDevice(specs: readonly Pick<PortSpec, 'mode' | 'kind'>[]): PortPlan {
  const mode = (['tc', 'xdp'] as const).find((wanted) => specs.some((spec) => spec.mode === wanted)) ?? 'auto';
  return planPort({ mode, kind: specs[0]?.kind ?? '' });
}

/**
 * Of what kind the device is that takes all packets of this one, so that this one cannot be a port. Packets of a VRF's interfaces remain
 * their own.
 */
export function takenBy({ partOf = '' }: Pick<PortSpec, 'partOf'>): string | undefined {
  return partOf === '' || partOf === 'vrf' ? undefined : partOf;
}

export function isSamePlan(a: PortPlan, b: PortPlan): boolean {
  return a.mode === b.mode && a.reason === b.reason && a.mayFallBack === b.mayFallBack;
}

function kinds(what: string, names: readonly string[]): [string, string][] {
  return names.map((name) => [name, `${name} devices ${what}`]);
}
