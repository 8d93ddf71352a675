/**
 * Each field of a Config on its own: ranges of numbers and durations, lengths of lists, spelling of names, addresses and paths.
 */
import type { xmcast } from '#proto';
import { LOG_LEVELS, policersByClass } from './defaults';
import { listProblems, problem, rangeProblems, textProblems, valueProblems } from './field-rules';
import { DATAPLANE_RANGES, LIMITS_RANGES, MAX_INTERFACES, POLICER_BURST, POLICER_RATE, POLICER_TOTAL } from './ranges';
import type { Problem } from './settings';
import { keyPath } from './source-map';
import { listenFault, pathFault, wordFault } from './text-faults';
import { apiProblems } from './validate-api';
import { igmpProblems } from './validate-igmp';
import { interfaceProblems } from './validate-interface';
import { ssmMappingProblems, staticRoutesProblems } from './validate-static';

/** A path of the kernel has 4,096 bytes with its end; pins get names of up to 255 below the folder. */
const LONGEST_PIN_PATH = 3840;

export function fieldProblems(config: xmcast.v1.Config.$Properties): Problem[] {
  const policers = Object.entries(policersByClass(config.dataplane?.policers ?? {}));
  return [
    ...interfacesProblems(config.interfaces ?? []),
    ...igmpProblems(config.igmp, 'igmp'),
    ...rangeProblems(config.limits ?? {}, LIMITS_RANGES, 'limits'),
    ...textProblems('dataplane.pin_path', config.dataplane?.pinPath, (path) => pathFault(path, LONGEST_PIN_PATH)),
    ...policers.flatMap(([name, policer]) => policerProblems(policer, `dataplane.policers.${name}`)),
    ...rangeProblems(config.dataplane ?? {}, DATAPLANE_RANGES, 'dataplane'),
    ...apiProblems(config.api ?? {}),
    ...textProblems('metrics.listen', config.metrics?.listen, listenFault),
    ...textProblems('log_level', config.logLevel, (level) => wordFault(level, LOG_LEVELS)),
    ...staticRoutesProblems(config.staticRoutes),
    ...ssmMappingProblems(config.ssmMapping),
  ];
}

function interfacesProblems(interfaces: readonly xmcast.v1.InterfaceConfig.$Properties[]): Problem[] {
  if (interfaces.length === 0) return [problem('interfaces', 'none given; at least one is needed')];
  return listProblems('interfaces', interfaces, MAX_INTERFACES, interfaceProblems);
}

function policerProblems(policer: xmcast.v1.PolicerConfig.$Properties | undefined, path: string): Problem[] {
  if (policer === undefined) return [];
  const rate = policer.rate ?? 0;
  // Zero and "left out" are one thing on the wire.
  if (rate === 0) return [problem(keyPath(path, 'rate'), 'is 0 or left out; allowed is 1 to 1000000')];
  return [
    ...valueProblems(keyPath(path, 'rate'), rate, POLICER_RATE),
    ...valueProblems(keyPath(path, 'burst'), policer.burst, POLICER_BURST),
    ...valueProblems(keyPath(path, 'total'), policer.total, POLICER_TOTAL),
  ];
}
