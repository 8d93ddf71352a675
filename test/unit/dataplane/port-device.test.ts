/** What devices are told to do for their ports, and told again when the last one goes. */
import { InstalledAbi } from '../../../control/dataplane/installed-abi';
import { PortDevices, type DeviceDriver } from '../../../control/dataplane/port-device';
import { btf } from './fakes';

const bits = new InstalledAbi(btf).undoBits;
const device = { name: 'eth0', ifindex: 3 };
const note = (): void => undefined;
const BEFORE = { 'rx-lro': true, 'rx-gro-hw': false, 'rx-vlan-hw-parse': true, 'rx-vlan-filter': true, allmulti: false, promisc: false };

/** A device whose driver keeps the features in `fixed` as they are. */
function world(fixed: readonly string[] = []) {
  const state: Record<string, boolean> = { ...BEFORE };
  const set = (name: string, on: boolean): Promise<boolean> => {
    const isNews = state[name] !== on && !fixed.includes(name);
    if (isNews) state[name] = on;
    return Promise.resolve(isNews);
  };
  const driver: DeviceDriver = {
    queryFeature: (_, name) => Promise.resolve(state[name] === true),
    queryAllMulticast: () => Promise.resolve(state['allmulti'] === true),
    queryPromiscuous: () => Promise.resolve(state['promisc'] === true),
    setFeature: (_, name, on) => set(name, on),
    setAllMulticast: (_, on) => set('allmulti', on),
    setPromiscuous: (_, on) => set('promisc', on),
  };
  return { state, devices: new PortDevices(bits, () => undefined, driver) };
}

test('XDP has frames whole and with their tags, VLANs are let in; at the end all is as it was', async () => {
  const { state, devices } = world();
  const undo = await devices.prepare(device, { hasXdp: true, hasVlans: true }, 0, note);
  expect(state).toEqual({ 'rx-lro': false, 'rx-gro-hw': false, 'rx-vlan-hw-parse': false, 'rx-vlan-filter': false, allmulti: true, promisc: false });
  expect(await devices.takesTagsOff(device)).toBe(false);
  await devices.giveBack(device, undo);
  expect(state).toEqual(BEFORE);
});

test('where the filter is fixed every frame is let in, until no VLAN is there any more', async () => {
  const { state, devices } = world(['rx-vlan-filter']);
  const undo = await devices.prepare(device, { hasXdp: false, hasVlans: true }, 0, note);
  expect(state).toEqual({ ...BEFORE, allmulti: true, promisc: true });
  expect(undo).toBe(bits.allMulticast | bits.promiscuous);
  expect(await devices.prepare(device, { hasXdp: false, hasVlans: false }, undo, note)).toBe(bits.allMulticast);
  expect(state).toEqual({ ...BEFORE, allmulti: true });
});

test('a device that goes on taking tags off is known for it', async () => {
  const { devices } = world(['rx-vlan-hw-parse']);
  await devices.ensure(device, { hasXdp: true, hasVlans: true }, note);
  expect(await devices.takesTagsOff(device)).toBe(true);
});

test('what somebody has changed since is changed again, and only that is news', async () => {
  const { state, devices } = world();
  const needs = { hasXdp: true, hasVlans: true };
  await devices.prepare(device, needs, 0, note);
  expect(await devices.ensure(device, needs, note)).toBe(0);
  state['rx-vlan-hw-parse'] = true;
  expect(await devices.ensure(device, needs, note)).toBe(bits.vlanStrip);
});

test('what is changed is on record before, and not when the driver has it fixed after all', async () => {
  const { state, devices } = world(['rx-lro']);
  const noted: (readonly [number, Readonly<Record<string, boolean>>])[] = [];
  await devices.ensure(device, { hasXdp: true, hasVlans: false }, (undo) => noted.push([undo, { ...state }]));
  expect(noted).toEqual([
    [bits.allMulticast, BEFORE],
    [bits.allMulticast | bits.lro, { ...BEFORE, allmulti: true }],
    [bits.allMulticast, { ...BEFORE, allmulti: true }],
    [bits.allMulticast | bits.vlanStrip, { ...BEFORE, allmulti: true }],
  ]);
});
