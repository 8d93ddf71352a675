/**
 * Debian's FRR in a namespace of a lab: zebra and pimd with sockets and configuration of their own, asked through vtysh. Runs as FRR's
 * own user, as it does in the field. Knows command lines and the shape of answers; judges nothing.
 */
import { chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../command';
import { eventually } from '../eventually';
import type { Lab } from '../lab';
import type { LabProcess } from '../lab-process';
import type { Namespace } from '../namespace';

const PROGRAMS = '/usr/lib/frr';
const USER = 'frr';
const START_TIMEOUT_MS = 10_000;

export interface FrrIgmp {
  /** Default 3. */
  readonly version?: 2 | 3;
  /** Whole seconds. Default 125. */
  readonly queryIntervalS?: number;
  /** Default 10. */
  readonly maxResponseS?: number;
}

export interface FrrInterface {
  readonly name: string;
  readonly igmp?: FrrIgmp;
  /** Also speaks PIM here: needed where streams come in. Default false. */
  readonly pim?: boolean;
}

export interface FrrStaticStream {
  readonly incoming: string;
  readonly outgoing: string;
  readonly source: string;
  readonly group: string;
}

export interface FrrOptions {
  readonly interfaces: readonly FrrInterface[];
  /** One of its own addresses: it is the rendezvous point of all groups then. Default: none, and only source-specific groups flow. */
  readonly rendezvousPoint?: string;
}

/** Of "show ip igmp interface NAME json", what tests read. */
export interface FrrIgmpInterface {
  readonly state: string;
  readonly address: string;
  /** "local" or "other". */
  readonly querier: string;
  readonly querierIp: string;
  readonly timerOtherQuerierPresentIntervalMsec: number;
}

export class Frr {
  readonly pimd: LabProcess;
  readonly zebra: LabProcess;
  readonly #directory: string;

  private constructor(directory: string, zebra: LabProcess, pimd: LabProcess) {
    this.#directory = directory;
    this.zebra = zebra;
    this.pimd = pimd;
  }

  /** Resolves when pimd serves every interface it was given. */
  static async start(lab: Lab, namespace: Namespace, options: FrrOptions): Promise<Frr> {
    const directory = await makeDirectory(lab, namespace);
    writeFileSync(join(directory, 'zebra.conf'), `hostname ${namespace.label}\n`);
    writeFileSync(join(directory, 'pimd.conf'), configuration(namespace, options));
    const launch = (daemon: string): LabProcess =>
      lab.spawn(namespace, daemonArguments(daemon, directory), { name: `${daemon} in ${namespace.label}` });
    const zebra = launch('zebra');
    await answers(zebra, directory);
    const frr = new Frr(directory, zebra, launch('pimd'));
    await answers(frr.pimd, directory);
    await eventually(() => frr.#serves(options.interfaces), {
      what: `pimd in ${namespace.label} serves its interfaces`,
      timeoutMs: START_TIMEOUT_MS,
    });
    return frr;
  }

  /** "ip igmp groups" → the answer of "show ip igmp groups json". The caller knows its shape. */
  async show<T>(what: string): Promise<T> {
    return JSON.parse(await vtysh(this.#directory, 'pimd', `show ${what} json`)) as T;
  }

  igmpInterface(name: string): Promise<FrrIgmpInterface> {
    return this.show<Record<string, FrrIgmpInterface>>(`ip igmp interface ${name}`).then((all) => {
      const found = all[name];
      if (found === undefined) throw new Error(`pimd has no interface ${name}`);
      return found;
    });
  }

  /**
   * Asks for the stream at an interface as a host does, and sends it on: what a static route and a static member are to FRR. It takes neither
   * from its file, which it reads before it knows its interfaces.
   */
  async joinAndForward({ incoming, outgoing, source, group }: FrrStaticStream): Promise<void> {
    const commands = ['configure terminal', `interface ${incoming}`, `ip igmp join ${group} ${source}`, `ip mroute ${outgoing} ${group} ${source}`];
    await vtysh(this.#directory, 'pimd', ...commands);
  }

  /** How many groups it knows members of, all interfaces together. */
  async groupCount(): Promise<number> {
    return (await this.show<{ readonly totalGroups: number }>('ip igmp groups')).totalGroups;
  }

  /** pimd first: it says good-bye through zebra. */
  async stop(): Promise<void> {
    await this.pimd.terminate();
    await this.zebra.terminate();
  }

  async #serves(interfaces: readonly FrrInterface[]): Promise<boolean> {
    if (this.pimd.hasExited) throw new Error(this.pimd.describeEnd());
    const igmp = await this.show<Record<string, { readonly state: string }>>('ip igmp interface');
    const pim = await this.show<Record<string, { readonly state: string }>>('ip pim interface');
    return interfaces.every(
      (wanted) =>
        (wanted.igmp === undefined || igmp[wanted.name]?.state === 'up') &&
        (wanted.pim !== true || pim[wanted.name]?.state === 'up'),
    );
  }
}

async function makeDirectory(lab: Lab, namespace: Namespace): Promise<string> {
  const directory = join(lab.directory, `frr-${namespace.label}`);
  mkdirSync(directory, { recursive: true });
  // The daemons give up root before they make their sockets.
  const [uid, gid] = await Promise.all(['-u', '-g'].map(async (option) => Number(await run(['id', option, USER]))));
  chownSync(directory, uid ?? 0, gid ?? 0);
  return directory;
}

function daemonArguments(daemon: string, directory: string): readonly string[] {
  const file = (suffix: string): string => join(directory, `${daemon}.${suffix}`);
  return [
    join(PROGRAMS, daemon),
    ...['-u', USER, '-g', USER, '-f', file('conf'), '-i', file('pid'), '-z', join(directory, 'zserv.api')],
    // Port 0: no telnet.
    ...['--vty_socket', directory, '-A', '127.0.0.1', '-P', '0', '--log', 'stdout', '--log-level', 'warnings'],
  ];
}

async function answers(child: LabProcess, directory: string): Promise<void> {
  const daemon = child.name.split(' ')[0] ?? '';
  await eventually(async () => child.hasExited || (await vtysh(directory, daemon, 'show version')) !== '', {
    what: `${child.name} answers`,
    timeoutMs: START_TIMEOUT_MS,
  });
  if (child.hasExited) throw new Error(`${child.describeEnd()}; stdout: ${child.stdout.slice(-2000)}`);
}

function vtysh(directory: string, daemon: string, ...commands: readonly string[]): Promise<string> {
  return run(['vtysh', '--vty_socket', directory, '-d', daemon, ...commands.flatMap((command) => ['-c', command])], { timeoutMs: 120_000 });
}

function configuration(namespace: Namespace, { interfaces, rendezvousPoint }: FrrOptions): string {
  const lines = [
    `hostname ${namespace.label}`,
    ...(rendezvousPoint === undefined ? [] : [`ip pim rp ${rendezvousPoint} 224.0.0.0/4`]),
    ...interfaces.flatMap(interfaceLines),
  ];
  return `${lines.join('\n')}\n`;
}

function interfaceLines({ name, igmp, pim }: FrrInterface): readonly string[] {
  const lines = [`interface ${name}`];
  if (pim === true) lines.push(' ip pim');
  if (igmp === undefined) return lines;
  // The response time first: the interval must not be shorter than it at any moment.
  lines.push(
    ' ip igmp',
    ` ip igmp version ${igmp.version ?? 3}`,
    ` ip igmp query-max-response-time ${(igmp.maxResponseS ?? 10) * 10}`,
  );
  lines.push(` ip igmp query-interval ${igmp.queryIntervalS ?? 125}`);
  return lines;
}
