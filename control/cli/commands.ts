/**
 * The commands of xmcastctl that show something, with their options and help. Calls nothing itself.
 */
import { type Command, Option } from 'commander';

import type { ApiClient } from '../api/client';

import { withExamples } from './examples';
import { flowsLive, interfacesLive, type MakeLive, membershipsLive, neighborsLive, reportsLive, routesLive, statusLive } from './live-views';
import { parseAddress, parseBoolean } from './options';
import { FLOW_ORDERS, MEMBERSHIP_ORDERS, REPORT_ORDERS, ROUTE_ORDERS, type SortFields } from './sort';
import {
  type Filters,
  type FlowOptions,
  flowsView,
  interfacesView,
  type ListOptions,
  type MembershipOptions,
  membershipsView,
  neighborsView,
  reportsView,
  routesView,
  statusView,
  type View,
} from './views';

export type MakeView<Options> = (client: ApiClient, options: Options) => Promise<View>;
/** Adds a command that shows a view once or, with --watch, again and again: from a stream where there is one. */
export type AddView = <Options>(name: string, description: string, makeView: MakeView<Options>, makeLive?: MakeLive<Options>) => Command;

const GROUP = ['-g, --group <prefix>', 'only groups in this prefix, e.g. 239.1.0.0/16 or 239.1.1.1'] as const;
const SOURCE = ['-s, --source <prefix>', 'only sources in this prefix'] as const;
const INTERFACE = ['-i, --interface <name>', 'only this interface'] as const;

export function addViews(add: AddView): void {
  addRouterViews(add);
  addMembershipViews(add);
  addTrafficViews(add);
}

function addRouterViews(add: AddView): void {
  withExamples(
    add('status', 'the daemon as a whole', (client) => statusView(client, Date.now), statusLive),
    ['xmcastctl status', 'whether it forwards, and what needs attention'],
    ['xmcastctl status -o json | jq -e .ready', 'exit status 0 when ready'],
  );
  withExamples(
    add<Filters>('interfaces', 'configured interfaces with counters', interfacesView, interfacesLive).option(
      '-i, --interface <name>',
      'everything about this one, with its counters by reason',
    ),
    ['xmcastctl interfaces', 'who asks on each link, and what passes'],
    ['xmcastctl interfaces -i eth1 -w', 'one link, live'],
  );
  withExamples(
    add<Filters>('neighbors', 'other multicast routers heard on each link', neighborsView, neighborsLive).option(...INTERFACE),
    ['xmcastctl neighbors', 'who else asks, and how long ago'],
  );
}

function addMembershipViews(add: AddView): void {
  withExamples(
    add<MembershipOptions>('memberships', 'what the hosts behind each interface listen to', membershipsView, membershipsLive)
      .option(...GROUP)
      .addOption(new Option('-s, --source <address>', 'only where a host named this source').argParser(parseAddress))
      .option(...INTERFACE)
      .option('--hosts', 'a line for each host')
      .addOption(sortOption(MEMBERSHIP_ORDERS))
      .addHelpText('after', '\nHOSTS with a "+": there may be more than are known. A source with a "-": not wanted.'),
    ['xmcastctl memberships --hosts -g 239.1.1.1', 'who listens to one group'],
    ['xmcastctl memberships --sort hosts', 'the most wanted groups first'],
  );
  withExamples(
    add<ListOptions>('reports', 'what is asked for at each upstream', reportsView, reportsLive)
      .option(...GROUP)
      .option(...INTERFACE)
      .addOption(sortOption(REPORT_ORDERS)),
    ['xmcastctl reports -i eth0', 'what the router behind eth0 is asked for'],
  );
}

function addTrafficViews(add: AddView): void {
  const ranges = '\nA range matches --group and --source where it overlaps them.';
  withExamples(
    add<ListOptions>('routes', 'the forwarding table', routesView, routesLive)
      .option(...GROUP)
      .option(...SOURCE)
      .option('-i, --interface <name>', 'only routes that come in or go out by this interface')
      .addOption(sortOption(ROUTE_ORDERS))
      .addHelpText('after', ranges),
    ['xmcastctl routes -g 239.1.1.1', 'everything that decides about one group'],
    ['xmcastctl routes -o jsonl | jq -c "select(.installed | not)"', 'what is not installed'],
  );
  withExamples(
    add<FlowOptions>('flows', 'counters and rates of each route', flowsView, flowsLive)
      .option(...GROUP)
      .option(...SOURCE)
      .option('-i, --interface <name>', 'only flows that come in or go out by this interface')
      .addOption(new Option('--fresh <boolean>', 'read the counters now').argParser(parseBoolean).default(true))
      .addOption(sortOption(FLOW_ORDERS))
      .addHelpText('after', ranges),
    ['xmcastctl flows --sort rate -w', 'the largest streams, live'],
    ['xmcastctl flows -i eth1 -o wide', 'what goes in and out by one interface, with every reason not to send'],
  );
}

/** Figures have the largest first. */
function sortOption<Item>(orders: SortFields<Item>): Option {
  return new Option('--sort <field>', 'order of the lines; figures have the largest first').choices(Object.keys(orders));
}
