/**
 * The configured static routes as rules of the multicast routing base: those whose interfaces are there. Pure.
 */
import type { StaticRouteSettings } from '../config/settings';
import type { StaticRule } from '../mrib/static-rules';
import type { Port } from './port';

/** A route without its upstream, or without any of its downstream interfaces, replaces nothing until they come. */
export function activeRules(routes: readonly StaticRouteSettings[], ports: readonly Port[]): readonly StaticRule[] {
  if (routes.length === 0) return [];
  const usable = new Map(ports.filter((port) => port.usable).map((port) => [port.name, port.vport]));
  return routes.flatMap(({ group, source, upstream, downstreams, ttlThreshold }) => {
    const incoming = usable.get(upstream);
    const outgoing = downstreams.flatMap((name) => usable.get(name) ?? []).sort((a, b) => a - b);
    const isActive = incoming !== undefined && (outgoing.length > 0 || downstreams.length === 0);
    return isActive ? [{ group, source, incoming, outgoing, ttlThreshold }] : [];
  });
}
