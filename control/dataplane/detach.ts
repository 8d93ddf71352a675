/**
 * Takes away all that a controller has left behind: programs, pins, and what it had changed of the devices. For when none runs.
 */
import { errorText } from '../errors';
import { InstalledAbi } from './installed-abi';
import { layoutOf } from './loader';
import { parseLayout } from './layout-record';
import { PinFolder, type Generation } from './pin-folder';
import { formatVlanName } from '../protocol/packet/vlan-name';
import { PortDevices } from './port-device';
import { readPorts } from './read-installed';

/** Resolves with the names of the interfaces that were ports, as far as they are known. */
export async function detachAll(pins: PinFolder, onTrouble: (message: string) => void): Promise<readonly string[]> {
  const { current } = pins;
  const names = current === undefined ? [] : await giveDevicesBack(current, onTrouble);
  await pins.clear();
  return names;
}

async function giveDevicesBack(current: Generation, onTrouble: (message: string) => void): Promise<readonly string[]> {
  const names: string[] = [];
  const layout = parseLayout(layoutOf(current) ?? '');
  if (layout === undefined) return names;
  try {
    const abi = new InstalledAbi(layout.btf);
    const devices = new PortDevices(abi.undoBits, onTrouble);
    for (const { record } of await readPorts(abi, (name) => current.openMap(name))) {
      await devices.giveBack(record, record.undo);
      names.push(formatVlanName({ parent: record.name, id: record.vlan }));
    }
  } catch (error) {
    onTrouble(`read what was changed of the interfaces: ${errorText(error)}; they stay as they are`);
  }
  return names;
}

/** When no controller runs over these pins. Resolves as detachAll(); rejects with XmcastError. */
export async function detachForwarder(pinPath: string, onTrouble: (message: string) => void): Promise<readonly string[]> {
  const pins = PinFolder.open(pinPath);
  try {
    return await detachAll(pins, onTrouble);
  } finally {
    pins.remove();
  }
}
