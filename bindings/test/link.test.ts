/** Attaching to interfaces: XDP and tcx links, pins, live frames. Everything happens inside a namespace with a veth pair. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { mountBpffs } from '#bindings';

import { FixtureFolder } from './compile-fixture';
import { NetworkNamespace } from './network-namespace';

const folder = new FixtureFolder();
const pins = path.join(folder.path, 'bpf');
let object: string;
let namespace: NetworkNamespace;

beforeAll(() => {
  object = folder.compile('kinds');
  mkdirSync(pins);
  mountBpffs(pins);
});
afterAll(() => {
  execFileSync('umount', [pins]);
  folder.remove();
});
beforeEach(() => {
  namespace = new NetworkNamespace();
});
afterEach(() => namespace.remove());

test('a second XDP program on an interface is refused with EBUSY', async () => {
  const result = await namespace.evaluate(
    async ({ BpfObject, BpfLink, queryXdp }, { object, left }) => {
      const opened = BpfObject.open(object);
      await opened.load();
      const [first, second] = [opened.program('count_and_drop'), opened.program('read_rodata')];
      const before = queryXdp(left);
      const link = await BpfLink.attachXdp(first, left, 4);
      const during = queryXdp(left);
      const refusal = await BpfLink.attachXdp(second, left, 4).catch(
        (error: unknown) => error as { code: string; operation: string },
      );
      const held = { ifindex: link.ifindex, mine: during.programId === first.id };
      link.close();
      const after = queryXdp(left);
      return {
        before,
        during,
        held,
        code: (refusal as { code: string }).code,
        operation: (refusal as { operation: string }).operation,
        after,
      };
    },
    { object, left: namespace.left },
  );
  expect(result).toMatchObject({
    before: { programId: 0, mode: 0 },
    during: { mode: 1 },
    held: { ifindex: namespace.left, mine: true },
    code: 'EBUSY',
    operation: `attach XDP to ifindex ${namespace.left}`,
    after: { programId: 0, mode: 0 },
  });
});

test('a pinned link outlives the process, is taken over, updated and detached', async () => {
  const args = { object, left: namespace.left, pin: path.join(pins, 'link') };
  const firstId = await namespace.evaluate(async ({ BpfObject, BpfLink }, { object, left, pin }) => {
    const opened = BpfObject.open(object);
    await opened.load();
    const link = await BpfLink.attachXdp(opened.program('count_and_drop'), left, 4);
    link.pin(pin);
    return link.id;
  }, args);
  const second = await namespace.evaluate(async ({ BpfObject, BpfLink, queryXdp }, { object, left, pin }) => {
    const link = BpfLink.openPinned(pin);
    const inherited = { id: link.id, ifindex: link.ifindex, mode: queryXdp(left).mode };
    const opened = BpfObject.open(object);
    await opened.load();
    const replacement = opened.program('read_rodata');
    await link.update(replacement);
    const updated = queryXdp(left).programId === replacement.id;
    await link.detach();
    const detached = { mode: queryXdp(left).mode, ifindex: link.ifindex };
    link.unpin();
    link.close();
    return { inherited, updated, detached };
  }, args);
  expect(second.inherited).toEqual({ id: firstId, ifindex: namespace.left, mode: 1 });
  expect(second.updated).toBe(true);
  expect(second.detached).toEqual({ mode: 0, ifindex: 0 });
  await expect(namespace.evaluate(({ BpfLink }, { pin }) => BpfLink.openPinned(pin).id, args)).rejects.toThrow('ENOENT');
});

test('a link whose interface is gone holds ifindex 0', async () => {
  const after = await namespace.evaluate(
    async ({ BpfObject, BpfLink }, { object, left }) => {
      const opened = BpfObject.open(object);
      await opened.load();
      const link = await BpfLink.attachXdp(opened.program('count_and_drop'), left, 4);
      process.getBuiltinModule('node:child_process').execFileSync('ip', ['link', 'delete', 'left']);
      return link.ifindex;
    },
    { object, left: namespace.left },
  );
  expect(after).toBe(0);
});

test('a tcx program is attached by the number of its attach type', async () => {
  const result = await namespace.evaluate(
    async ({ BpfObject, BpfLink }, { object, left }) => {
      const opened = BpfObject.open(object);
      await opened.load();
      const ingress = await BpfLink.attach(opened.program('classify'), left, 46);
      const egress = await BpfLink.attach(opened.program('classify'), left, 47);
      return [ingress.ifindex, egress.ifindex];
    },
    { object, left: namespace.left },
  );
  expect(result).toEqual([namespace.left, namespace.left]);
});

test('a clsact filter: made, replaced in its place, detached; what was never there is no failure', async () => {
  const result = await namespace.evaluate(
    async ({ BpfObject, attachTcFilter, detachTcFilter }, { object, left }) => {
      const filters = (): string => process.getBuiltinModule('node:child_process').execFileSync('tc', ['filter', 'show', 'dev', 'left', 'ingress'], { encoding: 'utf8' });
      const opened = BpfObject.open(object);
      await opened.load();
      const place = { ifindex: left, priority: 7, handle: 9 };
      const before = await detachTcFilter(place);
      await attachTcFilter(opened.program('classify'), place);
      await attachTcFilter(opened.program('classify'), place);
      const during = filters();
      const detached = await detachTcFilter(place);
      return { before, during, detached, again: await detachTcFilter(place), after: filters(), gone: await detachTcFilter({ ...place, ifindex: 4000 }) };
    },
    { object, left: namespace.left },
  );
  expect(result).toMatchObject({ before: false, detached: true, again: false, after: '', gone: false });
  expect(result.during.match(/pref 7 .*handle 0x9 classify.*direct-action/g)).toHaveLength(1);
});

test('a clsact filter is refused by an interface that is not there', async () => {
  const error = await namespace.evaluate(
    async ({ BpfObject, attachTcFilter }, { object }) => {
      const opened = BpfObject.open(object);
      await opened.load();
      return attachTcFilter(opened.program('classify'), { ifindex: 4000, priority: 7, handle: 9 }).then(
        () => 'attached',
        (refusal: unknown) => (refusal as Error).message,
      );
    },
    { object },
  );
  expect(error).toContain('attach tc filter 9 of ifindex 4000: E');
});

test('attaching to an interface that is not there names it', async () => {
  const error = await namespace.evaluate(
    async ({ BpfObject, BpfLink }, { object }) => {
      const opened = BpfObject.open(object);
      await opened.load();
      return BpfLink.attachXdp(opened.program('read_rodata'), 4000, 4).then(
        () => 'attached',
        (error: unknown) => (error as Error).message,
      );
    },
    { object },
  );
  expect(error).toBe('attach XDP to ifindex 4000: ENODEV: No such device');
});

test('a pin of one kind is not taken for another, and a missing one is ENOENT', async () => {
  const result = await namespace.evaluate(
    async ({ BpfObject, BpfMap, BpfProgram, BpfLink, isBpffs }, { object, pins }) => {
      const codeOf = (call: () => unknown): string => {
        try {
          call();
          return 'none';
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      const opened = BpfObject.open(object);
      await opened.load();
      opened.map('flows').pin(`${pins}/flows`);
      opened.program('read_rodata').pin(`${pins}/program`);
      return {
        bpffs: [isBpffs(pins), isBpffs('/proc')],
        map: BpfMap.openPinned(`${pins}/flows`).info.id === opened.map('flows').info.id,
        program: BpfProgram.openPinned(`${pins}/program`).id === opened.program('read_rodata').id,
        mapAsProgram: codeOf(() => BpfProgram.openPinned(`${pins}/flows`)),
        programAsMap: codeOf(() => BpfMap.openPinned(`${pins}/program`)),
        programAsLink: codeOf(() => BpfLink.openPinned(`${pins}/program`)),
        missing: codeOf(() => BpfMap.openPinned(`${pins}/missing`)),
        again: codeOf(() => opened.map('flows').pin(`${pins}/flows`)),
      };
    },
    { object, pins },
  );
  expect(result).toEqual({
    bpffs: [true, false],
    map: true,
    program: true,
    mapAsProgram: 'EINVAL',
    programAsMap: 'EINVAL',
    programAsLink: 'EINVAL',
    missing: 'ENOENT',
    again: 'EEXIST',
  });
});

test('live frames are broadcast to a real port and seen by the transmit tracepoint', async () => {
  const FRAMES = 640;
  const result = await namespace.evaluate(
    async ({ BpfObject, BpfLink, BpfMap }, { object, left, right, frames }) => {
      const word = (value: number, ...more: number[]): Uint8Array => new Uint8Array(new Uint32Array([value, ...more]).buffer);
      const opened = BpfObject.open(object);
      await opened.load();
      const counters = opened.map('counters');
      const sum = (slot: number): number =>
        new BigUint64Array(counters.lookup(word(slot))?.slice().buffer ?? new ArrayBuffer(0)).reduce(
          (total, each) => total + Number(each),
          0,
        );
      // The port must take XDP frames: a veth does when its peer runs XDP.
      const links = [
        await BpfLink.attachXdp(opened.program('broadcast_group_zero'), left, 4),
        await BpfLink.attachXdp(opened.program('count_and_drop'), right, 4),
        opened.attachTracing('count_transmitted'),
      ];
      const group = BpfMap.create({ type: 14, name: 'group', keySize: 4, valueSize: 8, maxEntries: 4 });
      group.update(word(2), word(left, 0));
      await opened.map('groups').updateAsync(word(0), word(group.fd));
      const frame = new Uint8Array(64).fill(0xff, 0, 6);
      await opened.program('broadcast_group_zero').runLive({ data: frame, repeat: frames, ingressIfindex: left, batchSize: 32 });
      const deadline = Date.now() + 5000;
      while (sum(0) < frames && Date.now() < deadline) await new Promise(setImmediate);
      for (const link of links) link.close();
      return { received: sum(0), transmitted: sum(1) };
    },
    { object, left: namespace.left, right: namespace.right, frames: FRAMES },
  );
  expect(result.received).toBe(FRAMES);
  // The tracepoint sees the whole machine.
  expect(result.transmitted).toBeGreaterThanOrEqual(FRAMES);
});
