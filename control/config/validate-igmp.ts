/**
 * The fields of IgmpConfig and IgmpHostConfig, each on its own.
 */
import type { xmcast } from '#proto';
import { multicastPrefixFault, reporterFault, routedGroupsFault, unicastPrefixFault } from './address-faults';
import { listProblems, optionalTextProblems, rangeProblems, textListProblems, textProblems } from './field-rules';
import { ACCESS_ACTIONS, QUICK_LEAVES } from './igmp-settings';
import { IGMP_RANGES, MAX_ACCESS_RULES, MAX_PREFIXES } from './ranges';
import type { Problem } from './settings';
import { keyPath } from './source-map';
import { wordFault } from './text-faults';

export function igmpProblems(igmp: xmcast.v1.IgmpConfig.$Properties | null | undefined, path: string): Problem[] {
  if (igmp === undefined || igmp === null) return [];
  return [
    ...rangeProblems(igmp, IGMP_RANGES, path),
    ...textProblems(keyPath(path, 'ssm_range'), igmp.ssmRange, routedGroupsFault),
    ...textProblems(keyPath(path, 'quick_leave'), igmp.quickLeave, (word) => wordFault(word, QUICK_LEAVES)),
    ...textListProblems(keyPath(path, 'limit_exceptions'), igmp.limitExceptions, MAX_PREFIXES, routedGroupsFault),
    ...textListProblems(keyPath(path, 'queriers'), igmp.queriers, MAX_PREFIXES, unicastPrefixFault),
    ...listProblems(keyPath(path, 'access'), igmp.access, MAX_ACCESS_RULES, accessRuleProblems),
  ];
}

function accessRuleProblems(rule: xmcast.v1.AccessRule.$Properties, path: string): Problem[] {
  return [
    ...textProblems(keyPath(path, 'action'), rule.action ?? '', (word) => wordFault(word, ACCESS_ACTIONS)),
    // A rule for groups that nobody can join is harmless.
    ...optionalTextProblems(keyPath(path, 'group'), rule.group, multicastPrefixFault),
    ...optionalTextProblems(keyPath(path, 'source'), rule.source, unicastPrefixFault),
    ...optionalTextProblems(keyPath(path, 'reporter'), rule.reporter, reporterFault),
  ];
}
