/** Per-CPU maps read as a whole, summed over the CPUs. */
import { BpfMap, BpfObject, possibleCpus } from '#bindings';

import { keysUpTo, readU32, split, u32 } from './bytes';
import { FixtureFolder } from './compile-fixture';

const BPF_MAP_TYPE_HASH = 1;

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

describe('sums over the CPUs', () => {
  const PERCPU_ARRAY = 6;
  const PERCPU_HASH = 5;

  function createPerCpu(type: number, options: { readonly words: number; readonly entries: number }): BpfMap {
    const map = BpfMap.create({ type, name: 'sums', keySize: 4, valueSize: options.words * 8, maxEntries: options.entries });
    opened.push(map);
    return map;
  }

  /** Word w of entry e on CPU c is e·1000 + w·10 + c, in the high half as well, so that carries and order show. */
  function fill(map: BpfMap, entries: number, words: number): void {
    for (let entry = 0; entry < entries; entry += 1) {
      const parts = Array.from({ length: possibleCpus() }, (_, cpu) => Array.from({ length: words }, (_unused, word) => entry * 1000 + word * 10 + cpu));
      map.update(u32(entry), u32(...parts.flat().flatMap((value) => [value, value])));
    }
  }

  function expected(entry: number, word: number): bigint {
    let sum = 0n;
    for (let cpu = 0; cpu < possibleCpus(); cpu += 1) sum += BigInt(entry * 1000 + word * 10 + cpu) * 0x1_0000_0001n;
    return sum;
  }

  test('every word of every entry is added up, in order of the index, over more than one batch', async () => {
    const [entries, words] = [3000, 3];
    const map = createPerCpu(PERCPU_ARRAY, { words, entries });
    fill(map, entries, words);
    const { keys, values, count } = await map.sumPerCpu();
    expect([count, values.length]).toEqual([entries, entries * words]);
    expect(keys).toEqual(keysUpTo(entries));
    expect(values.every((value, at) => value === expected(Math.floor(at / words), at % words))).toBe(true);
  });

  test('words wrap at 64 bits as the counters of the kernel do', async () => {
    const map = createPerCpu(PERCPU_ARRAY, { words: 1, entries: 1 });
    map.update(u32(0), new Uint8Array(map.valueBytes).fill(0xff));
    expect((await map.sumPerCpu()).values[0]).toBe(BigInt.asUintN(64, -BigInt(possibleCpus())));
  });

  test('maxEntries bounds what is read', async () => {
    const map = createPerCpu(PERCPU_ARRAY, { words: 2, entries: 2000 });
    fill(map, 20, 2);
    for (const maxEntries of [0, 1, 17, 1025]) {
      const { keys, values, count } = await map.sumPerCpu({ maxEntries });
      expect([count, keys.length, values.length]).toEqual([maxEntries, maxEntries * 4, maxEntries * 2]);
    }
    expect((await map.sumPerCpu({ maxEntries: 17 })).values[33]).toBe(expected(16, 1));
  });

  test('a per-CPU hash too, in whatever order', async () => {
    const map = createPerCpu(PERCPU_HASH, { words: 1, entries: 5000 });
    fill(map, 2000, 1);
    const { keys, values, count } = await map.sumPerCpu();
    expect(count).toBe(2000);
    expect(values.every((value, at) => value === expected(readU32(keys, at * 4), 0))).toBe(true);
    expect(new Set(split(keys, 4).map((key) => readU32(key))).size).toBe(2000);
  });

  test('maps that are not per CPU, or not of words, are EINVAL', async () => {
    await expect(createHash(1).sumPerCpu()).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(fixtureMap('table').sumPerCpu()).rejects.toMatchObject({ code: 'EINVAL' });
    // Its values are 32 bits wide.
    await expect(fixtureMap('tallies').sumPerCpu()).rejects.toMatchObject({ code: 'EINVAL' });
  });

  test('closing during the read does not disturb it', async () => {
    const map = createPerCpu(PERCPU_ARRAY, { words: 11, entries: 20_000 });
    const reading = map.sumPerCpu();
    map.close();
    await expect(reading).resolves.toMatchObject({ count: 20_000 });
    await expect(map.sumPerCpu()).rejects.toMatchObject({ code: 'EBADF' });
  });
});
