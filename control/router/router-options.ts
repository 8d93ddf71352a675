/** What a router is made of and told. */
import type { Settings } from '../config/settings';
import type { Dataplane } from '../dataplane/api';
import type { EventSink } from '../events';
import type { Clock } from '../kernel/clock';
import type { HostGroup } from '../kernel/host-groups';
import type { KernelView } from '../kernel/kernel-view';
import type { Log } from '../log';
import type { JoinOnHost } from './own-memberships';

export interface RouterOptions {
  readonly settings: Settings;
  readonly dataplane: Dataplane;
  readonly kernel: Pick<KernelView, 'link' | 'linkByIndex' | 'lookupRoute' | 'onChanges'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the log alone. */
  readonly events?: EventSink;
  /** 0 ≤ random() < 1, for delays of reports. Default Math.random. */
  readonly random?: () => number;
  /** Default: in this machine's kernel. */
  readonly joinOnHost?: JoinOnHost;
  /** The groups that this machine's kernel is in: the same array as long as they are the same. Default: none. */
  readonly readHostGroups?: () => Promise<readonly HostGroup[]>;
}
