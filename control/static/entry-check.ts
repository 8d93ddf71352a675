/**
 * Is an entry one that the router can follow? Each on its own, by the rules of the configuration; entries among each other are
 * update-plan.ts. Pure and total.
 */
import type { xmcast } from '#proto';
import { problem, requiredTextProblems } from '../config/field-rules';
import { printable } from '../config/printable';
import { routeNameProblems } from '../config/static-route-relations';
import type { Problem } from '../config/settings';
import { keyPath } from '../config/source-map';
import { staticGroupProblems } from '../config/validate-interface';
import { sourcesFault } from '../config/validate-relations';
import { staticRouteFieldProblems, staticRouteKeyProblems } from '../config/validate-static';
import { groupFault } from '../config/address-faults';
import { interfaceNameFault } from '../config/text-faults';
import { membershipFrom, routeFrom, type NameLists, type OwnedEntry, type OwnedMembership } from './entry';
import type { Surroundings } from './surroundings';

export interface CheckedEntry {
  /** undefined when there is any problem. */
  readonly entry: OwnedEntry | undefined;
  readonly problems: readonly Problem[];
}

export interface CheckContext {
  readonly owner: string;
  readonly lists: NameLists;
  /** undefined: the configuration may have changed since the entry was accepted, so its names do not matter. */
  readonly surroundings: Surroundings | undefined;
}

const NO_PROBLEMS: readonly Problem[] = [];
const NEITHER = 'has neither a route nor a membership; one is needed';

/** Paths of thousands of entries in which nothing is wrong would cost more than the look at them. */
export function checkEntry(message: xmcast.v1.StaticEntry.$Properties, pathOf: () => string, context: CheckContext): CheckedEntry {
  const checked = checkAt(message, '', context);
  return checked.problems.length === 0 ? checked : checkAt(message, pathOf(), context);
}

function checkAt({ route, membership }: xmcast.v1.StaticEntry.$Properties, path: string, context: CheckContext): CheckedEntry {
  if (route) return checkRoute(route, keyPath(path, 'route'), context);
  if (membership) return checkMembership(membership, keyPath(path, 'membership'), context);
  return { entry: undefined, problems: [problem(path, NEITHER)] };
}

export function keyProblems({ route, membership }: xmcast.v1.StaticEntryKey.$Properties, path: string): readonly Problem[] {
  if (route) return staticRouteKeyProblems(route, keyPath(path, 'route'));
  if (!membership) return [problem(path, NEITHER)];
  return [
    ...requiredTextProblems(keyPath(path, 'membership.interface'), membership.interface, interfaceNameFault),
    ...requiredTextProblems(keyPath(path, 'membership.group'), membership.group, groupFault),
  ];
}

function checkRoute(message: xmcast.v1.StaticRoute.$Properties, path: string, { owner, lists, surroundings }: CheckContext): CheckedEntry {
  const problems = staticRouteFieldProblems(message, path);
  if (problems.length > 0) return { entry: undefined, problems };
  const route = routeFrom(message, owner, lists);
  const nameProblems = surroundings === undefined ? NO_PROBLEMS : routeNameProblems(route, path, surroundings.names);
  return { entry: nameProblems.length > 0 ? undefined : { kind: 'route', route }, problems: nameProblems };
}

function checkMembership(message: xmcast.v1.StaticMembership.$Properties, path: string, { owner, lists, surroundings }: CheckContext): CheckedEntry {
  const problems = [...requiredTextProblems(keyPath(path, 'interface'), message.interface, interfaceNameFault), ...staticGroupProblems(message, path)];
  if (problems.length > 0) return { entry: undefined, problems };
  const membership = membershipFrom(message, owner, lists);
  const fault = surroundings === undefined ? undefined : placeFault(membership, path, surroundings);
  return { entry: fault === undefined ? { kind: 'membership', membership } : undefined, problems: fault === undefined ? [] : [fault] };
}

function placeFault(membership: OwnedMembership, path: string, surroundings: Surroundings): Problem | undefined {
  const unknown = surroundings.names.unknownFault(membership.interface);
  if (unknown !== undefined) return problem(keyPath(path, 'interface'), unknown);
  const ssmRange = surroundings.ssmRangeOf(membership.interface);
  if (ssmRange === undefined) {
    return problem(keyPath(path, 'interface'), `${printable(membership.interface)} is an upstream; only a downstream interface has memberships`);
  }
  const fault = sourcesFault(membership, ssmRange);
  return fault === undefined ? undefined : problem(keyPath(path, 'group'), fault);
}
