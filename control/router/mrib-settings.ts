/**
 * Settings → what the multicast routing base is told of them.
 */
import type { Settings } from '../config/settings';
import type { MribSettings } from '../mrib/mrib';

/** Streams nobody wants get this share of the route table, each for half a minute. */
const UNWANTED_SHARE = 8;
const UNWANTED_LIFE_MS = 30_000;

export function mribSettings({ limits }: Settings): MribSettings {
  return {
    sourceIdleMs: limits.sourceIdleMs,
    maxLearntSources: limits.routes,
    unwantedLifeMs: UNWANTED_LIFE_MS,
    maxUnwanted: Math.floor(limits.routes / UNWANTED_SHARE),
  };
}
