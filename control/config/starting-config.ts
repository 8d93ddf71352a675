/**
 * What a daemon runs when it starts, and who decides from then on: the file it is given; else, or when the API took over from that file,
 * the state folder.
 */
import { resolve } from 'node:path';
import { xmcast } from '#proto';
import { errorText, XmcastError } from '../errors';
import { notApplied, type Ledger } from './ledger';
import { loadConfigFile } from './load';
import { contentOf, type Revision } from './revision';
import { readLedgers, RevisionStore, type RevisionStoreOptions } from './revision-store';
import type { Running, Settled } from './transaction';

export interface StartingConfig extends Settled {
  readonly store: RevisionStore | undefined;
  /** Absolute; "": none was given. */
  readonly file: string;
}

/** No interface: it waits for its first configuration. */
const NOTHING_APPLIED: Running = { ...contentOf(new xmcast.v1.Config()), revision: 0, requestId: '' };

/** `file`: as on the command line. Rejects with XM_CONFIG for a bad file, XM_STATE when revisions are there and none can run. */
export async function startingConfig(file: string | undefined, state: RevisionStoreOptions): Promise<StartingConfig> {
  if (file === undefined) return fromState('', state);
  const path = resolve(file);
  const { takenOverFrom, current } = await readLedgers(state);
  if (takenOverFrom !== path) {
    const { config } = await loadConfigFile(file);
    return { mode: 'file', running: { ...contentOf(config), revision: 0, requestId: '' }, store: undefined, file: path };
  }
  state.log.warn({ revision: current }, `${path} is not read: the API has taken over from it ("xmcastctl config reload --takeover" gives it back)`);
  return fromState(path, state);
}

async function fromState(file: string, options: RevisionStoreOptions): Promise<StartingConfig> {
  const store = await RevisionStore.open(options);
  try {
    await forgetUnconfirmed(store, options);
    const revision = await revisionToRun(store, options);
    const running = revision === undefined ? NOTHING_APPLIED : { ...revision, revision: revision.id };
    return { mode: 'api', running, store, file };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Whoever was to confirm it may be cut off still, so what was confirmed before is what runs. */
async function forgetUnconfirmed(store: RevisionStore, { log }: RevisionStoreOptions): Promise<void> {
  const { unconfirmed } = store.ledger;
  if (unconfirmed === undefined) return;
  const { revision } = unconfirmed;
  log.warn({ revision }, `revision ${revision} was not confirmed when xmcastd ended: it is taken back`);
  const ledger: Ledger = notApplied(store.ledger, revision, 'reverted');
  await store.writeLedger(ledger).catch((error: unknown) => log.warn({}, errorText(error)));
}

/** undefined: nothing was applied yet. */
async function revisionToRun(store: RevisionStore, { log }: RevisionStoreOptions): Promise<Revision | undefined> {
  const { current } = store.ledger;
  if (current === 0) return undefined;
  const { revision, fault } = await store.read(current);
  if (revision !== undefined) return revision;
  log.error({ revision: current }, `revision ${current} in ${store.folder} ${fault}`);
  const older = await store.newestGood(current);
  if (older === undefined) {
    throw new XmcastError('XM_STATE', `run revision ${current} of ${store.folder}: it ${fault}, and no older one is good`, {
      hint: 'Restore the folder from a backup, or start with --config; what was installed forwards on meanwhile.',
    });
  }
  log.error({ revision: older.id }, `revision ${older.id} runs instead`);
  return older;
}
