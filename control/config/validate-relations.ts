/**
 * Rules between the fields of a Config whose fields are right one by one: interfaces among each other, what only one side of the
 * router has, groups that are given twice. Timers and static routes have files of their own.
 */
import type { xmcast } from '#proto';
import type { StaticGroup } from '../protocol/igmp/router/api';
import { formatIpv4, formatPrefix, parsePrefix, prefixContains, type Ipv4Prefix } from '../protocol/packet/address';
import { problem } from './field-rules';
import { overlayIgmp, ssmRangeOf, type IgmpConfig } from './igmp-settings';
import { NameBook } from './name-book';
import { printable } from './printable';
import type { Problem } from './settings';
import { indexPath, keyPath } from './source-map';
import { staticRouteProblems } from './static-route-relations';
import { staticGroups } from './static-settings';
import { trunkProblems } from './trunk-rules';
import { timingProblems } from './validate-timing';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

export function relationProblems(config: xmcast.v1.Config.$Properties): Problem[] {
  const interfaces = config.interfaces ?? [];
  const names = new NameBook(interfaces.map(({ name }) => name ?? ''));
  return [
    ...duplicateNames(interfaces),
    ...trunkProblems(interfaces),
    ...interfaces.flatMap((item, index) => roleProblems(item, indexPath('interfaces', index))),
    ...interfaces.flatMap((item, index) => memberProblems(item, config.igmp ?? {}, indexPath('interfaces', index))),
    ...timingProblems(config),
    ...staticRouteProblems(config, names),
    ...duplicateGroups('ssm_mapping.static', config.ssmMapping?.static ?? []),
  ];
}

function duplicateNames(interfaces: readonly InterfaceConfig[]): Problem[] {
  const first = new Map<string, number>();
  const problems: Problem[] = [];
  for (const [index, { name }] of interfaces.entries()) {
    const earlier = first.get(name ?? '');
    if (earlier === undefined) first.set(name ?? '', index);
    else
      problems.push(
        problem(`${indexPath('interfaces', index)}.name`, `${printable(name ?? '')} is already interfaces[${earlier}]`),
      );
  }
  return problems;
}

/** What means nothing on this side of the router was meant for an interface of the other. */
function roleProblems(item: InterfaceConfig, path: string): Problem[] {
  if (item.upstream === true) {
    if (!item.staticGroups?.length) return [];
    return [problem(keyPath(path, 'static_groups'), 'only a downstream interface has memberships; upstream is true here')];
  }
  const given = {
    upstream_groups: Boolean(item.upstreamGroups?.length),
    upstream_sources: Boolean(item.upstreamSources?.length),
    upstream_priority: (item.upstreamPriority ?? undefined) !== undefined,
    igmp_host: (item.igmpHost ?? undefined) !== undefined,
  };
  return Object.entries(given)
    .filter(([, isGiven]) => isGiven)
    .map(([key]) => problem(keyPath(path, key), 'only an upstream has it; give "upstream: true" beside it, or leave it out'));
}

function memberProblems(item: InterfaceConfig, common: IgmpConfig, path: string): Problem[] {
  const [staticGiven, joinGiven] = [item.staticGroups ?? [], item.joinGroups ?? []];
  if (staticGiven.length + joinGiven.length === 0) return [];
  const ssmRange = ssmRangeOf(overlayIgmp(common, item.igmp ?? {}));
  return [
    ...groupListProblems(staticGiven, ssmRange, keyPath(path, 'static_groups')),
    ...groupListProblems(joinGiven, ssmRange, keyPath(path, 'join_groups')),
  ];
}

function groupListProblems(given: readonly xmcast.v1.StaticGroup.$Properties[], ssmRange: Ipv4Prefix, groupsPath: string): Problem[] {
  const withoutSources = staticGroups(given).flatMap(({ group, sources }, index) => {
    const message = sourcesFault({ group, sources }, ssmRange);
    return message === undefined ? [] : [problem(keyPath(indexPath(groupsPath, index), 'group'), message)];
  });
  return [...duplicateGroups(groupsPath, given), ...withoutSources];
}

/** RFC 4607 §1: in the source-specific range there is no group without a source. */
export function sourcesFault({ group, sources }: StaticGroup, ssmRange: Ipv4Prefix): string | undefined {
  if (sources.length > 0 || !prefixContains(ssmRange, group)) return undefined;
  return `${printable(formatIpv4(group))} is in the source-specific range ${formatPrefix(ssmRange)}; give its sources`;
}

function duplicateGroups(path: string, entries: readonly { readonly group?: string | null }[]): Problem[] {
  const first = new Map<string, number>();
  return entries.flatMap(({ group }, index) => {
    // 232.1.1.1 and 232.1.1.1/32 are one.
    const prefix = parsePrefix(group ?? '');
    const key = prefix === undefined ? '' : formatPrefix(prefix);
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, index);
    const message = `${printable(group ?? '')} is already ${indexPath(path, earlier ?? 0)}`;
    return earlier === undefined ? [] : [problem(keyPath(indexPath(path, index), 'group'), message)];
  });
}
