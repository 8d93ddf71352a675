/**
 * xmcastd inside a process that also watches its event loop: all that the daemon has, by the way the daemon starts. Ends with its stdin.
 */
import { join } from 'node:path';
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { pino } from 'pino';
import { FileLock } from '#bindings';
import { nodeFileSystem } from '../../../control/config/file-system';
import { RevisionStore } from '../../../control/config/revision-store';
import { startingConfig } from '../../../control/config/starting-config';
import { startDaemon, type Daemon } from '../../../control/daemon';
import { bpfObjectPath } from '../../../control/paths';
import { serveRequests } from '../../lab/serve-requests';
import type { Answers, OpenRequest, Request, Watched } from './protocol';

const BEAT_MS = 1;
const NS_PER_MS = 1e6;

let daemon: Daemon | undefined;
let watching: { readonly beats: IntervalHistogram; readonly cpuUs: NodeJS.CpuUsage } | undefined;

async function open({ configPath, stateDir }: OpenRequest): Promise<void> {
  const log = pino({ level: 'warn' }, pino.destination(2));
  const state = { folder: stateDir, files: nodeFileSystem, lock: (folder: string) => new FileLock(folder), log };
  daemon = await startDaemon({
    starting: await startingConfig(configPath, state),
    remote: undefined,
    openStore: () => RevisionStore.open(state),
    entryStore: { ...state, folder: join(stateDir, 'static-entries') },
    bpfObjectPath: bpfObjectPath(),
    requireInterfaces: true,
    flush: false,
    onStopRequested: () => undefined,
    log,
  });
}

async function begin(): Promise<void> {
  const beats = monitorEventLoopDelay({ resolution: BEAT_MS });
  beats.enable();
  await pause(2 * BEAT_MS);
  beats.reset();
  watching = { beats, cpuUs: process.cpuUsage() };
}

async function end(): Promise<Watched> {
  if (watching === undefined) throw new Error('nothing is watched');
  const { beats, cpuUs } = watching;
  const used = process.cpuUsage(cpuUs);
  // The beat that comes after the work tells of its last piece.
  await pause(2 * BEAT_MS);
  beats.disable();
  watching = undefined;
  const beyondBeat = (ns: number): number => Math.max(0, ns / NS_PER_MS - BEAT_MS);
  return { stallMs: beyondBeat(beats.max), waitP99Ms: beyondBeat(beats.percentile(99)), cpuMs: (used.user + used.system) / 1000 };
}

/** Only what is still in use: the process was started with --expose-gc. */
function heap(): Answers['heap'] {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { bytes: heapUsed + arrayBuffers };
}

async function obey(request: Request): Promise<Answers[keyof Answers]> {
  switch (request.do) {
    case 'open':
      await open(request);
      return {};
    case 'begin':
      await begin();
      return {};
    case 'end':
      return end();
    case 'heap':
      return heap();
    case 'close':
      await daemon?.close();
      return {};
  }
}

void serveRequests<Request>(obey, () => daemon?.close());
