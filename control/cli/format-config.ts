/**
 * Answers of ConfigService for people: a configuration as a file, changes and revisions as tables.
 */
import { xmcast } from '#proto';

import { fromWireTime } from '../api/wire-time';
import { configToYaml } from '../config/format';

import { type Column, printable, renderTable, type TableStyle } from './table';

/** Of ApplyConfig, RollbackConfig and ReloadConfig. */
export type Applied = xmcast.v1.ApplyConfigResponse.$Properties;

const { Effect } = xmcast.v1.ConfigChange;
const EFFECTS: Readonly<Record<number, string>> = {
  [Effect.EFFECT_NONE]: 'none',
  [Effect.EFFECT_LIVE]: 'live',
  [Effect.EFFECT_DISRUPTIVE]: 'disruptive',
  [Effect.EFFECT_RESTART]: 'at restart',
};

const CHANGE_COLUMNS: readonly Column[] = [
  { title: 'CHANGE' },
  { title: 'BEFORE' },
  { title: 'AFTER' },
  { title: 'EFFECT' },
  { title: 'MAY INTERRUPT' },
];
const CELL_CHARACTERS = 40;

/** What changes, what to know about it, and `outcome`, one sentence. */
export function formatApplied(applied: Applied, outcome: string, style: TableStyle): string {
  const { changes = [], omittedChanges, warnings = [] } = applied;
  const cell = (text: string | null | undefined): string => shortened(text || '-', style);
  const rows = (changes ?? []).map(({ path, before, after, effect, disrupts }) => [
    path ?? '',
    cell(before),
    cell(after),
    EFFECTS[effect ?? 0] ?? String(effect),
    disrupts || '-',
  ]);
  const table = rows.length === 0 ? '' : renderTable(CHANGE_COLUMNS, rows, style);
  const more = omittedChanges ? `and ${omittedChanges} changes more\n` : '';
  return [table, more, ...(warnings ?? []).map((warning) => `warning: ${printable(warning)}\n`), `${printable(outcome)}\n`].join('');
}

export function outcomeText(applied: Applied, validateOnly: boolean): string {
  const { revision, changes, confirmDeadlineTime } = applied;
  if (validateOnly) return (changes ?? []).length === 0 ? 'the same as what runs' : 'nothing was changed: this was a dry run';
  const what = revision ? `revision ${revision} runs` : 'the file runs';
  const deadlineMs = fromWireTime(confirmDeadlineTime);
  if (deadlineMs === undefined) return (changes ?? []).length === 0 ? `nothing to change: ${what} already` : what;
  return `${what} and is taken back at ${new Date(deadlineMs).toISOString()} unless: xmcastctl config confirm ${revision}`;
}

/** A file that can be edited and applied; what it is stands in comments. */
export function formatConfig(view: xmcast.v1.GetConfigResponse.$Properties): string {
  const { config, revision, etag, source, file, confirmDeadlineTime, restartPaths, lastError } = view;
  const decides = source === xmcast.v1.ConfigSource.CONFIG_SOURCE_FILE ? `read from ${file}` : `revision ${revision}`;
  const deadlineMs = fromWireTime(confirmDeadlineTime);
  const comments = [
    `${decides}, etag ${etag}`,
    ...(deadlineMs === undefined ? [] : [`taken back at ${new Date(deadlineMs).toISOString()} unless it is confirmed`]),
    ...(restartPaths?.length ? [`in effect when xmcastd is started again: ${restartPaths.join(', ')}`] : []),
    ...(lastError ? [`the last change failed: ${lastError}`] : []),
  ];
  return comments.map((line) => `# ${printable(line)}\n`).join('') + configToYaml(config ?? {});
}

const { State } = xmcast.v1.Revision;
const STATES: Readonly<Record<number, string>> = {
  [State.STATE_CURRENT]: 'current',
  [State.STATE_UNCONFIRMED]: 'unconfirmed',
  [State.STATE_APPLIED]: 'applied',
  [State.STATE_REVERTED]: 'reverted',
  [State.STATE_FAILED]: 'failed',
  [State.STATE_DAMAGED]: 'damaged',
};
const REVISION_COLUMNS: readonly Column[] = [
  { title: 'REVISION', align: 'right' },
  { title: 'STATE' },
  { title: 'CREATED' },
  { title: 'BY' },
  { title: 'COMMENT' },
  { title: 'ETAG', wide: true },
];

export function formatRevisions(revisions: readonly xmcast.v1.Revision.$Properties[], style: TableStyle): string {
  const rows = revisions.map(({ revision, state, createTime, author, comment, problem, etag }) => {
    const createdMs = fromWireTime(createTime);
    const created = createdMs === undefined ? '-' : new Date(createdMs).toISOString().replace(/\.\d+/, '');
    return [String(revision ?? 0), STATES[state ?? 0] ?? String(state), created, author || '-', problem || comment || '-', etag ?? ''];
  });
  return renderTable(REVISION_COLUMNS, rows, style);
}

function shortened(text: string, { wide }: TableStyle): string {
  return wide || text.length <= CELL_CHARACTERS ? text : `${text.slice(0, CELL_CHARACTERS - 1)}…`;
}
