/**
 * Config message → Settings: every default filled in; interfaces, IGMP, static entries and SSM mapping in files of their own.
 * Only for a Config that validateConfig() finds nothing wrong with.
 */
import { strict as assert } from 'node:assert';
import type { xmcast } from '#proto';
import { PUNT_CLASSES, type PolicerSettings, type PuntClass } from '../dataplane/api';
import { apiSettings } from './api-settings';
import { optionalMs } from './duration';
import { interfacesSettings } from './interface-settings';
import { parseListen } from './listen';
import type { Settings } from './settings';
import { ssmMappingSettings } from './ssm-settings';
import { staticRoutes } from './static-settings';

type PolicerConfig = xmcast.v1.PolicerConfig.$Properties;

const DEFAULTS = {
  limits: { routes: 16_384, replicationGroups: 512, sourceIdleMs: 210_000, memberships: 131_072, staticEntries: 131_072 },
  pinPath: '/sys/fs/bpf/xmcast',
  counterIntervalMs: 1_000,
  holdTimeMs: 900_000,
  keepOnStop: true,
  verifyIntervalMs: 5_000,
  policers: {
    igmp_report: { ratePps: 4000, burst: 4000, totalPps: 16_000 },
    igmp_query: { ratePps: 50, burst: 50, totalPps: 200 },
    pim: { ratePps: 2000, burst: 2000, totalPps: 8000 },
    new_source: { ratePps: 1000, burst: 2000, totalPps: 4000 },
    no_route: { ratePps: 1000, burst: 2000, totalPps: 4000 },
    wrong_interface: { ratePps: 100, burst: 100, totalPps: 400 },
  },
  metricsListen: '127.0.0.1:9469',
  logLevel: 'info',
} as const satisfies { readonly policers: Record<PuntClass, PolicerSettings>; readonly [name: string]: unknown };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly Settings['logLevel'][];

export function toSettings(config: xmcast.v1.Config.$Properties): Settings {
  return {
    interfaces: interfacesSettings(config.interfaces ?? [], config.igmp ?? {}),
    limits: {
      routes: config.limits?.routes ?? DEFAULTS.limits.routes,
      replicationGroups: config.limits?.replicationGroups ?? DEFAULTS.limits.replicationGroups,
      sourceIdleMs: optionalMs(config.limits?.sourceIdleTimeout) ?? DEFAULTS.limits.sourceIdleMs,
      memberships: config.limits?.memberships ?? DEFAULTS.limits.memberships,
      staticEntries: config.limits?.staticEntries ?? DEFAULTS.limits.staticEntries,
    },
    staticRoutes: staticRoutes(config.staticRoutes ?? []),
    ssmMapping: ssmMappingSettings(config.ssmMapping ?? {}),
    dataplane: {
      pinPath: config.dataplane?.pinPath ?? DEFAULTS.pinPath,
      policers: policerSettings(config.dataplane?.policers ?? {}),
      counterIntervalMs: optionalMs(config.dataplane?.counterInterval) ?? DEFAULTS.counterIntervalMs,
      holdTimeMs: optionalMs(config.dataplane?.holdTime) ?? DEFAULTS.holdTimeMs,
      keepOnStop: config.dataplane?.keepOnStop ?? DEFAULTS.keepOnStop,
      verifyIntervalMs: optionalMs(config.dataplane?.verifyInterval) ?? DEFAULTS.verifyIntervalMs,
    },
    api: apiSettings(config.api ?? {}),
    metrics: metricsSettings(config.metrics?.listen ?? DEFAULTS.metricsListen),
    logLevel: LOG_LEVELS.find((level) => level === config.logLevel) ?? DEFAULTS.logLevel,
  };
}

/** So many interfaces may use up their rate at once before the policer of all of them holds back. */
const DEFAULT_TOTAL_FACTOR = 4;

/** Every punt class with the policer it is given, if any. */
export function policersByClass(policers: xmcast.v1.PolicersConfig.$Properties): Record<PuntClass, PolicerConfig | undefined> {
  return {
    igmp_report: policers.igmpReport ?? undefined,
    igmp_query: policers.igmpQuery ?? undefined,
    pim: policers.pim ?? undefined,
    new_source: policers.newSource ?? undefined,
    no_route: policers.noRoute ?? undefined,
    wrong_interface: policers.wrongInterface ?? undefined,
  };
}

function policerSettings(policers: xmcast.v1.PolicersConfig.$Properties): Record<PuntClass, PolicerSettings> {
  const given = policersByClass(policers);
  const settings: Record<PuntClass, PolicerSettings> = { ...DEFAULTS.policers };
  for (const name of PUNT_CLASSES) {
    const policer = given[name];
    if (policer === undefined) continue;
    const ratePps = policer.rate ?? 0;
    // proto/xmcast/v1/config.proto: a burst of zero means as many as rate, a total of zero four times the rate.
    settings[name] = { ratePps, burst: policer.burst || ratePps, totalPps: policer.total || ratePps * DEFAULT_TOTAL_FACTOR };
  }
  return settings;
}

function metricsSettings(listen: string): Settings['metrics'] {
  const address = parseListen(listen);
  assert(address !== undefined, 'a validated configuration has a valid metrics.listen');
  return address === 'off' ? undefined : address;
}
