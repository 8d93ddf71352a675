/**
 * Entries of a watched list as they are some time after they came: what is an age has grown, what is a time left has shrunk. A stream sends
 * an entry when it changes, not because time passes.
 */
import type { google, xmcast } from '#proto';

import { fromWireTime, toWireTime } from '../api/wire-time';

type Route = xmcast.v1.Route.$Properties;
type Membership = xmcast.v1.Membership.$Properties;
type Neighbor = xmcast.v1.Neighbor.$Properties;
type Duration = google.protobuf.Duration.$Properties | null | undefined;

export function agedRoute(route: Route, byMs: number): Route {
  return { ...route, age: longer(route.age, byMs) };
}

export function agedNeighbor(neighbor: Neighbor, byMs: number): Neighbor {
  const { age, lastHeardAge, expiresIn } = neighbor;
  return { ...neighbor, age: longer(age, byMs), lastHeardAge: longer(lastHeardAge, byMs), expiresIn: longer(expiresIn, -byMs) };
}

export function agedMembership(entry: Membership, byMs: number): Membership {
  return {
    ...entry,
    age: longer(entry.age, byMs),
    expiresIn: longer(entry.expiresIn, -byMs),
    sources: (entry.sources ?? []).map((source) => ({ ...source, expiresIn: longer(source.expiresIn, -byMs) })),
    hosts: (entry.hosts ?? []).map((host) => ({
      ...host,
      age: longer(host.age, byMs),
      lastReportAge: longer(host.lastReportAge, byMs),
    })),
  };
}

/** Not below zero; what is absent stays absent. */
function longer(duration: Duration, byMs: number): ReturnType<typeof toWireTime> | null {
  const ms = fromWireTime(duration);
  return ms === undefined ? null : toWireTime(ms + byMs);
}
