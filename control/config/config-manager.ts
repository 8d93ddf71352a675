/**
 * The configuration of a running daemon: carries out what transaction.ts decides, one request after the other. Between two steps the
 * process may die: what is in the ledger then runs after the restart, whole. Knows neither gRPC nor how the router follows.
 */
import type { Clock } from '../kernel/clock';
import { DeadlineDriver, type DeadlineSource } from '../kernel/deadline-driver';
import { errorText, XmcastError } from '../errors';
import { EventLog, type EventSink, type EventType } from '../events';
import type { Log } from '../log';
import { canonicalConfig } from './canonical';
import { toSettings } from './defaults';
import { changesBetween, type Change } from './effects';
import { EMPTY_LEDGER, notApplied } from './ledger';
import type { PreparedFile } from './durable-file';
import type { Reconfigurable } from './reconfigurable';
import { ConfigRefusal } from './refusal';
import { RequestMemory } from './request-memory';
import type { Content, Revision } from './revision';
import type { RevisionStore } from './revision-store';
import { listRevisions, type ListedRevision } from './revision-list';
import { SerialQueue } from './serial-queue';
import {
  carriedOut,
  decideApply,
  decideConfirm,
  decideReload,
  decideTakeBack,
  rollbackFault,
  type ApplyRequest,
  type Decision,
  type Plan,
  type Running,
  type Settled,
  type Situation,
  type TransactionState,
} from './transaction';

export interface ConfigManagerOptions {
  /** What runs now. */
  readonly started: Settled;
  /** undefined until the API takes over from a file. */
  readonly store: RevisionStore | undefined;
  readonly openStore: () => Promise<RevisionStore>;
  /** The file that the daemon was started with; "". */
  readonly file: string;
  /** Rejects with ConfigRefusal FILE_INVALID. */
  readonly readFile: (path: string) => Promise<Content>;
  readonly router: Reconfigurable;
  /** For warnings only. */
  readonly interfaceExists: (name: string) => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the log alone. */
  readonly events?: EventSink;
}

/** Beside the content, as in ApplyRequest. */
export type RollbackRequest = Omit<ApplyRequest, 'content' | 'author' | 'takeover'> & { readonly revision: number };

export interface TransactionResult {
  readonly revision: number;
  readonly etag: string;
  readonly changes: readonly Change[];
  readonly warnings: readonly string[];
  readonly confirmDeadlineWallMs: number | undefined;
}

export interface ConfigView extends Settled {
  readonly file: string;
  readonly confirmDeadlineWallMs: number | undefined;
  readonly restartPaths: readonly string[];
  readonly lastError: string;
}

/** When the router would not go back, it is asked again. */
const TAKE_BACK_RETRY_MS = 5_000;

export class ConfigManager implements DeadlineSource {
  readonly #options: ConfigManagerOptions;
  readonly #queue = new SerialQueue();
  readonly #requests = new RequestMemory<TransactionResult>();
  readonly #driver: DeadlineDriver;
  readonly #events: EventSink;
  /** What needs a restart is as it was then. */
  readonly #startedWith: Running;
  #store: RevisionStore | undefined;
  #state: TransactionState;
  /** Paths whose values wait for a restart. */
  #restartPaths: readonly string[] = [];
  #lastError = '';

  constructor(options: ConfigManagerOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#startedWith = options.started.running;
    this.#state = { ...options.started, unconfirmed: undefined };
    this.#driver = new DeadlineDriver(options.clock, this);
    this.#events = options.events ?? new EventLog({ log: options.log, clock: options.clock });
  }

  /** What runs, or a kept revision. Waits for nothing. */
  async get(revision: number): Promise<ConfigView> {
    const { running, mode, unconfirmed } = this.#state;
    const confirmDeadlineWallMs = unconfirmed?.deadlineWallMs;
    const common = { mode, file: this.#options.file, restartPaths: this.#restartPaths, lastError: this.#lastError };
    if (revision === 0 || revision === running.revision) return { ...common, running, confirmDeadlineWallMs };
    const kept = await this.#kept(revision);
    return { ...common, running: { ...kept, revision }, confirmDeadlineWallMs: undefined };
  }

  apply(request: ApplyRequest): Promise<TransactionResult> {
    const { content, validateOnly, requestId, etag, confirmTimeoutMs, comment, takeover } = request;
    const work = (): Promise<TransactionResult> => this.#queue.run(() => this.#apply(request));
    if (validateOnly) return work();
    const asked = ['apply', content.etag, etag, confirmTimeoutMs, comment, takeover];
    return this.#requests.once(requestId, JSON.stringify(asked), work);
  }

  rollback(request: RollbackRequest): Promise<TransactionResult> {
    const { revision, validateOnly, requestId, etag, confirmTimeoutMs, comment } = request;
    const work = (): Promise<TransactionResult> => this.#queue.run(() => this.#rollback(request));
    if (validateOnly) return work();
    return this.#requests.once(requestId, JSON.stringify(['rollback', revision, etag, confirmTimeoutMs, comment]), work);
  }

  /** `revision` 0: the one that waits. */
  confirm(revision: number): Promise<Running> {
    return this.#queue.run(async () => {
      const decision = decideConfirm(this.#situation(), revision);
      const plan = planOf(decision);
      if (plan?.ledger !== undefined) {
        await this.#store?.writeLedger(plan.ledger);
        this.#follow({ ...plan.settled, unconfirmed: undefined }, 'config-confirmed', `revision ${plan.settled.running.revision} is confirmed`);
        await this.#store?.prune();
      }
      return this.#state.running;
    });
  }

  /** The file once more, by the same way as apply(). */
  reload(request: { readonly validateOnly: boolean; readonly takeover: boolean }): Promise<TransactionResult> {
    return this.#queue.run(async () => {
      const { file, readFile } = this.#options;
      if (file === '') throw new ConfigRefusal('NO_FILE', 'xmcastd was started without a file; apply a configuration instead');
      const content = await readFile(file).catch((error: unknown) => {
        if (!request.validateOnly) this.#lastError = errorText(error);
        throw error;
      });
      const before = this.#state.running;
      const plan = planOf(decideReload(this.#situation(), content, request));
      if (plan !== undefined) await this.#carryOut(plan, `${file} is read again`);
      return this.#result(before, content, []);
    });
  }

  async revisions(): Promise<readonly ListedRevision[]> {
    return this.#store === undefined ? [] : listRevisions(this.#store, this.#state);
  }

  /** One sentence for each thing an operator should know of the configuration. */
  conditions(): readonly string[] {
    const { running, unconfirmed, mode } = this.#state;
    const { file } = this.#options;
    const restart = this.#restartPaths;
    return [
      ...(unconfirmed === undefined
        ? []
        : [`revision ${running.revision} is taken back at ${new Date(unconfirmed.deadlineWallMs).toISOString()} unless it is confirmed`]),
      ...(restart.length === 0 ? [] : [`${restart.join(', ')}: in effect when xmcastd is started again`]),
      ...(mode === 'api' && file !== '' ? [`${file} is not read: the API has taken over from it`] : []),
      ...(this.#lastError === '' ? [] : [`the last change of the configuration failed: ${this.#lastError}`]),
    ];
  }

  /** What was begun is finished. */
  async close(): Promise<void> {
    this.#driver.close();
    await this.#queue.close();
    this.#store?.close();
  }

  nextDeadline(): number | undefined {
    return this.#state.unconfirmed?.deadlineMs;
  }

  onDeadline(): void {
    // Refused only while closing: then the next start takes it back.
    this.#queue.run(() => this.#takeBackAtDeadline()).catch((error: unknown) => this.#options.log.error({}, errorText(error)));
  }

  async #apply(request: ApplyRequest): Promise<TransactionResult> {
    const { validateOnly, takeover } = request;
    if (this.#state.mode === 'file' && takeover && !validateOnly) this.#store ??= await this.#options.openStore();
    const before = this.#state.running;
    const plan = planOf(decideApply(this.#situation(), request, this.#options.clock.nowWallMs()));
    if (plan !== undefined) await this.#carryOut(plan, `revision ${plan.settled.running.revision} is applied`);
    const hint = validateOnly && this.#state.mode === 'file' && !takeover ? [`${this.#options.file} decides here; applying needs takeover`] : [];
    return this.#result(before, request.content, hint);
  }

  async #rollback(request: RollbackRequest): Promise<TransactionResult> {
    const before = this.#state.running;
    const takeBack = request.validateOnly && request.revision !== 0 ? undefined : decideTakeBack(this.#situation(), request.revision);
    if (takeBack === undefined) return this.#applyKept(request);
    const plan = planOf(takeBack);
    const { running } = plan?.settled ?? this.#state;
    if (plan !== undefined && !request.validateOnly) await this.#takeBack(plan, 'as asked');
    return this.#result(before, running, []);
  }

  async #applyKept({ revision, ...request }: RollbackRequest): Promise<TransactionResult> {
    const refusal = rollbackFault(this.#situation());
    if (refusal !== undefined) throw refusal;
    const current = this.#state.running.revision;
    const kept = revision === 0 ? await this.#store?.newestGood(current) : await this.#kept(revision);
    if (kept === undefined) throw new ConfigRefusal('NO_SUCH_REVISION', 'no configuration ran before this one, as far as is kept');
    return this.#apply({ ...request, content: kept, author: `rollback to ${revisionOf(kept)}`, takeover: false });
  }

  /** When it rejects, what ran before runs. */
  async #carryOut(plan: Plan, text: string): Promise<void> {
    const { clock, router } = this.#options;
    let ledger: PreparedFile | undefined;
    try {
      if (plan.keep !== undefined) await this.#store?.write(plan.keep);
      if (plan.ledger !== undefined) ledger = await this.#store?.prepare(plan.ledger);
      await router.reconfigure(toSettings(plan.settled.running.config)).catch((error: unknown) => {
        throw notAppliedRefusal(error);
      });
    } catch (error) {
      await ledger?.discard();
      if (error instanceof ConfigRefusal && plan.ledgerIfRefused !== undefined) await this.#note(plan.ledgerIfRefused);
      throw this.#failed(error);
    }
    await ledger?.commit().catch((error: unknown) => this.#goBack(plan, error));
    this.#follow(carriedOut(plan, this.#state, { nowMs: clock.nowMs(), nowWallMs: clock.nowWallMs() }), 'config-applied', text);
    await this.#store?.prune();
  }

  /** The router follows, but a restart might not know: so it does not stay. */
  async #goBack(plan: Plan, cause: unknown): Promise<never> {
    const { router, log } = this.#options;
    try {
      await router.reconfigure(toSettings(this.#state.running.config));
    } catch (error) {
      this.#state = { ...plan.settled, unconfirmed: undefined };
      log.error({}, `go back to the configuration before: ${errorText(error)}; the new one runs, a restart may bring back the old one`);
      throw this.#failed(cause);
    }
    await this.#note(this.#ledgerNow());
    throw this.#failed(cause);
  }

  async #takeBackAtDeadline(): Promise<void> {
    const { clock, log } = this.#options;
    const { unconfirmed } = this.#state;
    // Confirmed in the last moment.
    if (unconfirmed === undefined || clock.nowMs() < unconfirmed.deadlineMs) return;
    const plan = planOf(decideTakeBack(this.#situation(), 0));
    try {
      if (plan !== undefined) await this.#takeBack(plan, 'nobody confirmed it in time');
    } catch (error) {
      log.error({}, `take back revision ${this.#state.running.revision}: ${errorText(error)}; tried again in ${TAKE_BACK_RETRY_MS / 1000} s`);
      this.#state = { ...this.#state, unconfirmed: { ...unconfirmed, deadlineMs: clock.nowMs() + TAKE_BACK_RETRY_MS } };
      this.#driver.rearm();
    }
  }

  /** The ledger names the configuration before all the time, so it may be late, or fail. */
  async #takeBack(plan: Plan, why: string): Promise<void> {
    const { revision } = this.#state.running;
    await this.#options.router.reconfigure(toSettings(plan.settled.running.config)).catch((error: unknown) => {
      throw this.#failed(notAppliedRefusal(error));
    });
    this.#follow({ ...plan.settled, unconfirmed: undefined }, 'config-reverted', `revision ${revision} is taken back: ${why}`);
    await this.#note(notApplied(this.#ledgerNow(), revision, 'reverted'));
  }

  #follow(state: TransactionState, type: EventType, text: string): void {
    if (state.running.etag !== this.#state.running.etag) this.#restartPaths = this.#pathsForRestart(state.running);
    this.#state = state;
    this.#lastError = '';
    this.#driver.rearm();
    const { running, mode, unconfirmed } = state;
    const confirmBy = unconfirmed === undefined ? {} : { confirmBy: new Date(unconfirmed.deadlineWallMs).toISOString() };
    const severity = type === 'config-reverted' ? 'warn' : 'info';
    this.#events.report({ type, severity, text, fields: { revision: running.revision, etag: running.etag, source: mode, ...confirmBy } });
  }

  /** What is nice to have on disk, but no reason to fail. */
  async #note(ledger: Plan['ledger']): Promise<void> {
    if (ledger === undefined) return;
    await this.#store?.writeLedger(ledger).catch((error: unknown) => this.#options.log.warn({}, errorText(error)));
  }

  #failed(error: unknown): unknown {
    this.#lastError = errorText(error);
    const fields = error instanceof XmcastError ? { code: error.code, hint: error.hint } : {};
    this.#events.report({ type: 'config-failed', severity: 'error', text: `change the configuration: ${errorText(error)}`, fields });
    return error;
  }

  async #kept(id: number): Promise<Revision> {
    const store = this.#store;
    const exists = store !== undefined && (await store.ids()).includes(id);
    if (!exists) throw new ConfigRefusal('NO_SUCH_REVISION', `revision ${id} is not kept`, { metadata: { revision: String(id) } });
    const { revision, fault } = await store.read(id);
    if (revision !== undefined) return revision;
    throw new ConfigRefusal('REVISION_DAMAGED', `revision ${id} ${fault}`, { metadata: { revision: String(id) } });
  }

  #result(before: Running, after: Content, warnings: readonly string[]): TransactionResult {
    const changes = changesBetween(canonicalConfig(before.config), canonicalConfig(after.config));
    const restart = changes.filter(({ effect }) => effect === 'restart').map(({ path }) => `${path} takes effect when xmcastd is started again`);
    const known = new Set((before.config.interfaces ?? []).map(({ name }) => name));
    const missing = (after.config.interfaces ?? [])
      .map(({ name }) => name ?? '')
      .filter((name) => !known.has(name) && !this.#options.interfaceExists(name))
      .map((name) => `interface "${name}" does not exist here; it is waited for`);
    const { running, unconfirmed } = this.#state;
    const confirmDeadlineWallMs = unconfirmed?.deadlineWallMs;
    return { revision: running.revision, etag: after.etag, changes, warnings: [...warnings, ...restart, ...missing], confirmDeadlineWallMs };
  }

  #pathsForRestart(running: Running): string[] {
    return changesBetween(canonicalConfig(this.#startedWith.config), canonicalConfig(running.config))
      .filter(({ effect }) => effect === 'restart')
      .map(({ path }) => path);
  }

  #situation(): Situation {
    return { state: this.#state, ledger: this.#ledgerNow(), file: this.#options.file };
  }

  #ledgerNow() {
    return this.#store?.ledger ?? EMPTY_LEDGER;
  }
}

function planOf(decision: Decision | undefined): Plan | undefined {
  if (decision?.kind === 'refuse') throw decision.refusal;
  return decision?.kind === 'carry out' ? decision.plan : undefined;
}

function notAppliedRefusal(cause: unknown): ConfigRefusal {
  const metadata = cause instanceof XmcastError ? { code: cause.code, hint: cause.hint } : {};
  return new ConfigRefusal('NOT_APPLIED', `the router does not follow, the configuration before runs on: ${errorText(cause)}`, { metadata, cause });
}

function revisionOf(kept: Content | Revision): number {
  return 'id' in kept ? kept.id : 0;
}
