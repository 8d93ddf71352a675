/**
 * Reads an update and finds out what it is to change, with others having their turn in between. Changes nothing; rejects with
 * StaticRefusal, every problem in it.
 */
import { problem } from '../config/field-rules';
import type { Problem } from '../config/settings';
import { indexPath } from '../config/source-map';
import { errorText } from '../errors';
import { keyFrom, NameLists, type OwnedEntry } from './entry';
import { checkEntry, keyProblems } from './entry-check';
import type { EntryTable } from './entry-table';
import { forEachPaced } from './pace';
import { StaticRefusal } from './refusal';
import type { Surroundings } from './surroundings';
import type { Pieces, UpdatePieces } from './update-bytes';
import { UpdatePlan } from './update-plan';

export interface UpdateRequest {
  readonly owner: string;
  readonly entries: UpdatePieces;
  readonly replace: boolean;
  /** Of an entry or key: fields that this version does not know. */
  readonly strangersIn: (message: object, path: string) => readonly Problem[];
}

export interface PlanContext {
  readonly table: EntryTable;
  readonly surroundings: Surroundings;
}

export async function planUpdate(request: UpdateRequest, { table, surroundings }: PlanContext): Promise<UpdatePlan> {
  const { owner, entries, replace, strangersIn } = request;
  const plan = new UpdatePlan(owner, table, surroundings);
  const upserts = await readUpserts(request, plan, surroundings);
  await forEachPaced(indexes(entries.deletes), (index) => {
    const path = indexPath('deletes', index);
    const message = plan.isHopeless ? undefined : readPiece(entries.deletes, index, path, plan);
    if (message === undefined) return;
    const problems = [...strangersIn(message, path), ...keyProblems(message, path)];
    for (const one of problems) plan.problems.push(one);
    if (problems.length === 0) plan.delete(keyFrom(message), index);
  });
  if (replace) await forEachPaced(table.entries(), (entry) => plan.replace(entry));
  if (plan.problems.length === 0) await forEachPaced(upserts, (entry) => plan.checkLoop(entry));
  refuseIfWrong(plan);
  return plan;
}

async function readUpserts({ owner, entries, strangersIn }: UpdateRequest, plan: UpdatePlan, surroundings: Surroundings): Promise<readonly OwnedEntry[]> {
  const context = { owner, lists: new NameLists(), surroundings };
  const upserts: OwnedEntry[] = [];
  await forEachPaced(indexes(entries.upserts), (index) => {
    if (plan.isHopeless) return;
    const path = indexPath('upserts', index);
    const message = readPiece(entries.upserts, index, path, plan);
    if (message === undefined) return;
    const strangers = strangersIn(message, path);
    const { entry, problems } = checkEntry(message, () => path, context);
    for (const one of strangers) plan.problems.push(one);
    for (const one of problems) plan.problems.push(one);
    if (entry === undefined || strangers.length > 0) return;
    plan.upsert(entry, index);
    upserts.push(entry);
  });
  return upserts;
}

function readPiece<Message>(pieces: Pieces<Message>, index: number, path: string, plan: UpdatePlan): Message | undefined {
  try {
    return pieces.read(index);
  } catch (error) {
    plan.problems.push(problem(path, `is no message: ${errorText(error)}`));
    return undefined;
  }
}

function refuseIfWrong(plan: UpdatePlan): void {
  const { problems, conflicts, conflictsWith } = plan;
  if (problems.length > 0) {
    throw new StaticRefusal('ENTRIES_INVALID', `${countText(problems.length)}, first ${textOf(problems)}`, { problems });
  }
  if (conflicts.length > 0) {
    const metadata = { owner: conflictsWith };
    throw new StaticRefusal('ENTRY_EXISTS', `somebody else has these entries, first ${textOf(conflicts)}`, { metadata, problems: conflicts });
  }
  const excess = plan.excess();
  if (excess !== undefined) throw new StaticRefusal('TOO_MANY_ENTRIES', excess);
}

function textOf([first]: readonly Problem[]): string {
  return first === undefined ? '' : `${first.path}: ${first.message}`;
}

function countText(count: number): string {
  return count === 1 ? 'the entries have 1 problem' : `the entries have ${count} problems`;
}

function* indexes({ count }: { readonly count: number }): Iterable<number> {
  for (let index = 0; index < count; index++) yield index;
}
