/** Features of network devices, as ethtool shows them. */
import { deviceFeature, setDeviceFeature } from '#bindings';

import { NetworkNamespace } from './network-namespace';

const FEATURE = 'rx-vlan-hw-parse';

describe('in a namespace', () => {
  let namespace: NetworkNamespace;
  beforeAll(() => {
    namespace = new NetworkNamespace();
  });
  afterAll(() => namespace.remove());

  test('a feature is read, switched off and on again by its name, and no other changes', async () => {
    const seen = await namespace.evaluate(
      async (bindings, { ifindex, feature }) => {
        const states = [];
        for (const active of [undefined, false, true]) {
          if (active !== undefined) await bindings.setDeviceFeature(ifindex, feature, active);
          states.push((await bindings.deviceFeature(ifindex, feature))?.active, (await bindings.deviceFeature(ifindex, 'tx-vlan-hw-insert'))?.active);
        }
        return states;
      },
      { ifindex: namespace.left, feature: FEATURE },
    );
    expect(seen).toEqual([true, true, false, true, true, true]);
  });

  test('what a device cannot change is told apart', async () => {
    const found = await namespace.evaluate((bindings, { ifindex }) => bindings.deviceFeature(ifindex, 'vlan-challenged'), { ifindex: namespace.left });
    expect(found).toEqual({ active: false, changeable: false });
  });
});

test('a name no kernel knows is no feature', async () => {
  await expect(deviceFeature(1, 'no-such-feature')).resolves.toBeUndefined();
  await expect(setDeviceFeature(1, 'no-such-feature', true)).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
});

test('a device that is not there', async () => {
  await expect(deviceFeature(2 ** 31 - 1, FEATURE)).rejects.toMatchObject({ code: 'ENXIO', operation: 'find ifindex 2147483647' });
});
