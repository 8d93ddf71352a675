/** Maps of every kind that xmcast uses: element by element, in batches, per CPU, nested, pinned. */
import { BpfMap, BpfObject, possibleCpus } from '#bindings';

import { failureOf, keysUpTo, readU32, split, u32 } from './bytes';
import { FixtureFolder } from './compile-fixture';

const BPF_MAP_TYPE_HASH = 1;
const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
const BPF_MAP_TYPE_DEVMAP = 14;
const BPF_NOEXIST = 1;
const BPF_EXIST = 2;
const LOOPBACK = 1;

const folder = new FixtureFolder();
const opened: BpfMap[] = [];
let object: BpfObject;

beforeAll(async () => {
  object = BpfObject.open(folder.compile('kinds'));
  await object.load();
});
afterAll(() => {
  object.close();
  folder.remove();
});
afterEach(() => {
  for (const map of opened.splice(0)) map.close();
});

function fixtureMap(name: string): BpfMap {
  const map = object.map(name);
  opened.push(map);
  return map;
}

function createHash(maxEntries: number, flags = 0): BpfMap {
  const map = BpfMap.create({ type: BPF_MAP_TYPE_HASH, name: 'made_by_test', keySize: 4, valueSize: 8, maxEntries, flags });
  opened.push(map);
  return map;
}

function createGroup(slots: number): BpfMap {
  const map = BpfMap.create({ type: BPF_MAP_TYPE_DEVMAP, name: 'slots', keySize: 4, valueSize: 8, maxEntries: slots });
  opened.push(map);
  return map;
}

describe('one element', () => {
  test('info is what the kernel says', () => {
    expect(fixtureMap('flows').info).toEqual({
      name: 'flows',
      type: BPF_MAP_TYPE_HASH,
      id: expect.any(Number),
      keySize: 8,
      valueSize: 64,
      maxEntries: 20000,
      flags: 0,
    });
    expect(createHash(10, 1).info).toMatchObject({ name: 'made_by_test', maxEntries: 10, flags: 1 });
  });

  test('what was written is read back, until it is deleted', () => {
    const map = createHash(10);
    map.update(u32(7), u32(1, 2));
    expect(map.lookup(u32(7))).toEqual(u32(1, 2));
    expect(map.delete(u32(7))).toBe(true);
    expect(map.delete(u32(7))).toBe(false);
    expect(map.lookup(u32(7))).toBeUndefined();
  });

  test('flags choose between insert and replace', () => {
    const map = createHash(10);
    expect(failureOf(() => map.update(u32(1), u32(0, 0), BPF_EXIST))).toMatchObject({ errno: 2, code: 'ENOENT' });
    map.update(u32(1), u32(0, 0), BPF_NOEXIST);
    expect(failureOf(() => map.update(u32(1), u32(0, 0), BPF_NOEXIST))).toMatchObject({ errno: 17, code: 'EEXIST' });
  });

  test('a full map says E2BIG and names the map', () => {
    const map = createHash(1);
    map.update(u32(1), u32(0, 0));
    expect(failureOf(() => map.update(u32(2), u32(0, 0)))).toMatchObject({
      errno: 7,
      code: 'E2BIG',
      operation: 'update map made_by_test',
      libbpfLog: '',
      message: 'update map made_by_test: E2BIG: Argument list too long',
    });
  });

  test('keys and values of the wrong size never reach the kernel', async () => {
    const map = createHash(1);
    expect(failureOf(() => map.lookup(new Uint8Array(3)))).toMatchObject({ code: 'EINVAL' });
    expect(failureOf(() => map.update(u32(1), new Uint8Array(7)))).toMatchObject({ code: 'EINVAL' });
    expect(failureOf(() => map.delete(new Uint8Array(0)))).toMatchObject({ code: 'EINVAL' });
    await expect(map.updateAsync(u32(1), new Uint8Array(9))).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(map.updateBatch(u32(1, 2), u32(0, 0, 0), 2)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(map.deleteBatch(u32(1), 2)).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test('arguments that are no bytes are a TypeError', () => {
    const map = createHash(1);
    expect(() => map.lookup('key' as unknown as Uint8Array)).toThrow('key must be a Uint8Array');
    expect(() => map.lookup(new Uint32Array(1) as unknown as Uint8Array)).toThrow('key must be a Uint8Array');
    expect(() => map.update(u32(1), u32(0, 0), -1)).toThrow('flags must be an integer from 0 to 4294967295');
  });

  test('keys lists them all', () => {
    const map = createHash(100);
    for (let key = 0; key < 100; key += 1) map.update(u32(key), u32(0, 0));
    expect(
      map
        .keys()
        .map((key) => readU32(key))
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 100 }, (_, key) => key));
  });

  test('a closed map throws EBADF, and may be closed again', async () => {
    const map = createHash(1);
    map.close();
    map.close();
    expect(failureOf(() => map.lookup(u32(1)))).toMatchObject({ errno: 9, code: 'EBADF' });
    expect(failureOf(() => map.info)).toMatchObject({ code: 'EBADF' });
    await expect(map.lookupBatch()).rejects.toMatchObject({ code: 'EBADF' });
  });

  test('closing during a worker does not disturb it', async () => {
    const map = createHash(10_000);
    const writing = map.updateBatch(keysUpTo(10_000), new Uint8Array(80_000), 10_000);
    map.close();
    await expect(writing).resolves.toBe(10_000);
  });

  test('a map cannot be made by its constructor', () => {
    const Constructor = BpfMap as unknown as new (...args: unknown[]) => BpfMap;
    expect(() => new Constructor()).toThrow('Illegal constructor');
    expect(() => new Constructor({})).toThrow('Illegal constructor');
  });
});

describe('per CPU', () => {
  test.each(['counters', 'tallies'])('%s has one value per possible CPU, each rounded up to 8 bytes', (name) => {
    const map = fixtureMap(name);
    expect(map.valueBytes).toBe(possibleCpus() * 8);
    const values = u32(...Array.from({ length: possibleCpus() }, (_, cpu) => [cpu + 1, 0]).flat());
    map.update(u32(3), values);
    expect(map.lookup(u32(3))).toEqual(values);
  });
});

describe('batches of 10,000', () => {
  const COUNT = 10_000;
  const values = u32(...Array.from({ length: COUNT }, (_, index) => [index, 1]).flat());

  test('a hash is written, read whole and emptied', async () => {
    const map = createHash(COUNT);
    await expect(map.updateBatch(keysUpTo(COUNT), values, COUNT)).resolves.toBe(COUNT);
    const all = await map.lookupBatch();
    expect(all.count).toBe(COUNT);
    const found = split(all.keys, 4).map((key, index) => [readU32(key), readU32(all.values, index * 8)]);
    expect(found.every(([key, value]) => key === value)).toBe(true);
    expect(new Set(found.map(([key]) => key)).size).toBe(COUNT);
    await expect(map.deleteBatch(keysUpTo(COUNT), COUNT)).resolves.toBe(COUNT);
    await expect(map.lookupBatch()).resolves.toMatchObject({ count: 0 });
  });

  test('an array comes in order of its index', async () => {
    const map = fixtureMap('table');
    await map.updateBatch(keysUpTo(COUNT), values, COUNT);
    const all = await map.lookupBatch();
    expect(all.keys).toEqual(keysUpTo(COUNT));
    expect(all.values).toEqual(values);
  });

  test('a per-CPU array comes with the values of all CPUs', async () => {
    const all = await fixtureMap('counters').lookupBatch();
    expect(all.count).toBe(COUNT);
    expect(all.values.length).toBe(COUNT * possibleCpus() * 8);
  });

  test('LRU and per-CPU hashes and prefix tries can be read whole', async () => {
    await fixtureMap('recent').updateBatch(keysUpTo(100), keysUpTo(100), 100);
    await expect(fixtureMap('recent').lookupBatch()).resolves.toMatchObject({ count: 100 });
    const tallies = fixtureMap('tallies');
    await tallies.updateBatch(keysUpTo(50), new Uint8Array(50 * tallies.valueBytes), 50);
    await expect(tallies.lookupBatch()).resolves.toMatchObject({ count: 50 });
    await fixtureMap('prefixes').updateBatch(u32(8, 10, 16, 0x10a), u32(1, 2), 2);
    await expect(fixtureMap('prefixes').lookupBatch()).resolves.toMatchObject({ count: 2 });
  });

  test('maxEntries bounds what is read', async () => {
    await expect(fixtureMap('table').lookupBatch({ maxEntries: 17 })).resolves.toMatchObject({ count: 17, keys: keysUpTo(17) });
    await expect(fixtureMap('table').lookupBatch({ maxEntries: 0 })).resolves.toMatchObject({ count: 0 });
  });

  test('deleting counts the keys that were there', async () => {
    const map = createHash(100);
    await map.updateBatch(u32(1, 3, 5), new Uint8Array(24), 3);
    await expect(map.deleteBatch(keysUpTo(6), 6)).resolves.toBe(3);
  });

  test('a batch that fails midway says how far it came', async () => {
    const map = createHash(4);
    await expect(map.updateBatch(keysUpTo(6), new Uint8Array(48), 6)).rejects.toMatchObject({ code: 'E2BIG', processed: 4 });
    await expect(map.updateBatch(u32(9, 0), new Uint8Array(16), 2, BPF_EXIST)).rejects.toMatchObject({
      code: 'ENOENT',
      processed: 0,
    });
  });

  test('an empty batch is no call', async () => {
    await expect(createHash(1).updateBatch(new Uint8Array(0), new Uint8Array(0), 0)).resolves.toBe(0);
    await expect(createHash(1).deleteBatch(new Uint8Array(0), 0)).resolves.toBe(0);
  });
});

describe('moderate batches, synchronously', () => {
  const COUNT = 1024;

  test('a hash is written and emptied in one call each', async () => {
    const map = createHash(COUNT);
    map.updateMany(keysUpTo(COUNT), u32(...Array.from({ length: COUNT }, (_, index) => [index, 1]).flat()), COUNT);
    expect(map.lookup(u32(1000))).toEqual(u32(1000, 1));
    await expect(map.lookupBatch()).resolves.toMatchObject({ count: COUNT });
    expect(map.deleteMany(keysUpTo(COUNT), COUNT)).toBe(COUNT);
    await expect(map.lookupBatch()).resolves.toMatchObject({ count: 0 });
  });

  test('only as many as are asked for are written; none is no call', () => {
    const map = createHash(4);
    map.updateMany(u32(1, 2), u32(1, 1, 2, 2), 2);
    map.updateMany(new Uint8Array(0), new Uint8Array(0), 0);
    expect(map.deleteMany(new Uint8Array(0), 0)).toBe(0);
    expect(map.keys()).toHaveLength(2);
  });

  test('sizes that do not fit the count never reach the kernel', () => {
    const map = createHash(4);
    expect(failureOf(() => map.updateMany(u32(1, 2), u32(1, 1), 2))).toMatchObject({ code: 'EINVAL' });
    expect(failureOf(() => map.deleteMany(u32(1, 2), 3))).toMatchObject({ code: 'EINVAL' });
  });

  test('an update that fails midway says how far it came, by batch and one by one', () => {
    const full = createHash(4);
    expect(failureOf(() => full.updateMany(keysUpTo(6), new Uint8Array(48), 6))).toMatchObject({ code: 'E2BIG', processed: 4 });
    const map = createHash(4);
    map.update(u32(2), u32(0, 0));
    expect(failureOf(() => map.updateMany(u32(0, 1, 2, 3), new Uint8Array(32), 4, BPF_NOEXIST))).toMatchObject({ code: 'EEXIST', processed: 2 });
  });

  test('keys that are not there are passed over, wherever they stand', () => {
    const map = createHash(8);
    map.updateMany(u32(1, 3, 4), new Uint8Array(24), 3);
    expect(map.deleteMany(keysUpTo(7), 7)).toBe(3);
  });

  test('maps without batch calls are written one by one', () => {
    const map = createGroup(8);
    map.updateMany(u32(2, 5), u32(LOOPBACK, 0, LOOPBACK, 0), 2);
    expect(map.lookup(u32(5))).toBeDefined();
    const missing = 0x7ffffff0;
    expect(failureOf(() => map.updateMany(u32(0, 1), u32(LOOPBACK, 0, missing, 0), 2))).toMatchObject({ processed: 1 });
    expect(map.deleteMany(keysUpTo(8), 8)).toBe(8);
    expect(map.lookup(u32(5))).toBeUndefined();
  });

  test('a key that an array cannot lose stops the deletion there', () => {
    expect(failureOf(() => fixtureMap('table').deleteMany(u32(0, 1), 2))).toMatchObject({ processed: 0 });
  });

  test('a closed map throws EBADF', () => {
    const map = createHash(1);
    map.close();
    expect(failureOf(() => map.updateMany(u32(1), u32(0, 0), 1))).toMatchObject({ code: 'EBADF' });
    expect(failureOf(() => map.deleteMany(u32(1), 1))).toMatchObject({ code: 'EBADF' });
  });
});

describe('device maps and arrays of them', () => {
  test('a device map, which has no batch calls, is written and read one by one', async () => {
    const map = fixtureMap('devices');
    await expect(map.updateBatch(u32(2, 5), u32(LOOPBACK, 0, LOOPBACK, 0), 2)).resolves.toBe(2);
    const all = await map.lookupBatch();
    expect(all).toMatchObject({ count: 2, keys: u32(2, 5) });
    expect([readU32(all.values, 0), readU32(all.values, 8)]).toEqual([LOOPBACK, LOOPBACK]);
    await expect(map.deleteBatch(u32(2, 5), 2)).resolves.toBe(2);
  });

  test('an unknown interface in a batch is refused with its place', async () => {
    const missing = 0x7ffffff0;
    await expect(fixtureMap('devices').updateBatch(u32(0, 1), u32(LOOPBACK, 0, missing, 0), 2)).rejects.toMatchObject({
      processed: 1,
    });
  });

  test('inner maps of different sizes go into one outer map in one batch', async () => {
    const outer = fixtureMap('groups');
    const inner = [4, 16, 64].map(createGroup);
    await expect(outer.updateBatch(u32(0, 1, 2), u32(...inner.map((map) => map.fd)), 3)).resolves.toBe(3);
    const ids = inner.map((map) => map.info.id);
    expect([0, 1, 2].map((slot) => readU32(outer.lookup(u32(slot)) ?? new Uint8Array(4)))).toEqual(ids);
    await outer.updateAsync(u32(0), u32(createGroup(256).fd));
    await expect(outer.lookupBatch()).resolves.toMatchObject({ count: 3, keys: u32(0, 1, 2) });
  });

  test('an inner map of another kind is refused', async () => {
    await expect(fixtureMap('groups').updateAsync(u32(5), u32(createHash(1).fd))).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

describe('objects', () => {
  test('a map outlives the object it came from', async () => {
    const short = BpfObject.open(folder.compile('kinds'));
    short.setMaxEntries('flows', 5);
    await short.load();
    const map = short.map('flows');
    opened.push(map);
    short.close();
    expect(map.info.maxEntries).toBe(5);
    expect(map.lookup(u32(0, 0))).toBeUndefined();
  });

  test('an existing map takes the place of a declared one', async () => {
    const second = BpfObject.open(folder.compile('kinds'));
    const existing = fixtureMap('recent');
    second.reuseMap('recent', existing);
    await second.load();
    const reused = second.map('recent');
    opened.push(reused);
    expect(reused.info.id).toBe(existing.info.id);
    second.close();
  });

  test('a map of another shape is not taken', () => {
    const second = BpfObject.open(folder.compile('kinds'));
    expect(failureOf(() => second.reuseMap('recent', fixtureMap('flows')))).toMatchObject({ code: 'EINVAL' });
    second.close();
  });

  test('names that are not there say ENOENT', () => {
    expect(failureOf(() => object.map('nowhere'))).toMatchObject({
      code: 'ENOENT',
      operation: expect.stringContaining('find map nowhere'),
    });
    expect(object.mapNames).toContain('groups');
    expect(object.mapNames.some((name) => name.includes('rodata'))).toBe(false);
    expect(object.map('groups').info.type).toBe(BPF_MAP_TYPE_ARRAY_OF_MAPS);
  });
});
