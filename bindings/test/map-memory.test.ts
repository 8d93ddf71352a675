/** Arrays that are mapped into memory: as words to read and write, and summed over the blocks they consist of. */
import { BpfMap } from '#bindings';

import { failureOf, u32 } from './bytes';

const [HASH, ARRAY, PERCPU_ARRAY] = [1, 2, 6];
const BPF_F_MMAPABLE = 1 << 10;

const opened: BpfMap[] = [];
afterEach(() => {
  for (const map of opened.splice(0)) map.close();
});

function create(options: { readonly type?: number; readonly bytes: number; readonly entries: number; readonly flags?: number }): BpfMap {
  const { type = ARRAY, bytes, entries, flags = BPF_F_MMAPABLE } = options;
  const map = BpfMap.create({ type, name: 'words', keySize: 4, valueSize: bytes, maxEntries: entries, flags });
  opened.push(map);
  return map;
}

/** Word w of entry e of block b is e·1000 + w·10 + b, in the high half as well, so that carries and order show. */
function fill(map: BpfMap, size: { readonly blocks: number; readonly entries: number; readonly words: number }): void {
  const indexes = Array.from({ length: size.blocks * size.entries }, (_, index) => index);
  const values = indexes.flatMap((index) => {
    const [block, entry] = [Math.floor(index / size.entries), index % size.entries];
    return Array.from({ length: size.words }, (_, word) => entry * 1000 + word * 10 + block).flatMap((value) => [value, value]);
  });
  map.updateMany(u32(...indexes), u32(...values), indexes.length);
}

function expected(blocks: number, entry: number, word: number): bigint {
  let sum = 0n;
  for (let block = 0; block < blocks; block += 1) sum += BigInt(entry * 1000 + word * 10 + block) * 0x1_0000_0001n;
  return sum;
}

// Blocks of 3,001 values of 24 bytes begin within pages.
test.each([1, 2, 5])('every word of every entry of %i blocks is added up, wherever in a page a block begins', async (blocks) => {
  const [entries, words] = [3001, 3];
  const map = create({ bytes: words * 8, entries: blocks * entries });
  fill(map, { blocks, entries, words });
  const values = await map.sumBlocks({ blocks, entries });
  expect(values).toHaveLength(entries * words);
  expect(values.every((value, at) => value === expected(blocks, Math.floor(at / words), at % words))).toBe(true);
});

test('words wrap at 64 bits as the counters of the kernel do', async () => {
  const map = create({ bytes: 8, entries: 2 });
  for (const index of [0, 1]) map.update(u32(index), new Uint8Array(8).fill(0xff));
  expect((await map.sumBlocks({ blocks: 2, entries: 1 }))[0]).toBe(BigInt.asUintN(64, -2n));
});

test('of each block only the first entries', async () => {
  const map = create({ bytes: 16, entries: 2000 });
  fill(map, { blocks: 2, entries: 1000, words: 2 });
  for (const entries of [0, 1, 17, 1000]) expect(await map.sumBlocks({ blocks: 2, entries })).toHaveLength(entries * 2);
  expect((await map.sumBlocks({ blocks: 2, entries: 17 }))[33]).toBe(expected(2, 16, 1));
});

test('what follows the last whole block belongs to none', async () => {
  const map = create({ bytes: 8, entries: 5 });
  for (let index = 0; index < 5; index += 1) map.update(u32(index), u32(index + 1, 0));
  expect([...(await map.sumBlocks({ blocks: 2, entries: 2 }))]).toEqual([1n + 3n, 2n + 4n]);
});

test.each([
  { name: 'a hash', make: () => create({ type: HASH, bytes: 8, entries: 4, flags: 0 }) },
  { name: 'a per-CPU array', make: () => create({ type: PERCPU_ARRAY, bytes: 8, entries: 4, flags: 0 }) },
  { name: 'an array that cannot be mapped', make: () => create({ bytes: 8, entries: 4, flags: 0 }) },
  { name: 'values that are not made of words', make: () => create({ bytes: 12, entries: 4 }) },
])('$name is EINVAL', async ({ make }) => {
  await expect(make().sumBlocks({ blocks: 1, entries: 1 })).rejects.toMatchObject({ code: 'EINVAL' });
  expect(failureOf(() => make().words()).code).toBe('EINVAL');
});

test('more entries than a block has, or no block, are EINVAL', async () => {
  const map = create({ bytes: 8, entries: 10 });
  for (const request of [{ blocks: 2, entries: 6 }, { blocks: 11, entries: 1 }, { blocks: 0, entries: 1 }, { blocks: 1, entries: 0xffffffff }]) {
    await expect(map.sumBlocks(request)).rejects.toMatchObject({ code: 'EINVAL' });
  }
});

test('closing during the read does not disturb it', async () => {
  const map = create({ bytes: 64, entries: 20_000 });
  const reading = map.sumBlocks({ blocks: 2, entries: 10_000 });
  map.close();
  await expect(reading).resolves.toHaveLength(80_000);
  await expect(map.sumBlocks({ blocks: 2, entries: 1 })).rejects.toMatchObject({ code: 'EBADF' });
});

test('words are the map: what one side writes the other sees', () => {
  const map = create({ bytes: 16, entries: 1000 });
  const words = map.words();
  expect(words).toHaveLength(2000);
  Atomics.store(words, 1999, 0x0102030405060708n);
  expect(map.lookup(u32(999))).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1));
  map.update(u32(0), u32(5, 0, 6, 0));
  expect([...words.subarray(0, 2)]).toEqual([5n, 6n]);
});

test('words stay when the map is closed, and are no way to a closed one', () => {
  const map = create({ bytes: 8, entries: 1 });
  const words = map.words();
  map.close();
  words[0] = 7n;
  expect(words[0]).toBe(7n);
  expect(failureOf(() => map.words()).code).toBe('EBADF');
});
