/**
 * What an smcroute.conf says → Config: interfaces with their sides, static routes, and static memberships for what it joins.
 */
import type { xmcast } from '#proto';
import { indexPath } from '../config/source-map';
import type { Notes, Translation } from './import-result';
import { groupsByInterface, translateJoins } from './smcroute-joins';
import { withNames, type NamedFile } from './smcroute-names';
import { readSmcroute } from './smcroute-read';
import { translateRoutes } from './smcroute-routes';
import { StaticMemberships } from './static-memberships';

type InterfaceConfig = xmcast.v1.InterfaceConfig.$Properties;

export function translateSmcroute(text: string, notes: Notes): Translation {
  const file = withNames(readSmcroute(text, notes), notes);
  const memberships = new StaticMemberships([...file.names.keys()].filter((name) => !file.upstreams.has(name)));
  const { staticRoutes, lines, used } = translateRoutes(file.routes, memberships, notes);
  translateJoins(file.joins, { upstreams: file.upstreams, routes: used, memberships, notes });
  notes.info(
    0,
    'smcroute forwards by its routes alone, so igmp.access keeps the joins of hosts out here; leave it out to serve them as well',
  );
  notes.info(0, 'on interfaces that are no upstream xmcast takes part in IGMP as a querier; smcroute sends no queries');
  const interfaces = interfaceConfigs(file, memberships);
  noteThresholds(file, notes);
  return {
    config: { interfaces, igmp: { access: [{ action: 'deny' }] }, staticRoutes: [...staticRoutes] },
    lines: new Map([
      ...[...file.names.values()].map((line, index) => [indexPath('interfaces', index), line] as const),
      ...lines.map((line, index) => [indexPath('static_routes', index), line] as const),
    ]),
  };
}

function interfaceConfigs(
  { names, upstreams, phyints, joins, routes }: NamedFile,
  memberships: StaticMemberships,
): InterfaceConfig[] {
  const thresholds = new Map(phyints.flatMap(({ name, threshold = 1 }) => (threshold > 1 ? [[name, threshold] as const] : [])));
  // With one upstream there is nothing to divide.
  const groups = upstreams.size > 1 ? groupsByInterface([...joins, ...routes]) : new Map<string, ReadonlySet<string>>();
  return [...names.keys()].map((name) => {
    const item: InterfaceConfig = { name };
    const threshold = thresholds.get(name);
    if (threshold !== undefined) item.ttlThreshold = threshold;
    if (upstreams.has(name)) {
      item.upstream = true;
      item.upstreamGroups = [...(groups.get(name) ?? [])];
    }
    item.staticGroups = [...memberships.of(name)];
    return item;
  });
}

/** The kernel looks at the threshold of the interface a packet leaves by, and at no other. */
function noteThresholds({ phyints, upstreams }: NamedFile, notes: Notes): void {
  for (const { name, line, threshold } of phyints) {
    if (threshold === undefined || threshold === 1) continue;
    const text = `ttl-threshold ${threshold}: copies leave as before; also, a packet received here with a TTL below ${threshold} is dropped`;
    if (upstreams.has(name)) notes.warning(line, `${text}: check the TTL of the streams`);
    else notes.info(line, text);
  }
}
