/**
 * What a trunk and its VLANs have to agree on: they are several entries of interfaces[] and one device. By their names alone; an
 * interface that is named like a VLAN counts as one.
 */
import type { xmcast } from '#proto';
import { HIGHEST_VLAN_ID, parseVlanName } from '../protocol/packet/vlan-name';
import { problem } from './field-rules';
import { printable } from './printable';
import type { Problem } from './settings';
import { indexPath, keyPath } from './source-map';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

/** Name of the device whose frames these are. */
export function deviceOf({ name }: InterfaceConfig): string {
  return parseVlanName(name ?? '')?.parent ?? name ?? '';
}

/** By device: the mode that one of its interfaces gives. */
export function sharedModes(interfaces: readonly InterfaceConfig[]): ReadonlyMap<string, string> {
  const modes = new Map<string, string>();
  for (const item of interfaces) if (isChosen(item.mode)) modes.set(deviceOf(item), item.mode);
  return modes;
}

export function trunkProblems(interfaces: readonly InterfaceConfig[]): Problem[] {
  return [...interfaces.flatMap((item, index) => addressProblems(item, indexPath('interfaces', index))), ...sameVlans(interfaces), ...modeConflicts(interfaces)];
}

/** "auto" leaves it to the others. */
function isChosen(mode: string | null | undefined): mode is string {
  return mode === 'xdp' || mode === 'tc';
}

function addressProblems({ name, addresses }: InterfaceConfig, path: string): Problem[] {
  if (!addresses?.length || parseVlanName(name ?? '') !== undefined) return [];
  const message = `only a VLAN is given its addresses here, one named such as "eth0.100" with a number of 1 to ${HIGHEST_VLAN_ID}; the kernel knows those of ${printable(name ?? '')}`;
  return [problem(keyPath(path, 'addresses'), message)];
}

/** eth0.7 and eth0.0007 are one. The same name twice is told elsewhere. */
function sameVlans(interfaces: readonly InterfaceConfig[]): Problem[] {
  const first = new Map<string, number>();
  return interfaces.flatMap(({ name }, index) => {
    const vlan = parseVlanName(name ?? '');
    if (vlan === undefined) return [];
    const key = `${vlan.parent}.${vlan.id}`;
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, index);
    if (earlier === undefined || interfaces[earlier]?.name === name) return [];
    return [problem(`${indexPath('interfaces', index)}.name`, `VLAN ${vlan.id} of ${printable(vlan.parent)} is already interfaces[${earlier}]`)];
  });
}

/** One device has one mode: all of its frames pass the same programs. */
function modeConflicts(interfaces: readonly InterfaceConfig[]): Problem[] {
  const first = new Map<string, number>();
  return interfaces.flatMap((item, index) => {
    if (!isChosen(item.mode)) return [];
    const earlier = first.get(deviceOf(item));
    if (earlier === undefined) first.set(deviceOf(item), index);
    const other = interfaces[earlier ?? index];
    if (other === undefined || other.mode === item.mode) return [];
    const message = `is ${item.mode}, but ${printable(other.name ?? '')} on the same device is ${other.mode}; give both the same, or only one`;
    return [problem(keyPath(indexPath('interfaces', index), 'mode'), message)];
  });
}
