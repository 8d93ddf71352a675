/**
 * Config message → Settings: every default filled in, interface overrides laid over the common values. Only for a Config that
 * validateConfig() finds nothing wrong with.
 */
import { strict as assert } from 'node:assert';
import type { google, xmcast } from '#proto';
import { PUNT_CLASSES, type PolicerSettings, type PuntClass } from '../dataplane/api';
import { parsePrefix, type Ipv4Prefix } from '../protocol/packet/address';
import { durationMs } from './duration';
import { parseListen } from './listen';
import type { InterfaceSettings, Settings } from './settings';

type IgmpConfig = xmcast.v1.IgmpConfig.$Properties;
type PolicerConfig = xmcast.v1.PolicerConfig.$Properties;
type IgmpSettings = InterfaceSettings['igmp'];

/** Timers and counts are those of RFC 3376 §8; what has a formula there is derived where it is used. */
export const DEFAULTS = {
  ttlThreshold: 1,
  igmp: {
    version: 3,
    robustness: 2,
    queryIntervalMs: 125_000,
    queryResponseIntervalMs: 10_000,
    lastMemberQueryIntervalMs: 1_000,
    maxGroups: 4096,
    maxSourcesPerGroup: 128,
    acceptOffSubnet: false,
    requireRouterAlert: false,
    ssmRange: '232.0.0.0/8',
  },
  limits: { routes: 16_384, replicationGroups: 512, sourceIdleMs: 210_000 },
  pinPath: '/sys/fs/bpf/xmcast',
  counterIntervalMs: 1_000,
  policers: {
    igmp_report: { ratePps: 4000, burst: 4000, totalPps: 16_000 },
    igmp_query: { ratePps: 50, burst: 50, totalPps: 200 },
    pim: { ratePps: 2000, burst: 2000, totalPps: 8000 },
    new_source: { ratePps: 1000, burst: 1000, totalPps: 4000 },
    no_route: { ratePps: 1000, burst: 1000, totalPps: 4000 },
    wrong_interface: { ratePps: 100, burst: 100, totalPps: 400 },
  },
  socketPath: '/run/xmcast/control.sock',
  metricsListen: '127.0.0.1:9469',
  logLevel: 'info',
} as const satisfies { readonly policers: Record<PuntClass, PolicerSettings>; readonly [name: string]: unknown };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const satisfies readonly Settings['logLevel'][];

export function toSettings(config: xmcast.v1.Config.$Properties): Settings {
  return {
    interfaces: (config.interfaces ?? []).map((item) => interfaceSettings(item, config.igmp ?? {})),
    limits: {
      routes: config.limits?.routes ?? DEFAULTS.limits.routes,
      replicationGroups: config.limits?.replicationGroups ?? DEFAULTS.limits.replicationGroups,
      sourceIdleMs: ms(config.limits?.sourceIdleTimeout) ?? DEFAULTS.limits.sourceIdleMs,
    },
    dataplane: {
      pinPath: config.dataplane?.pinPath ?? DEFAULTS.pinPath,
      policers: policerSettings(config.dataplane?.policers ?? {}),
      counterIntervalMs: ms(config.dataplane?.counterInterval) ?? DEFAULTS.counterIntervalMs,
    },
    api: { socketPath: config.api?.socket ?? DEFAULTS.socketPath },
    metrics: metricsSettings(config.metrics?.listen ?? DEFAULTS.metricsListen),
    logLevel: LOG_LEVELS.find((level) => level === config.logLevel) ?? DEFAULTS.logLevel,
  };
}

/** What holds on an interface with these overrides. Also asked by the rules between fields. */
export function igmpSettings(common: IgmpConfig, override: IgmpConfig): IgmpSettings {
  const igmp = overlay(common, override);
  const robustness = igmp.robustness ?? DEFAULTS.igmp.robustness;
  const queryIntervalMs = ms(igmp.queryInterval) ?? DEFAULTS.igmp.queryIntervalMs;
  const ssmRange = validPrefix(igmp.ssmRange ?? DEFAULTS.igmp.ssmRange);
  return {
    version: igmp.version === 1 || igmp.version === 2 ? igmp.version : DEFAULTS.igmp.version,
    timing: {
      robustness,
      queryIntervalMs,
      queryResponseIntervalMs: ms(igmp.queryResponseInterval) ?? DEFAULTS.igmp.queryResponseIntervalMs,
      lastMemberQueryIntervalMs: ms(igmp.lastMemberQueryInterval) ?? DEFAULTS.igmp.lastMemberQueryIntervalMs,
      lastMemberQueryCount: igmp.lastMemberQueryCount ?? robustness,
      startupQueryIntervalMs: ms(igmp.startupQueryInterval) ?? defaultStartupIntervalMs(queryIntervalMs),
      startupQueryCount: igmp.startupQueryCount ?? robustness,
    },
    limits: {
      groups: igmp.maxGroups ?? DEFAULTS.igmp.maxGroups,
      sourcesPerGroup: igmp.maxSourcesPerGroup ?? DEFAULTS.igmp.maxSourcesPerGroup,
    },
    acceptOffSubnet: igmp.acceptOffSubnet ?? DEFAULTS.igmp.acceptOffSubnet,
    requireRouterAlert: igmp.requireRouterAlert ?? DEFAULTS.igmp.requireRouterAlert,
    ssmRange,
  };
}

/** RFC 3376 §8.6: a quarter of the query interval; never below the second that is the floor of every query timer. */
function defaultStartupIntervalMs(queryIntervalMs: number): number {
  return Math.max(1_000, Math.floor(queryIntervalMs / 4));
}

function interfaceSettings(item: xmcast.v1.InterfaceConfig.$Properties, common: IgmpConfig): InterfaceSettings {
  return {
    name: item.name ?? '',
    upstream: item.upstream ?? false,
    ttlThreshold: item.ttlThreshold ?? DEFAULTS.ttlThreshold,
    boundaries: (item.boundaries ?? []).map(validPrefix),
    igmp: igmpSettings(common, item.igmp ?? {}),
  };
}

/** So many interfaces may use up their rate at once before the policer of all of them holds back. */
const DEFAULT_TOTAL_FACTOR = 4;

/** Field by field: unset ones (undefined, or null as the message classes have it) let the common value show. */
function overlay(common: IgmpConfig, override: IgmpConfig): IgmpConfig {
  const set = Object.entries(override).filter(([, value]) => value !== undefined && value !== null);
  return { ...common, ...Object.fromEntries(set) };
}

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

function validPrefix(text: string): Ipv4Prefix {
  const prefix = parsePrefix(text);
  assert(prefix !== undefined, 'a validated configuration has valid prefixes');
  return prefix;
}

function metricsSettings(listen: string): Settings['metrics'] {
  const address = parseListen(listen);
  assert(address !== undefined, 'a validated configuration has a valid metrics.listen');
  return address === 'off' ? undefined : address;
}

function ms(duration: google.protobuf.Duration.$Properties | null | undefined): number | undefined {
  return duration === undefined || duration === null ? undefined : durationMs(duration);
}
