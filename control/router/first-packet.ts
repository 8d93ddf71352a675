/** The packet that asked for a route: if it should have been forwarded it is, once, when the route is there. */
import type { Dataplane, Punt } from '../dataplane/api';
import { errorText } from '../errors';
import type { Log } from '../log';
import { isWanted, type RouteKey, type WantedRoute } from '../mrib/route';
import type { RouteSync } from './route-sync';

export interface FirstPacketParts {
  readonly dataplane: Dataplane;
  readonly routes: RouteSync;
  readonly log: Log;
}

/** `route`: what is wanted for it; it has been written. */
export function sendOn(punt: Punt, { source, group }: RouteKey, route: WantedRoute | undefined, { dataplane, routes, log }: FirstPacketParts): void {
  if (route === undefined || !isWanted(route) || route.incoming !== punt.vport || punt.frame.length < punt.frameBytes) return;
  if (routes.problemOf(route) !== '') return;
  dataplane.resend(punt, { source, group }).catch((error: unknown) => {
    log.debug({ error: errorText(error) }, 'send the first packet of a flow on');
  });
}
