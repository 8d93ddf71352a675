/** One router under trials: how long after a report the stream is there, and how long after a leave it is gone. */
import type { Delays, JoinMethod, Zapper } from '../../lab/zapper';
import { createRouterBed, type RouterName } from '../peers/routers';
import { spreadMs, type Method, type Row } from './results';

export interface TrialOptions {
  readonly trials: number;
  readonly leaves: number;
  readonly version: 2 | 3;
  readonly streamPps: number;
}

/** No two trials share a group, so that none finds what another has left. */
const FIRST_GROUPS: Readonly<Record<Method | 'prime', string>> = {
  prime: '239.40.0.0',
  unknown: '239.41.0.0',
  known: '239.42.0.0',
  silent: '239.43.0.0',
  leave: '239.44.0.0',
};
export const JOIN_METHODS: readonly JoinMethod[] = ['unknown', 'known', 'silent'];
const WARM_MS = 30;
const JOIN_TIMEOUT_MS = 1000;
/** RFC 3918 3.1: first the same thing without measuring. */
const PRIMING_TRIALS = 20;
/** As many groups end at one time. */
const LEAVES_AT_ONCE = 100;
const LEAVE_TIMEOUT_MS = 30_000;

/** A router started for it. */
export async function measureRouter(
  router: RouterName,
  options: TrialOptions,
  progress: (row: Row) => void,
): Promise<readonly Row[]> {
  const bed = await createRouterBed(router, { groups: 3 * options.trials + options.leaves + PRIMING_TRIALS });
  try {
    const { source, host, other } = bed;
    const zapper = await bed.lab.zapper({ source, host, other, version: options.version });
    await joinTrials(zapper, 'unknown', { ...options, trials: PRIMING_TRIALS }, FIRST_GROUPS.prime);
    const rows: Row[] = [];
    for (const method of JOIN_METHODS)
      rows.push(rowOf(router, method, options.trials, await joinTrials(zapper, method, options, FIRST_GROUPS[method])));
    rows.forEach(progress);
    const left = rowOf(router, 'leave', options.leaves, await leaveTrials(zapper, options));
    progress(left);
    return [...rows, left];
  } finally {
    await bed.close();
  }
}

function joinTrials(
  zapper: Zapper,
  method: JoinMethod,
  { trials, streamPps }: TrialOptions,
  firstGroup: string,
): Promise<Delays> {
  return zapper.join({ method, firstGroup, count: trials, rate: streamPps, warmMs: WARM_MS, timeoutMs: JOIN_TIMEOUT_MS });
}

async function leaveTrials(zapper: Zapper, { leaves, streamPps }: TrialOptions): Promise<Delays> {
  const parts: Delays[] = [];
  for (let begun = 0; begun < leaves; begun += LEAVES_AT_ONCE) {
    const count = Math.min(LEAVES_AT_ONCE, leaves - begun);
    parts.push(
      await zapper.leave({
        firstGroup: groupAfter(FIRST_GROUPS.leave, begun / LEAVES_AT_ONCE),
        count,
        rate: streamPps,
        timeoutMs: LEAVE_TIMEOUT_MS,
      }),
    );
  }
  const add = (key: 'missing' | 'passed'): number => parts.reduce((sum, part) => sum + part[key], 0);
  return { delaysNs: parts.flatMap(({ delaysNs }) => delaysNs), missing: add('missing'), passed: add('passed') };
}

/** The n-th block of 256 groups. */
function groupAfter(first: string, n: number): string {
  const [a, b] = first.split('.');
  return [a, b, n, 0].join('.');
}

function rowOf(router: RouterName, method: Method, trials: number, { delaysNs, missing, passed }: Delays): Row {
  return { router, method, trials, missing, passed, delayMs: spreadMs(delaysNs) };
}
