/** Settings of devices that outlive the process that made them. Everything happens inside a namespace with a veth pair. */
import { execFileSync } from 'node:child_process';

import { FixtureFolder } from './compile-fixture';
import { NetworkNamespace } from './network-namespace';

/** One that a veth can have either way; "ethtool -k" calls it generic-receive-offload. */
const FEATURE = 'rx-gro';
const UNKNOWN_IFINDEX = 999;

let namespace: NetworkNamespace;
beforeEach(() => {
  namespace = new NetworkNamespace();
});
afterEach(() => namespace.remove());

test.each(['ALLMULTI', 'PROMISC'] as const)('%s is on or off as asked for, says whether that was news, and stays', async (flag) => {
  const set = (on: boolean): Promise<boolean> =>
    namespace.evaluate(({ setAllMulticast, setPromiscuous }, { left, flag, on }) => (flag === 'ALLMULTI' ? setAllMulticast : setPromiscuous)(left, on), { left: namespace.left, flag, on });
  const shown = (): boolean => namespace.ip('link show left').includes(flag);
  const queried = (): Promise<boolean> =>
    namespace.evaluate(({ queryAllMulticast, queryPromiscuous }, { left, flag }) => (flag === 'ALLMULTI' ? queryAllMulticast : queryPromiscuous)(left), { left: namespace.left, flag });
  expect(await queried()).toBe(false);
  expect([await set(true), shown(), await queried()]).toEqual([true, true, true]);
  expect([await set(true), shown()]).toEqual([false, true]);
  // Nothing else has changed.
  expect(namespace.ip('link show left')).toContain('state UP');
  expect([await set(false), shown()]).toEqual([true, false]);
});

test('a feature of the driver, by its name', async () => {
  const shown = (): string => execFileSync('ip', ['netns', 'exec', namespace.name, 'ethtool', '-k', 'left'], { encoding: 'utf8' });
  const result = await namespace.evaluate(
    async ({ queryFeature, setFeature }, { left, feature }) => {
      const before = await queryFeature(left, feature);
      const changes = [await setFeature(left, feature, !before), await setFeature(left, feature, !before)];
      return { before, changes, after: await queryFeature(left, feature), fixed: await setFeature(left, 'rx-lro', true), unknown: await setFeature(left, 'no-such-thing', true) };
    },
    { left: namespace.left, feature: FEATURE },
  );
  expect(result).toEqual({ before: result.before, changes: [true, false], after: !result.before, fixed: false, unknown: false });
  expect(shown()).toContain(`generic-receive-offload: ${result.after ? 'on' : 'off'}`);
});

test('features of VLANs are changed each for itself; what a device has fixed stays', async () => {
  const seen = await namespace.evaluate(
    async ({ queryFeature, setFeature }, { left }) => {
      const both = async (): Promise<boolean[]> => [await queryFeature(left, 'rx-vlan-hw-parse'), await queryFeature(left, 'tx-vlan-hw-insert')];
      const states = [await both()];
      for (const on of [false, true]) {
        await setFeature(left, 'rx-vlan-hw-parse', on);
        states.push(await both());
      }
      return { states, fixed: await setFeature(left, 'vlan-challenged', true) };
    },
    { left: namespace.left },
  );
  expect(seen).toEqual({ states: [[true, true], [false, true], [true, true]], fixed: false });
});

test('a device that is not there: ENODEV, and which', async () => {
  const codes = await namespace.evaluate(
    async ({ setAllMulticast, setFeature }, { ifindex }) => {
      const refusals = await Promise.allSettled([setAllMulticast(ifindex, true), setFeature(ifindex, 'rx-gro', true)]);
      return refusals.map((one) => (one.status === 'rejected' ? (one.reason as { code: string; operation: string }) : undefined)).map((one) => [one?.code, one?.operation]);
    },
    { ifindex: UNKNOWN_IFINDEX },
  );
  expect(codes).toEqual([
    ['ENODEV', `set allmulti on of ifindex ${UNKNOWN_IFINDEX}`],
    ['ENODEV', `set feature rx-gro on of ifindex ${UNKNOWN_IFINDEX}`],
  ]);
});

test('the program behind a filter and on a link', async () => {
  const folder = new FixtureFolder();
  try {
    const object = folder.compile('kinds');
    const result = await namespace.evaluate(
      async ({ BpfObject, BpfLink, attachTcFilter, queryTcFilter }, { object, left }) => {
        const place = { ifindex: left, priority: 7, handle: 1 };
        const opened = BpfObject.open(object);
        await opened.load();
        const name = 'classify';
        const before = await queryTcFilter(place);
        await attachTcFilter(opened.program(name), place);
        const link = await BpfLink.attachXdp(opened.program('count_and_drop'), left, 4);
        const isFirst = link.programId === opened.program('count_and_drop').id;
        await link.update(opened.program('read_rodata'));
        const found = { before, filter: (await queryTcFilter(place)) === opened.program(name).id, isFirst, isSecond: link.programId === opened.program('read_rodata').id };
        link.close();
        return found;
      },
      { object, left: namespace.left },
    );
    expect(result).toEqual({ before: 0, filter: true, isFirst: true, isSecond: true });
  } finally {
    folder.remove();
  }
});
