/** The mirror of a data plane's routes under random traffic, refusals, outages and comparisons: at rest it is what is there. */
import fc from 'fast-check';
import type { InstalledRoute } from '../../../control/dataplane/api';
import { nameOf, type RouteChange } from '../../../control/mrib/route';
import { RouteMirror } from '../../../control/remote/route-mirror';
import { nameOfChange, remove, set } from './fakes';

interface Batch {
  readonly number: number;
  readonly changes: readonly RouteChange[];
}

/** What is really there: takes batches in order, refuses what it is told to. */
class World {
  readonly mirror = new RouteMirror();
  installed = new Map<string, InstalledRoute>();
  /** What the newest change of each asked for, unless it was refused. */
  readonly wanted = new Map<string, RouteChange>();
  #underWay: Batch[] = [];
  #number = 0;

  write(changes: readonly RouteChange[]): void {
    this.mirror.sent(++this.#number, changes);
    this.#underWay.push({ number: this.#number, changes });
    for (const change of changes) this.wanted.set(nameOfChange(change), change);
  }

  /** `refusing`: which of its changes. */
  answer(refusing: number): void {
    const batch = this.#underWay.shift();
    if (batch === undefined) return;
    const refused = batch.changes.flatMap((_, index) => (((refusing >> index) & 1) === 1 ? [{ index, problem: 'no' }] : []));
    this.#apply(batch, new Set(refused.map(({ index }) => index)));
    const answer = this.mirror.answered(batch.number, refused, 1);
    for (const { problem: _, ...key } of answer.refused) this.#giveUp(nameOf(key));
  }

  outage(reached: number): void {
    for (const batch of this.#underWay.splice(0).slice(0, reached)) this.#apply(batch, new Set());
    this.mirror.disconnected();
    this.write(this.mirror.compare(this.installed));
  }

  settle(): void {
    while (this.#underWay.length > 0) this.answer(0);
  }

  #apply({ changes }: Batch, refused: ReadonlySet<number>): void {
    for (const [i, change] of changes.entries()) {
      if (refused.has(i)) continue;
      if (change.kind === 'remove') this.installed.delete(nameOfChange(change));
      else this.installed.set(nameOfChange(change), { route: change.route, installedAtMs: 1 });
    }
  }

  /** A refused change leaves what was there. */
  #giveUp(name: string): void {
    const there = this.installed.get(name);
    if (there === undefined) this.wanted.delete(name);
    else this.wanted.set(name, { kind: 'set', route: there.route });
  }
}

const change = fc.tuple(fc.nat(5), fc.integer({ min: 2, max: 4 }), fc.boolean()).map(([source, out, isSet]) => (isSet ? set(source, 1, [out]) : remove(source, 1)));
const step = fc.oneof(
  fc.uniqueArray(change, { maxLength: 4, selector: nameOfChange }).map((changes) => (world: World) => world.write(changes)),
  fc.nat(15).map((refusing) => (world: World) => world.answer(refusing)),
  fc.nat(3).map((reached) => (world: World) => world.outage(reached)),
);

test('at rest what is there is what was asked for last, and the mirror knows it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const world = new World();
      for (const take of steps) take(world);
      world.settle();
      const wanted = [...world.wanted].flatMap(([name, one]) => (one.kind === 'set' ? [[name, one.route] as const] : []));
      expect(new Map([...world.installed].map(([name, { route }]) => [name, route]))).toEqual(new Map(wanted));
      expect(world.mirror.underWay).toBe(0);
      for (const name of world.installed.keys()) expect(world.mirror.installedAtMs(name)).toBe(1);
      expect(world.mirror.compare(world.installed)).toEqual([]);
    }),
  );
});

test('what was adopted is wanted until somebody decides otherwise', () => {
  const mirror = new RouteMirror();
  const found = new Map([set(1, 1), set(2, 1)].map((one) => [nameOfChange(one), { route: one.kind === 'set' ? one.route : undefined, installedAtMs: 5 }] as const)) as Map<string, InstalledRoute>;
  mirror.adopt(found);
  expect([mirror.compare(found), mirror.installedAtMs(nameOfChange(set(1, 1))), mirror.underWay]).toEqual([[], 5, 0]);
  mirror.sent(1, [remove(1, 1)]);
  mirror.answered(1, [], 9);
  expect(mirror.compare(found)).toEqual([expect.objectContaining({ kind: 'remove' })]);
  expect(mirror.removals()).toHaveLength(1);
});
