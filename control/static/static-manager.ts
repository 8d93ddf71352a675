/**
 * The static entries of a running daemon: carries out updates one after the other, each whole or not at all, keeps them on disk before the
 * router hears of them, and lets the entries of an owner vanish when its lease is not renewed. Knows neither gRPC nor how the router
 * follows.
 */
import { createHash } from 'node:crypto';
import { RequestMemory } from '../config/request-memory';
import { SerialQueue } from '../config/serial-queue';
import type { Problem, Settings } from '../config/settings';
import { errorText } from '../errors';
import type { Clock } from '../kernel/clock';
import { DeadlineDriver, type DeadlineSource } from '../kernel/deadline-driver';
import type { Log } from '../log';
import { CONFIG_OWNER, type EntryKey, type OwnedEntry } from './entry';
import { EntryTable, keyOfEntry, ownerOf, type Owner } from './entry-table';
import type { EntryStore, StoredUpdate } from './entry-store';
import type { Hindrance, StaticFollower } from './follower';
import { forEachPaced } from './pace';
import { Programming, type RefusedRoute } from './programming';
import { StaticRefusal } from './refusal';
import { restore, snapshotOf, withdrawal } from './stored-update';
import { Surroundings } from './surroundings';
import type { UpdatePieces } from './update-bytes';
import { planUpdate } from './plan-update';
import type { UpdatePlan } from './update-plan';

export interface StaticManagerOptions {
  readonly settings: Settings;
  readonly follower: StaticFollower;
  /** undefined: nothing was stored yet. */
  readonly store: EntryStore | undefined;
  /** Called once, by the first update. */
  readonly makeStore: () => Promise<EntryStore>;
  readonly clock: Clock;
  readonly log: Log;
}

export interface StaticUpdate {
  readonly owner: string;
  readonly entries: UpdatePieces;
  readonly replace: boolean;
  /** 0: the owner has none. undefined: any. */
  readonly expectedRevision: number | undefined;
  readonly validateOnly: boolean;
  readonly requestId: string;
  /** 0: none; undefined: as before. */
  readonly leaseMs: number | undefined;
  /** Of an entry or key: fields that this version does not know. */
  readonly strangersIn: (message: object, path: string) => readonly Problem[];
}

export interface UpdateResult {
  readonly revision: number;
  readonly programmedRevision: number;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
  readonly refused: readonly RefusedRoute[];
  readonly leaseExpiresWallMs: number | undefined;
}

export interface OwnerView extends Omit<Owner, 'deadlineMs'> {
  readonly leaseExpiresWallMs: number | undefined;
}

export interface EntryView {
  readonly entry: OwnedEntry;
  readonly hindrance: Hindrance;
}

export interface StaticCounts {
  readonly routes: number;
  readonly memberships: number;
  readonly limit: number;
  readonly owners: number;
  readonly expiredLeases: bigint;
}

/** When the disk would not take that a lease has ended, it is tried again. */
const EXPIRY_RETRY_MS = 5_000;

export class StaticManager implements DeadlineSource {
  readonly #options: StaticManagerOptions;
  readonly #queue = new SerialQueue();
  readonly #requests = new RequestMemory<UpdateResult>();
  readonly #driver: DeadlineDriver;
  readonly #table = new EntryTable();
  readonly #programming: Programming;
  #surroundings: Surroundings;
  #store: EntryStore | undefined;
  #revision = 0;
  /** While an update goes into the table. */
  #committing: Promise<void> = Promise.resolve();
  #expiredLeases = 0n;

  constructor(options: StaticManagerOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#surroundings = new Surroundings(options.settings);
    this.#programming = new Programming(options.follower);
    options.follower.follow(this.#table);
    this.#driver = new DeadlineDriver(options.clock, this);
  }

  /** What was stored, before any update; its leases begin anew. Resolves when the router knows it. To be called once. */
  load(): Promise<void> {
    const work = this.#queue.run(() => this.#restore());
    // Nobody is shown a part of it.
    this.#committing = work.catch(() => undefined);
    return work;
  }

  /** The configuration is another. Entries that it takes the place of are shadowed as long as it does. */
  configure(settings: Settings): void {
    this.#surroundings = new Surroundings(settings);
  }

  async update(update: StaticUpdate): Promise<UpdateResult> {
    const { requestId, validateOnly } = update;
    const work = async (): Promise<UpdateResult> => {
      const { plan, result } = await this.#queue.run(() => this.#update(update));
      return plan === undefined ? result : this.#whenProgrammed(update.owner, plan, result);
    };
    return validateOnly ? work() : this.#requests.once(requestId, fingerprint(update), work);
  }

  renew(name: string): Promise<OwnerView> {
    return this.#queue.run(async () => {
      const owner = this.#table.owner(name);
      if (owner === undefined) throw new StaticRefusal('NO_ENTRIES', `"${name}" has no entries: they were never there, deleted, or their lease has run out`);
      if (owner.leaseMs === undefined) throw new StaticRefusal('NO_LEASE', `the entries of "${name}" have no lease; give one with an update`);
      this.#renew(name, owner.leaseMs);
      return this.#view(this.#table.owner(name) ?? owner);
    });
  }

  async owners(): Promise<readonly OwnerView[]> {
    await this.#committing;
    const memberships = [...this.#surroundings.memberships()].length;
    const routes = this.#surroundings.routes.size;
    const configured = { name: CONFIG_OWNER, revision: 0, programmedRevision: 0, leaseMs: undefined, deadlineMs: undefined, routes, memberships };
    const all = [...this.#table.owners, ...(routes + memberships > 0 ? [configured] : [])];
    return all.map((owner) => this.#view(owner)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Of all owners, those of the configuration first. None of an update that is only half in. */
  async entries(): Promise<Iterable<OwnedEntry>> {
    await this.#committing;
    return this.#entries();
  }

  hindranceOf(entry: OwnedEntry): Hindrance {
    if (entry.kind === 'membership') {
      const { owner, interface: name, group } = entry.membership;
      const isShadowed = owner !== CONFIG_OWNER && this.#surroundings.membership(name, group) !== undefined;
      return isShadowed ? SHADOWED : this.#options.follower.membershipHindrance(name);
    }
    const { route } = entry;
    const isShadowed = route.owner !== CONFIG_OWNER && this.#surroundings.routes.get(route) !== undefined;
    return isShadowed ? SHADOWED : this.#options.follower.routeHindrance(route);
  }

  get counts(): StaticCounts {
    const { byFlow, membershipCount, owners } = this.#table;
    const { limit } = this.#surroundings;
    return { routes: byFlow.size, memberships: membershipCount, limit, owners: [...owners].length, expiredLeases: this.#expiredLeases };
  }

  async close(): Promise<void> {
    this.#driver.close();
    await this.#queue.close();
    this.#store?.close();
  }

  nextDeadline(): number | undefined {
    let earliest: number | undefined;
    for (const { deadlineMs } of this.#table.owners) if (deadlineMs !== undefined && deadlineMs < (earliest ?? Infinity)) earliest = deadlineMs;
    return earliest;
  }

  onDeadline(nowMs: number): void {
    for (const { name, deadlineMs } of [...this.#table.owners]) {
      if (deadlineMs === undefined || deadlineMs > nowMs) continue;
      // Not again before it has been carried out.
      this.#table.setOwner(name, { deadlineMs: nowMs + EXPIRY_RETRY_MS });
      // Refused only while closing: the next start begins the lease anew.
      this.#queue.run(() => this.#expire(name, nowMs)).catch((error: unknown) => this.#options.log.error({ owner: name }, `end the lease of "${name}": ${errorText(error)}`));
    }
  }

  async #update(update: StaticUpdate): Promise<{ readonly plan: UpdatePlan | undefined; readonly result: UpdateResult }> {
    const { owner, expectedRevision, validateOnly, leaseMs } = update;
    const before = this.#table.owner(owner);
    this.#checkRevision(owner, before, expectedRevision);
    const plan = await planUpdate(update, { table: this.#table, surroundings: this.#surroundings });
    const lease = leaseMs === undefined ? before?.leaseMs : leaseMs || undefined;
    const isChange = plan.puts.length + plan.drops.length > 0 || (before !== undefined && lease !== before.leaseMs);
    if (validateOnly || !isChange) {
      if (!validateOnly && before !== undefined) this.#renew(owner, lease);
      return { plan: undefined, result: this.#result(owner, plan, validateOnly) };
    }
    const revision = ++this.#revision;
    await this.#keep({ owner, revision, leaseMs: lease, bytes: [update.entries.bytes] });
    await this.#commit(owner, plan, { revision, leaseMs: lease });
    const { added, changed } = plan;
    this.#options.log.info({ owner, revision, added, changed, removed: plan.drops.length }, `static entries of "${owner}" are changed`);
    return { plan, result: this.#result(owner, plan, false) };
  }

  #checkRevision(name: string, owner: Owner | undefined, expected: number | undefined): void {
    const revision = owner?.revision ?? 0;
    if (expected === undefined || expected === revision) return;
    throw new StaticRefusal('REVISION_MISMATCH', `the entries of "${name}" are at revision ${revision}, not ${expected}: somebody else has changed them`, {
      metadata: { revision: String(revision), expected_revision: String(expected) },
    });
  }

  /** On disk before the router hears of it. */
  async #keep(update: StoredUpdate): Promise<void> {
    this.#store ??= await this.#options.makeStore();
    await this.#store.append(update);
  }

  /** From here on nothing fails. The router is told in pieces, and follows meanwhile. */
  async #commit(name: string, plan: Pick<UpdatePlan, 'puts' | 'drops'>, { revision, leaseMs }: Pick<Owner, 'revision' | 'leaseMs'>): Promise<void> {
    const commit = async (): Promise<void> => {
      this.#table.setOwner(name, { revision });
      await forEachPaced(plan.drops, (key) => this.#drop(key));
      await forEachPaced(plan.puts, (entry) => this.#put(entry));
      this.#programming.flush();
      this.#renew(name, leaseMs);
      this.#table.forgetIfEmpty(name);
      this.#driver.rearm();
    };
    this.#committing = commit();
    await this.#committing;
    if (this.#store?.isSnapshotDue === true) this.#planSnapshot();
  }

  #put(entry: OwnedEntry): void {
    this.#table.put(entry);
    this.#programming.put(entry);
  }

  #drop(key: EntryKey): void {
    this.#table.drop(key);
    this.#programming.drop(key);
  }

  async #whenProgrammed(name: string, plan: UpdatePlan, result: UpdateResult): Promise<UpdateResult> {
    const refused = await this.#programming.refusedOf(plan);
    const owner = this.#table.owner(name);
    if (owner !== undefined && owner.programmedRevision < result.revision) this.#table.setOwner(name, { programmedRevision: result.revision });
    if (refused.length > 0) this.#options.log.warn({ owner: name, revision: result.revision, refused: refused.length }, `${refused.length} static routes of "${name}" are not in the data plane`);
    return { ...result, programmedRevision: result.revision, refused };
  }

  async #expire(name: string, nowMs: number): Promise<void> {
    const { log } = this.#options;
    const owner = this.#table.owner(name);
    // Renewed, or without a lease, in the last moment.
    if (owner?.deadlineMs !== nowMs + EXPIRY_RETRY_MS) return;
    const revision = ++this.#revision;
    await this.#keep(withdrawal(name, revision));
    const drops: EntryKey[] = [];
    await forEachPaced(this.#table.entries(), (entry) => {
      if (ownerOf(entry) === name) drops.push(keyOfEntry(entry));
    });
    this.#expiredLeases++;
    log.warn({ owner: name, routes: owner.routes, memberships: owner.memberships }, `the lease of "${name}" was not renewed: its static entries go`);
    await this.#commit(name, { puts: [], drops }, { revision, leaseMs: undefined });
  }

  #renew(name: string, leaseMs: number | undefined): void {
    this.#table.setOwner(name, { leaseMs, deadlineMs: leaseMs === undefined ? undefined : this.#options.clock.nowMs() + leaseMs });
    this.#driver.rearm();
  }

  /** After what waits already: nobody waits for it. */
  #planSnapshot(): void {
    const work = async (): Promise<void> => {
      if (this.#store?.isSnapshotDue === true) await this.#store.replaceBy(await snapshotOf(this.#table), this.#revision);
    };
    // Refused only while many wait or it is closing: the next update finds it due again.
    this.#queue.run(work).catch((error: unknown) => this.#options.log.debug({}, `write a snapshot of the static entries: ${errorText(error)}`));
  }

  async #restore(): Promise<void> {
    const { store, log } = this.#options;
    if (store === undefined) return;
    await store.load(async (update) => {
      const { puts, drops, problems } = await restore(update, this.#table);
      for (const { path, message } of problems.slice(0, 10)) log.warn({ owner: update.owner, revision: update.revision }, `a stored static entry is left out: ${path}: ${message}`);
      await this.#commitRestored(update, puts, drops);
    });
    this.#revision = store.lastRevision;
    this.#programming.flush();
    this.#driver.rearm();
    await this.#options.follower.known();
    const { routes, memberships, owners } = this.counts;
    if (routes + memberships > 0) log.info({ routes, memberships, owners }, 'static entries are restored');
  }

  async #commitRestored({ owner, revision, leaseMs }: StoredUpdate, puts: readonly OwnedEntry[], drops: readonly EntryKey[]): Promise<void> {
    this.#table.setOwner(owner, { revision, programmedRevision: revision });
    await forEachPaced(drops, (key) => this.#drop(key));
    await forEachPaced(puts, (entry) => this.#put(entry));
    this.#renew(owner, leaseMs);
    this.#table.forgetIfEmpty(owner);
  }

  *#entries(): Iterable<OwnedEntry> {
    for (const route of this.#surroundings.routes.values()) yield { kind: 'route', route };
    for (const membership of this.#surroundings.memberships()) yield { kind: 'membership', membership };
    yield* this.#table.entries();
  }

  #result(name: string, { added, changed, drops, unchanged }: UpdatePlan, validateOnly: boolean): UpdateResult {
    const owner = this.#table.owner(name);
    const programmedRevision = validateOnly ? 0 : (owner?.programmedRevision ?? this.#revision);
    const revision = owner?.revision ?? (validateOnly ? 0 : this.#revision);
    return { revision, programmedRevision, added, changed, removed: drops.length, unchanged, refused: [], leaseExpiresWallMs: this.#expiryOf(owner) };
  }

  #view({ deadlineMs, ...owner }: Owner): OwnerView {
    return { ...owner, leaseExpiresWallMs: this.#expiryOf({ deadlineMs }) };
  }

  #expiryOf(owner: Pick<Owner, 'deadlineMs'> | undefined): number | undefined {
    const { clock } = this.#options;
    return owner?.deadlineMs === undefined ? undefined : clock.nowWallMs() + owner.deadlineMs - clock.nowMs();
  }
}

const SHADOWED = 'the configuration has an entry for the same';

/** What was asked for, in one spelling. */
function fingerprint({ entries, requestId }: StaticUpdate): string {
  return requestId === '' ? '' : createHash('sha256').update(entries.bytes).digest('hex');
}
