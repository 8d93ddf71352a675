/** What an update changes, and why it is refused. Nothing of a refused one is seen anywhere. */
import { toSettings } from '../../../control/config/defaults';
import { StaticRefusal } from '../../../control/static/refusal';
import { cutUpdate } from '../../../control/static/update-bytes';
import { membership, route, SETTINGS, updateOf, world, type Asked, type World } from './bench';

async function refusal(w: World, asked: Asked): Promise<{ reason: string; problems: string[]; metadata: object }> {
  const before = await w.held();
  const names = w.disk.names();
  const error: unknown = await w.update(asked).catch((found: unknown) => found);
  if (!(error instanceof StaticRefusal)) throw new Error(`not refused: ${String(error)}`);
  expect(await w.held()).toEqual(before);
  expect(w.disk.names()).toEqual(names);
  const { reason, problems, metadata } = error;
  return { reason, problems: problems.map(({ path, message }) => `${path}: ${message}`), metadata };
}

test('entries come, change and go', async () => {
  const w = await world();
  expect(await w.update({ upserts: [route('239.1.1.1'), route('239.2.0.0/16', { source: '10.0.0.0/8', downstreams: [], ttlThreshold: 9 }), membership('239.1.1.2')] })).toEqual({
    revision: 1, programmedRevision: 1, added: 3, changed: 0, removed: 0, unchanged: 0, refused: [], leaseExpiresWallMs: undefined,
  });
  expect(await w.held()).toEqual(['one: 10.0.0.0/8 239.2.0.0/16 up0 >  ttl 9', 'one: 239.1.1.1 up0 > lan1', 'one: lan1 239.1.1.2']);
  const asked = { upserts: [route('239.1.1.1', { downstreams: ['lan1', 'lan2'] }), membership('239.1.1.2')], deletes: [{ route: { group: '239.2.0.0/16', source: '10.0.0.0/8' } }, { route: { group: '239.7.7.7' } }] };
  expect(await w.update(asked)).toMatchObject({ revision: 2, added: 0, changed: 1, removed: 1, unchanged: 2 });
  expect(await w.held()).toEqual(['one: 239.1.1.1 up0 > lan1 lan2', 'one: lan1 239.1.1.2']);
  expect(w.follower.told.slice(3)).toEqual(['10.0.0.0/8 239.2.0.0/16', '239.1.1.1/32']);
});

test('what is so already changes no revision and writes nothing', async () => {
  const w = await world();
  await w.update({ upserts: [route('239.1.1.1')] });
  const calls = w.disk.calls;
  expect(await w.update({ upserts: [route('239.1.1.1/32', { source: '0.0.0.0/0' })] })).toMatchObject({ revision: 1, unchanged: 1, added: 0, changed: 0 });
  expect(w.disk.calls).toBe(calls);
});

test('replace leaves what is given, and other owners what is theirs', async () => {
  const w = await world();
  await w.update({ upserts: [route('239.1.1.1'), route('239.1.1.2'), membership('239.1.1.3')] });
  await w.update({ owner: 'two', upserts: [route('239.2.2.2')] });
  expect(await w.update({ replace: true, upserts: [route('239.1.1.2'), route('239.1.1.4')] })).toMatchObject({ added: 1, changed: 0, removed: 2, unchanged: 1 });
  expect(await w.held()).toEqual(['one: 239.1.1.2 up0 > lan1', 'one: 239.1.1.4 up0 > lan1', 'two: 239.2.2.2 up0 > lan1']);
  await w.update({ replace: true });
  expect((await w.manager.owners()).map(({ name }) => name)).toEqual(['config', 'two']);
});

test('every problem is told, each with its path', async () => {
  const w = await world();
  const upserts = [
    route('239.1.1.1', { upstream: 'upO' }),
    route('10.1.1.1', { ttlThreshold: 256 }),
    {},
    membership('239.1.1.1', { interface: 'up0' }),
    membership('232.1.1.1'),
    membership('239.1.1.2', { sources: ['239.1.1.1'] }),
    route('239.3.3.3', { downstreams: ['lan1', 'lan1', 'up0'] }),
    route('239.4.4.4'),
    route('239.4.4.4/32', { source: '0.0.0.0/0' }),
    membership('239.5.5.5'),
    membership('239.5.5.5', { sources: ['10.0.0.1'] }),
  ];
  const deletes = [{ route: { group: '239.4.4.4' } }, { membership: { interface: 'lan1', group: 'x' } }, {}];
  const { reason, problems } = await refusal(w, { upserts, deletes });
  expect(reason).toBe('ENTRIES_INVALID');
  expect(problems.map((text) => text.slice(0, text.indexOf(':')))).toEqual([
    'upserts[0].route.upstream',
    'upserts[1].route.group',
    'upserts[1].route.ttl_threshold',
    'upserts[2]',
    'upserts[3].membership.interface',
    'upserts[4].membership.group',
    'upserts[5].membership.sources[0]',
    'upserts[6].route.downstreams[1]',
    'upserts[6].route.downstreams[2]',
    'upserts[8]',
    'upserts[10]',
    'deletes[0]',
    'deletes[1].membership.group',
    'deletes[2]',
  ]);
  expect(problems[0]).toContain('did you mean "up0"?');
  expect(problems[9]).toContain('upserts[7]');
});

test('an entry that somebody else has is refused, and named with its holder', async () => {
  const w = await world();
  await w.update({ owner: 'two', upserts: [route('239.2.2.2'), membership('239.2.2.2')] });
  const { reason, problems, metadata } = await refusal(w, { upserts: [route('239.1.1.1'), route('239.2.2.2'), membership('239.2.2.2'), route('239.8.8.8'), membership('239.9.9.9', { interface: 'lan2' })] });
  expect([reason, metadata]).toEqual(['ENTRY_EXISTS', { owner: 'two' }]);
  expect(problems).toEqual([
    'upserts[1]: is an entry of "two"',
    'upserts[2]: is an entry of "two"',
    'upserts[3]: is in the configuration',
    'upserts[4]: is in the configuration',
  ]);
  expect(await w.update({ deletes: [{ route: { group: '239.2.2.2' } }] })).toMatchObject({ removed: 0, unchanged: 1 });
  expect(await w.held()).toHaveLength(2);
});

describe('loops', () => {
  const settings = toSettings({ interfaces: [{ name: 'a' }, { name: 'b' }, { name: 'c' }], staticRoutes: [{ group: '239.8.0.0/16', upstream: 'a', downstreams: ['c'] }], limits: { staticEntries: 10 } });
  const way = (group: string, upstream: string, ...downstreams: string[]) => route(group, { upstream, downstreams });

  test('with a route that another owner has', async () => {
    const w = await world(undefined, settings);
    await w.update({ owner: 'two', upserts: [way('239.1.1.1', 'a', 'b')] });
    const { problems } = await refusal(w, { upserts: [way('239.1.0.0/16', 'b', 'a')] });
    expect(problems).toEqual(['upserts[0]: sends from "b" to "a", and a route of "two" sends packets of the same flow back: a loop; leave one of the two interfaces out of one of them']);
    await w.update({ upserts: [way('239.2.0.0/16', 'b', 'a')] });
  });

  test('with the configuration, and among the upserts: the later one is blamed', async () => {
    const w = await world(undefined, settings);
    const { problems } = await refusal(w, { upserts: [way('239.8.1.1', 'c', 'a', 'b'), way('239.1.1.1', 'a', 'b'), way('239.1.1.0/24', 'b', 'c', 'a')] });
    expect(problems.map((text) => text.slice(0, 10))).toEqual(['upserts[0]', 'upserts[2]']);
  });

  test('not with what goes or is replaced in the same update', async () => {
    const w = await world(undefined, settings);
    await w.update({ upserts: [way('239.1.1.1', 'a', 'b'), way('239.1.1.2', 'a', 'b')] });
    await w.update({ upserts: [way('239.1.1.1', 'b', 'a'), way('239.1.1.2/32', 'b', 'c')], deletes: [] });
    await w.update({ upserts: [way('239.1.1.0/24', 'a', 'b')], deletes: [{ route: { group: '239.1.1.1' } }] });
    await refusal(w, { upserts: [way('239.1.1.7', 'b', 'a')] });
  });
});

test('no more entries than the limit, of all owners together; those that there are may change', async () => {
  const w = await world();
  const many = (count: number, third: number) => Array.from({ length: count }, (_, i) => route(`239.${third}.1.${i + 1}`));
  await w.update({ owner: 'two', upserts: many(6, 1) });
  expect((await refusal(w, { upserts: many(5, 2) })).reason).toBe('TOO_MANY_ENTRIES');
  await w.update({ upserts: many(4, 2) });
  await w.update({ upserts: [route('239.2.1.1', { downstreams: ['lan1', 'lan2'] })] });
  await w.update({ upserts: [route('239.3.1.1')], deletes: [{ route: { group: '239.2.1.1' } }] });
  expect(w.manager.counts).toMatchObject({ routes: 10, limit: 10 });
  expect((await refusal(w, { upserts: [route('239.3.1.2')] })).reason).toBe('TOO_MANY_ENTRIES');
});

test('sources are limited too: sixteen for each entry that there may be', async () => {
  const w = await world();
  const sources = Array.from({ length: 161 }, (_, i) => `10.0.0.${i + 1}`);
  await w.update({ upserts: [membership('239.1.1.1', { sources: sources.slice(1) })] });
  expect((await refusal(w, { upserts: [membership('239.1.1.1', { sources })] })).reason).toBe('TOO_MANY_ENTRIES');
});

test('an update that expects another revision is refused; zero means that there is nothing', async () => {
  const w = await world();
  await w.update({ expectedRevision: 0, upserts: [route('239.1.1.1')] });
  await w.update({ owner: 'two', upserts: [route('239.2.2.2')] });
  expect(await refusal(w, { expectedRevision: 0, upserts: [route('239.1.1.2')] })).toMatchObject({ reason: 'REVISION_MISMATCH', metadata: { revision: '1', expected_revision: '0' } });
  expect(await w.update({ expectedRevision: 1, upserts: [route('239.1.1.2')] })).toMatchObject({ revision: 3 });
});

test('validate_only says what would happen, and nothing does', async () => {
  const w = await world();
  expect(await w.update({ validateOnly: true, upserts: [route('239.1.1.1')] })).toMatchObject({ revision: 0, programmedRevision: 0, added: 1 });
  expect([await w.held(), w.disk.names(), w.follower.told]).toEqual([[], [], []]);
});

test('a request that comes again is answered as before', async () => {
  const w = await world();
  const first = await w.update({ requestId: 'a', upserts: [route('239.1.1.1')] });
  await w.update({ replace: true });
  expect(await w.update({ requestId: 'a', upserts: [route('239.1.1.1')] })).toEqual(first);
  expect(await w.held()).toEqual([]);
  await expect(w.update({ requestId: 'a', upserts: [route('239.1.1.2')] })).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
});

test('routes that the data plane refused are told; the entries are there', async () => {
  const w = await world();
  w.follower.refused.set('239.1.1.2/32', 'full');
  expect(await w.update({ upserts: [route('239.1.1.1'), route('239.1.1.2')] })).toMatchObject({ revision: 1, programmedRevision: 1, refused: [{ route: { group: '239.1.1.2', source: '' }, problem: 'full' }] });
  expect(await w.held()).toHaveLength(2);
});

test('an entry that comes into the configuration later is shadowed until it goes from there', async () => {
  const w = await world();
  await w.update({ upserts: [route('239.1.1.1'), membership('239.1.1.1')] });
  const mine = async () => [...(await w.manager.entries())].filter((entry) => (entry.kind === 'route' ? entry.route : entry.membership).owner === 'one').map((entry) => w.manager.hindranceOf(entry));
  expect(await mine()).toEqual(['', '']);
  w.manager.configure(toSettings({ interfaces: [{ name: 'up0', upstream: true }, { name: 'lan1', staticGroups: [{ group: '239.1.1.1' }] }], staticRoutes: [{ group: '239.1.1.1', upstream: 'up0' }] }));
  expect(await mine()).toEqual(Array(2).fill('the configuration has an entry for the same'));
  w.manager.configure(SETTINGS);
  expect(await mine()).toEqual(['', '']);
});

test('updates that come at once are carried out one after the other', async () => {
  const w = await world();
  const results = await Promise.all(Array.from({ length: 8 }, (_, i) => w.update({ owner: `owner${i}`, upserts: [route(`239.1.1.${i + 1}`)] })));
  expect(results.map(({ revision }) => revision)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(w.disk.names()).toHaveLength(8);
});

test('damaged bytes of an entry are a problem of that entry', async () => {
  const w = await world();
  const bytes = Buffer.from(updateOf({ upserts: [route('239.1.1.1'), route('239.1.1.2')] }).entries.bytes);
  // The length of the group, within the first route.
  bytes[bytes.indexOf('239.1.1.1') - 1] = 120;
  const error: unknown = await w.manager.update({ ...updateOf({}), entries: cutUpdate(bytes) }).catch((found: unknown) => found);
  expect((error as StaticRefusal).problems[0]?.path).toBe('upserts[0]');
});
