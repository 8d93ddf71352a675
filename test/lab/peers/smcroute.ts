/**
 * Debian's smcroute in a namespace of a lab: static routes through the kernel, and static joins as the kernel's host. Knows its command
 * lines; judges nothing.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command';
import { eventually } from '../eventually';
import { multicastVifs } from '../kernel-multicast';
import type { Lab } from '../lab';
import type { ExitStatus, LabProcess } from '../lab-process';
import type { Namespace } from '../namespace';

const DAEMON = '/usr/sbin/smcrouted';
const CONTROL = '/usr/sbin/smcroutectl';

export interface SmcrouteRoute {
  readonly incoming: string;
  readonly group: string;
  /** Default: any. */
  readonly source?: string;
  readonly outgoing: readonly string[];
}

export interface SmcrouteOptions {
  readonly interfaces: readonly string[];
  readonly routes?: readonly SmcrouteRoute[];
}

export class Smcroute {
  readonly process: LabProcess;
  readonly #socket: string;

  private constructor(child: LabProcess, socket: string) {
    this.process = child;
    this.#socket = socket;
  }

  /** Resolves when it answers and the kernel forwards for it on these interfaces. */
  static async start(lab: Lab, namespace: Namespace, options: SmcrouteOptions): Promise<Smcroute> {
    const file = (suffix: string): string => join(lab.directory, `smcroute-${namespace.label}.${suffix}`);
    writeFileSync(file('conf'), configuration(options));
    const argv = [DAEMON, '-n', '-N', '-f', file('conf'), '-P', file('pid'), '-u', file('sock')];
    const child = lab.spawn(namespace, argv, { name: `smcrouted in ${namespace.label}` });
    const smcroute = new Smcroute(child, file('sock'));
    await eventually(
      async () => {
        if (child.hasExited) return true;
        await smcroute.ctl('show', 'interfaces');
        return (await multicastVifs(namespace)).length === options.interfaces.length;
      },
      { what: `smcrouted in ${namespace.label} answers` },
    );
    if (child.hasExited) throw new Error(child.describeEnd());
    return smcroute;
  }

  /** A join of the kernel's host, for as long as the daemon runs. */
  async join(interfaceName: string, group: string, source?: string): Promise<void> {
    await this.ctl('join', interfaceName, ...(source === undefined ? [group] : [source, group]));
  }

  async leave(interfaceName: string, group: string, source?: string): Promise<void> {
    await this.ctl('leave', interfaceName, ...(source === undefined ? [group] : [source, group]));
  }

  ctl(...argv: readonly string[]): Promise<string> {
    return run([CONTROL, '-u', this.#socket, ...argv]);
  }

  stop(): Promise<ExitStatus> {
    return this.process.terminate();
  }
}

function configuration({ interfaces, routes = [] }: SmcrouteOptions): string {
  const lines = [
    ...interfaces.map((name) => `phyint ${name} enable`),
    ...routes.map(({ incoming, group, source, outgoing }) =>
      [
        `mroute from ${incoming}`,
        ...(source === undefined ? [] : [`source ${source}`]),
        `group ${group} to ${outgoing.join(' ')}`,
      ].join(' '),
    ),
  ];
  return `${lines.join('\n')}\n`;
}
