/**
 * Debian's igmpproxy in a namespace of a lab: forwards through the kernel, joins upstream with the kernel's own host side. Knows its
 * command line and where its state shows; judges nothing.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../eventually';
import { joinedGroups, multicastVifs } from '../kernel-multicast';
import { parseMfc, type KernelRouteCounters } from '../kernel-forwarder';
import type { Lab } from '../lab';
import type { ExitStatus, LabProcess } from '../lab-process';
import type { Namespace } from '../namespace';

const PROGRAM = '/usr/sbin/igmpproxy';

export interface IgmpproxyOptions {
  readonly upstream: string;
  readonly downstream: readonly string[];
  /** Its `quickleave`: leaves upstream as soon as the last downstream host it knows has left. Default false. */
  readonly quickLeave?: boolean;
}

export class Igmpproxy {
  readonly process: LabProcess;
  readonly #namespace: Namespace;
  readonly #upstream: string;

  private constructor(child: LabProcess, namespace: Namespace, upstream: string) {
    this.process = child;
    this.#namespace = namespace;
    this.#upstream = upstream;
  }

  /** Resolves when the kernel forwards for it on all its interfaces. */
  static async start(lab: Lab, namespace: Namespace, options: IgmpproxyOptions): Promise<Igmpproxy> {
    const file = join(lab.directory, `igmpproxy-${namespace.label}.conf`);
    writeFileSync(file, configuration(options));
    // -d: in the foreground, warnings on stderr. A daemon would leave the process group that the lab ends.
    const child = lab.spawn(namespace, [PROGRAM, '-d', file], { name: `igmpproxy in ${namespace.label}` });
    const wanted = 1 + options.downstream.length;
    await eventually(async () => child.hasExited || (await multicastVifs(namespace)).length === wanted, {
      what: `igmpproxy in ${namespace.label} has its interfaces`,
    });
    if (child.hasExited) throw new Error(child.describeEnd());
    return new Igmpproxy(child, namespace, options.upstream);
  }

  /** What it has joined upstream: one for each group it knows a downstream member of. */
  upstreamGroups(): Promise<readonly string[]> {
    return joinedGroups(this.#namespace, this.#upstream);
  }

  async routes(): Promise<readonly KernelRouteCounters[]> {
    return parseMfc(await this.#namespace.run(['cat', '/proc/net/ip_mr_cache']));
  }

  stop(): Promise<ExitStatus> {
    return this.process.terminate();
  }
}

/** Sources may be anywhere: the test decides who sends. */
function configuration({ upstream, downstream, quickLeave }: IgmpproxyOptions): string {
  const lines = [
    ...(quickLeave === true ? ['quickleave'] : []),
    `phyint ${upstream} upstream ratelimit 0 threshold 1`,
    'altnet 0.0.0.0/0',
    ...downstream.map((name) => `phyint ${name} downstream ratelimit 0 threshold 1`),
  ];
  return `${lines.join('\n')}\n`;
}
