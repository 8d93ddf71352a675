/**
 * Where our filter is among those of an interface, for kernels without tcx.
 */
import type { TcFilterPlace } from '#bindings';

/** Any that nobody else is likely to take. */
const PRIORITY = 0x786d;
const HANDLE = 1;

/** In the order in which programs are attached. */
export const TC_DIRECTIONS = ['ingress', 'egress'] as const;
export type TcDirection = (typeof TC_DIRECTIONS)[number];

export function filterOf(ifindex: number, direction: TcDirection): TcFilterPlace {
  return { ifindex, egress: direction === 'egress', priority: PRIORITY, handle: HANDLE };
}
