/**
 * Names of interfaces as other programs' files have them.
 */
import { printable } from '../config/printable';
import { interfaceNameFault } from '../config/text-faults';

/** What stands for bytes that are no UTF-8. */
const REPLACEMENT = '\ufffd';

/** undefined: nothing is wrong with it. */
export function nameFault(name: string): string | undefined {
  return name.includes(REPLACEMENT) ? `${printable(name)} is not UTF-8` : interfaceNameFault(name);
}

/** "eth0" of the address label "eth0:1"; undefined for other names. */
export function deviceOfLabel(name: string): string | undefined {
  return /^([^:]+):[^:]+$/.exec(name)?.[1];
}
