/**
 * Names of VLANs: "eth0.100" is VLAN 100 of eth0. Pure; whether the kernel has an interface of the name is not known here.
 */

export interface VlanName {
  /** The interface below. */
  readonly parent: string;
  readonly id: number;
}

/** IEEE 802.1Q table 9-2: 0 is no VLAN, 4095 is reserved. */
export const HIGHEST_VLAN_ID = 4094;
const PATTERN = /^(.+)\.([0-9]{1,4})$/;

/** As parseVlanName() reads it; id 0: the interface below itself. */
export function formatVlanName({ parent, id }: VlanName): string {
  return id === 0 ? parent : `${parent}.${id}`;
}

/** undefined: the name names no VLAN. */
export function parseVlanName(name: string): VlanName | undefined {
  const [, parent, digits] = PATTERN.exec(name) ?? [];
  const id = Number(digits);
  return parent === undefined || id < 1 || id > HIGHEST_VLAN_ID ? undefined : { parent, id };
}
