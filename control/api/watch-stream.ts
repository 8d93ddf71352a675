/**
 * How one Watch call is served, whatever its table: within the limit of watchers, its place as a token, its progress as a message.
 */
import { status } from '@grpc/grpc-js';

import type { xmcast } from '#proto';

import { ApiError } from './api-error';
import type { ResponseStream } from './define-service';
import { readResumeToken, writeResumeToken } from './resume-token';
import { StallError } from './streams';
import { toWire } from './u64';
import { type WatchBatch, WatchSession, type WatchOptions, type WatchPosition } from './watch-session';
import type { WatchTopic, WatchUsage } from './watch-usage';

type Progress = xmcast.v1.WatchProgress.$Properties;

export interface Watch<Key, State, Message> extends Omit<WatchOptions<Key, State>, 'send' | 'signal'> {
  readonly topic: WatchTopic;
  readonly query: readonly string[];
  /** undefined: this call has none. */
  readonly resumeToken: string | undefined;
  readonly message: (progress: Progress, batch: WatchBatch<Key, State>) => Message;
}

/** Resolves when the client is gone. */
export async function watch<Key, State, Message>(
  usage: WatchUsage,
  stream: ResponseStream<Message>,
  options: Watch<Key, State, Message>,
): Promise<void> {
  const { topic, resumeToken, message } = options;
  const query = [topic, ...options.query];
  const from = readResumeToken(resumeToken ?? '', query);
  const send = (batch: WatchBatch<Key, State>): Promise<void> => {
    if (batch.coalesced > 0) usage.coalesced(topic, batch.coalesced);
    const position = resumeToken === undefined ? undefined : batch.position;
    return stream.send(message(progressMessage({ ...batch, position }, query), batch));
  };
  const session = new WatchSession({ ...options, send, signal: stream.signal });
  await counted(usage, topic, () => session.run(from));
}

/** Within the limit of watchers. */
export async function counted(watchUsage: WatchUsage, topic: WatchTopic, run: () => Promise<void>): Promise<void> {
  if (!watchUsage.enter(topic)) {
    throw new ApiError(status.RESOURCE_EXHAUSTED, `${watchUsage.limit} streams are watched already (api.limits.watchers); end one, or list instead`);
  }
  try {
    await run();
  } catch (error) {
    if (error instanceof StallError) watchUsage.stalled(topic);
    throw error;
  } finally {
    watchUsage.leave(topic);
  }
}

interface Told {
  readonly reset: boolean;
  readonly synced: boolean;
  readonly position: WatchPosition | undefined;
  readonly coalesced: number;
}

export function progressMessage({ reset, synced, position, coalesced }: Told, query: readonly string[]): Progress {
  const resumeToken = position === undefined ? '' : writeResumeToken(position, query);
  return { reset, synced, resumeToken, coalescedCount: toWire(BigInt(coalesced)) };
}
