/**
 * ConfigService: requests become those of the ConfigManager, its results and refusals become answers and statuses. Decides nothing itself.
 */
import { status } from '@grpc/grpc-js';

import { xmcast } from '#proto';

import type { ConfigManager, ConfigView, TransactionResult } from '../config/config-manager';
import type { Change } from '../config/effects';
import { ConfigRefusal, type Refusal, type RefusalReason } from '../config/refusal';
import { contentOf, type Content } from '../config/revision';
import type { ListedRevision } from '../config/revision-list';
import type { Problem } from '../config/settings';
import { validateConfig } from '../config/validate';
import { errorCode, XmcastError } from '../errors';

import { ApiError, headerText } from './api-error';
import { ensureKnown, readComment, readConfirmTimeout, readWord } from './config-request';
import type { ServiceHandlers } from './define-service';
import { toWireTime } from './wire-time';

/** What the service needs of the ConfigManager. */
export type ConfigControl = Pick<ConfigManager, 'get' | 'apply' | 'confirm' | 'rollback' | 'reload' | 'revisions' | 'conditions'>;

type Handlers = ServiceHandlers<xmcast.v1.ConfigService>;
/** The generator gives the answers of ApplyConfig, RollbackConfig and ReloadConfig the same fields. */
type Applied = xmcast.v1.ApplyConfigResponse.$Properties;

const MAX_CHANGES = 1000;
const MAX_MESSAGE = 500;

export function configServiceHandlers(config: ConfigControl): Handlers {
  return {
    getConfig: guarded(async ({ revision }) => viewMessage(await config.get(revision ?? 0))),
    applyConfig: guarded(async (request) => appliedMessage(await config.apply(applyRequest(request)))),
    confirmConfig: guarded(async ({ revision }) => {
      const running = await config.confirm(revision ?? 0);
      return { revision: running.revision, etag: running.etag };
    }),
    rollbackConfig: guarded(async (request) =>
      appliedMessage(await config.rollback({ revision: request.revision ?? 0, ...commonRequest(request) })),
    ),
    listRevisions: guarded(async () => ({ revisions: (await config.revisions()).map(revisionMessage) })),
    reloadConfig: guarded(async ({ validateOnly, takeover }) =>
      appliedMessage(await config.reload({ validateOnly: validateOnly ?? false, takeover: takeover ?? false })),
    ),
  };
}

/** Refuses requests with fields of a newer schema, and gives refusals their status. */
function guarded<Request extends object, Response>(
  handler: (request: Request) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    ensureKnown(request);
    try {
      return await handler(request);
    } catch (error) {
      throw apiErrorOf(error);
    }
  };
}

function applyRequest(request: xmcast.v1.ApplyConfigRequest.$Properties): Parameters<ConfigControl['apply']>[0] {
  const common = commonRequest(request);
  return { ...common, content: readContent(request.config), author: 'api', takeover: request.takeover ?? false };
}

function commonRequest(request: Omit<xmcast.v1.RollbackConfigRequest.$Properties, 'revision'>) {
  return {
    etag: readWord('etag', request.etag ?? ''),
    validateOnly: request.validateOnly ?? false,
    requestId: readWord('request_id', request.requestId ?? ''),
    comment: readComment(request.comment ?? ''),
    confirmTimeoutMs: readConfirmTimeout(request.confirmTimeout),
  };
}

function readContent(config: xmcast.v1.Config.$Properties | null | undefined): Content {
  const given = xmcast.v1.Config.create(config ?? {});
  const problems = validateConfig(given);
  if (problems.length === 0) return contentOf(given);
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const first = problems[0] === undefined ? '' : `, first ${problems[0].path}: ${problems[0].message}`;
  throw new ConfigRefusal('CONFIG_INVALID', `the configuration has ${count}${first}`, { problems });
}

const STATUS: Readonly<Record<RefusalReason, status>> = {
  CONFIG_INVALID: status.INVALID_ARGUMENT,
  ETAG_MISMATCH: status.ABORTED,
  REQUEST_ID_REUSED: status.INVALID_ARGUMENT,
  UNCONFIRMED_REVISION: status.FAILED_PRECONDITION,
  NOTHING_TO_CONFIRM: status.FAILED_PRECONDITION,
  FILE_MANAGED: status.FAILED_PRECONDITION,
  API_MANAGED: status.FAILED_PRECONDITION,
  NO_FILE: status.FAILED_PRECONDITION,
  FILE_INVALID: status.FAILED_PRECONDITION,
  NO_SUCH_REVISION: status.NOT_FOUND,
  REVISION_DAMAGED: status.DATA_LOSS,
  TOO_MANY_WAITING: status.RESOURCE_EXHAUSTED,
  NOT_APPLIED: status.FAILED_PRECONDITION,
};

/** Also of refusals that other services share with this one. */
export function apiErrorOf(error: unknown): unknown {
  if (error instanceof ConfigRefusal) {
    return refusalError(error, STATUS[error.reason], (problem) => fieldOf(error.reason, problem));
  }
  if (error instanceof XmcastError) {
    const isFull = ['ENOSPC', 'EDQUOT'].includes(errorCode(error.cause));
    const rich = { reason: error.code, metadata: { hint: error.hint }, violations: [] };
    return new ApiError(isFull ? status.RESOURCE_EXHAUSTED : status.INTERNAL, messageText(error), rich);
  }
  return error;
}

/** Each problem is a violation of the field that it is about. */
export function refusalError(refusal: Refusal<string>, code: status, field: (problem: Problem) => string): ApiError {
  const { reason, metadata, problems } = refusal;
  const violations = problems.map((problem) => ({ field: field(problem), description: problem.message }));
  return new ApiError(code, messageText(refusal), { reason, metadata, violations });
}

/** Problems of a file have a place there, those of a request a field. */
function fieldOf(reason: RefusalReason, { path, line, column }: Problem): string {
  if (reason !== 'FILE_INVALID') return `config.${path}`;
  return line > 0 ? `${line}:${column}${path === '' ? '' : `: ${path}`}` : path;
}

/** What fits into a header. */
function messageText({ message }: Error): string {
  return headerText(message.length > MAX_MESSAGE ? `${message.slice(0, MAX_MESSAGE)}...` : message);
}

function viewMessage(view: ConfigView): xmcast.v1.GetConfigResponse.$Properties {
  const { running, mode, file, confirmDeadlineWallMs, restartPaths, lastError } = view;
  const source = mode === 'file' ? xmcast.v1.ConfigSource.CONFIG_SOURCE_FILE : xmcast.v1.ConfigSource.CONFIG_SOURCE_API;
  const { config, revision, etag } = running;
  return {
    config,
    revision,
    etag,
    source,
    file,
    restartPaths: [...restartPaths],
    lastError,
    ...deadlineField(confirmDeadlineWallMs),
  };
}

function appliedMessage({ revision, etag, changes, warnings, confirmDeadlineWallMs }: TransactionResult): Applied {
  return {
    revision,
    etag,
    changes: changes.slice(0, MAX_CHANGES).map(changeMessage),
    omittedChanges: Math.max(0, changes.length - MAX_CHANGES),
    warnings: [...warnings],
    ...deadlineField(confirmDeadlineWallMs),
  };
}

function deadlineField(wallMs: number | undefined): Pick<Applied, 'confirmDeadlineTime'> {
  return wallMs === undefined ? {} : { confirmDeadlineTime: toWireTime(wallMs) };
}

const { Effect } = xmcast.v1.ConfigChange;
const EFFECT = {
  none: Effect.EFFECT_NONE,
  live: Effect.EFFECT_LIVE,
  disruptive: Effect.EFFECT_DISRUPTIVE,
  restart: Effect.EFFECT_RESTART,
} as const;

function changeMessage({ path, before, after, effect, disrupts }: Change): xmcast.v1.ConfigChange.$Properties {
  return { path, before, after, effect: EFFECT[effect], disrupts };
}

const { State } = xmcast.v1.Revision;
const REVISION_STATE = {
  current: State.STATE_CURRENT,
  unconfirmed: State.STATE_UNCONFIRMED,
  applied: State.STATE_APPLIED,
  reverted: State.STATE_REVERTED,
  failed: State.STATE_FAILED,
  damaged: State.STATE_DAMAGED,
} as const;

function revisionMessage({
  id,
  state,
  createdWallMs,
  etag,
  comment,
  author,
  problem,
}: ListedRevision): xmcast.v1.Revision.$Properties {
  const createTime = createdWallMs === undefined ? {} : { createTime: toWireTime(createdWallMs) };
  return { revision: id, state: REVISION_STATE[state], etag, comment, author, problem, ...createTime };
}
