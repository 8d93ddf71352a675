/**
 * Where our filter is among those of an interface, for kernels without tcx.
 */
import type { TcFilterPlace } from '#bindings';

/** Any that nobody else is likely to take. */
const PRIORITY = 0x786d;
const HANDLE = 1;

export function filterOf(ifindex: number): TcFilterPlace {
  return { ifindex, priority: PRIORITY, handle: HANDLE };
}
