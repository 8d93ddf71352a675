/**
 * The interfaces of an smcroute.conf: patterns replaced by the names there are, and which side of the router each one is on.
 */
import { printable } from '../config/printable';
import { MAX_INTERFACES, MAX_STATIC_ROUTE_DOWNSTREAMS } from '../config/ranges';
import type { Notes } from './import-result';
import { isPattern, type SmcFlow, type SmcPhyint, type SmcrouteFile, type SmcRoute } from './smcroute-read';

/** Names in one note. */
const MAX_SHOWN = 8;

export interface NamedFile {
  /** In order of appearance, each with the line it is first named in. */
  readonly names: ReadonlyMap<string, number>;
  readonly phyints: readonly SmcPhyint[];
  readonly joins: readonly SmcFlow[];
  readonly routes: readonly SmcRoute[];
  /** Something comes from it, and nothing goes to it. */
  readonly upstreams: ReadonlySet<string>;
}

export function withNames(file: SmcrouteFile, notes: Notes): NamedFile {
  const disabled = new Set(file.phyints.filter(({ isDisabled }) => isDisabled).map(({ name }) => name));
  const names = literalNames(file, disabled);
  const expand = expander([...names.keys()], notes);
  noteDisabled(file, names, notes);
  const phyints = file.phyints
    .filter(({ isDisabled }) => !isDisabled)
    .flatMap((item) => expand(item.name, item.line).map((name) => ({ ...item, name })));
  const joins = file.joins.flatMap((join) => expand(join.from, join.line).map((from) => ({ ...join, from })));
  const routes = expandRoutes(file.routes, expand, notes);
  const targets = new Set(routes.flatMap(({ to }) => to));
  const upstreams = new Set([...joins, ...routes].map(({ from }) => from).filter((name) => !targets.has(name)));
  return { names, phyints, joins, routes, upstreams };
}

type Expand = (pattern: string, line: number) => readonly string[];

function expander(names: readonly string[], notes: Notes): Expand {
  // More than there can be are refused in the end; a pattern need not look at them.
  const possible = names.slice(0, MAX_INTERFACES);
  return (pattern, line) => {
    if (!isPattern(pattern)) return [pattern];
    const matching = possible.filter((name) => name.startsWith(pattern.slice(0, -1)));
    const shown = matching.slice(0, MAX_SHOWN).map(printable).join(', ');
    const found =
      matching.length === 0
        ? 'matches no interface this file names; left out'
        : `stands for ${shown}${matching.length > MAX_SHOWN ? ` and ${matching.length - MAX_SHOWN} more` : ''}, which this file names`;
    notes.warning(line, `${printable(pattern)}: xmcast has no patterns; it ${found}. Add the others by name`);
    return matching;
  };
}

/** A pattern of many on both sides, line after line, would have no end. */
function expandRoutes(routes: readonly SmcRoute[], expand: Expand, notes: Notes): readonly SmcRoute[] {
  let copies = 0;
  return routes.flatMap((route) => {
    const from = expand(route.from, route.line);
    const to = [...new Set(route.to.flatMap((name) => expand(name, route.line)))];
    copies += from.length * Math.max(1, to.length);
    if (copies <= MAX_STATIC_ROUTE_DOWNSTREAMS)
      return from.map((name) => ({ ...route, from: name, to: to.filter((other) => other !== name) }));
    notes.error(
      route.line,
      `mroute: left out; all routes together have more than ${MAX_STATIC_ROUTE_DOWNSTREAMS} ways through the router`,
    );
    return [];
  });
}

/** A disabled one counts when a route or join names it all the same. */
function literalNames({ phyints, joins, routes }: SmcrouteFile, disabled: ReadonlySet<string>): Map<string, number> {
  const names = new Map<string, number>();
  const note = (name: string, line: number): void => {
    if (!isPattern(name) && !names.has(name)) names.set(name, line);
  };
  for (const { name, line } of phyints) if (!disabled.has(name)) note(name, line);
  for (const { from, line } of joins) note(from, line);
  for (const { from, to, line } of routes) for (const name of [from, ...to]) note(name, line);
  return names;
}

function noteDisabled({ phyints }: SmcrouteFile, names: ReadonlyMap<string, number>, notes: Notes): void {
  for (const { name, line } of phyints.filter(({ isDisabled }) => isDisabled)) {
    if (names.has(name))
      notes.warning(line, `phyint ${printable(name)}: disabled, but named by a route or group, so it is an interface of xmcast`);
    else notes.info(line, `phyint ${printable(name)}: disabled, so left out; xmcast leaves alone what is not named`);
  }
}
