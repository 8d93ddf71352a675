/**
 * xmcastd running in a namespace of a lab: started with a configuration, ready when this resolves, asked through its own API, command
 * line and metrics. What it pinned goes with the lab.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ApiClient } from '../../control/api/client';
import { run } from './command';
import { eventually } from './eventually';
import type { Lab } from './lab';
import type { ExitStatus, LabProcess } from './lab-process';
import type { Namespace } from './namespace';
import { inRepository } from './repository';
import { openFolder, rolesAreSplit, startDataplane, unprivileged, type DataplaneHalf } from './split-roles';

/** What the test decides; sockets and pins are the lab's. */
export interface DaemonConfig {
  readonly interfaces: readonly Record<string, unknown>[];
  readonly [section: string]: unknown;
}

export interface LaunchExtras {
  /** Arguments after --config. */
  readonly extra?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const METRICS_PORT = 9469;
const START_TIMEOUT_MS = 30_000;
const BPFFS = '/sys/fs/bpf';

export class Daemon {
  readonly socketPath: string;
  readonly pinPath: string;
  readonly client: ApiClient;
  /** From its start to the first answer of its API. */
  servedAfterMs = 0;
  /** undefined: both halves are one process. */
  readonly dataplane: DataplaneHalf | undefined;
  readonly #namespace: Namespace;
  readonly #spawn: () => LabProcess;
  #process: LabProcess;

  private constructor(namespace: Namespace, files: DaemonFiles, spawn: () => LabProcess, dataplane: DataplaneHalf | undefined) {
    this.#namespace = namespace;
    this.#spawn = spawn;
    this.#process = spawn();
    this.dataplane = dataplane;
    this.socketPath = files.socketPath;
    this.pinPath = files.pinPath;
    this.client = new ApiClient({ target: `unix://${files.socketPath}`, timeoutMs: 5000 });
  }

  /** Resolves when every interface that exists is attached. Fails with the daemon's own words when it ends instead. */
  static async start(lab: Lab, namespace: Namespace, config: DaemonConfig, extra: readonly string[] = []): Promise<Daemon> {
    const files = writeConfig(lab, namespace, config);
    const { command, dataplane } = rolesAreSplit() ? startSplit(lab, namespace, files, config) : { command: daemonArguments(files), dataplane: undefined };
    const daemon = new Daemon(namespace, files, () => lab.spawn(namespace, [...command, ...extra], { name: 'xmcastd' }), dataplane);
    lab.onClose(() => daemon.client.close());
    await daemon.ready();
    return daemon;
  }

  /** Of two halves the controller. */
  get process(): LabProcess {
    return this.#process;
  }

  /** Once more with the same command line, after it has ended. */
  async startAgain(): Promise<void> {
    this.#process = this.#spawn();
    await this.ready();
  }

  async ready(): Promise<void> {
    const startedMs = performance.now();
    await eventually(
      async () => {
        if (this.process.hasExited) return true;
        const { ready } = await this.client.getStatus();
        this.servedAfterMs ||= performance.now() - startedMs;
        return ready === true;
      },
      { what: `xmcastd in ${this.#namespace.label} is ready`, timeoutMs: START_TIMEOUT_MS, intervalMs: 50 },
    );
    if (this.process.hasExited) throw new Error(this.process.describeEnd());
  }

  /** Without waiting for anything: for starts that are to be cut short. One process, whatever the roles are. */
  static launch(lab: Lab, namespace: Namespace, config: DaemonConfig, { extra = [], env = {} }: LaunchExtras = {}): LabProcess {
    const files = writeConfig(lab, namespace, config);
    return lab.spawn(namespace, [...daemonArguments(files), ...extra], { name: 'xmcastd', env });
  }

  /** For daemons that are expected to fail: resolves with how they ended. */
  static async startFailing(
    lab: Lab,
    namespace: Namespace,
    config: DaemonConfig,
    extra: readonly string[] = [],
  ): Promise<LabProcess> {
    const child = Daemon.launch(lab, namespace, config, { extra });
    await eventually(() => child.hasExited, { what: 'xmcastd ends', timeoutMs: START_TIMEOUT_MS });
    return child;
  }

  /** What `xmcastctl -o json` prints. */
  async ctl<T>(...argv: readonly string[]): Promise<T> {
    return JSON.parse(await this.ctlText('-o', 'json', ...argv)) as T;
  }

  ctlText(...argv: readonly string[]): Promise<string> {
    return run([inRepository('deploy/bin/xmcastctl'), '--target', `unix://${this.socketPath}`, ...argv]);
  }

  /** The body of a scrape: the listener is on the loopback of the namespace. */
  metrics(path = '/metrics'): Promise<string> {
    const scrape = `fetch('http://127.0.0.1:${METRICS_PORT}${path}').then((r) => r.text()).then((t) => process.stdout.write(t))`;
    return this.#namespace.run([process.execPath, '-e', scrape]);
  }

  /** Of two halves both: forwarding ends. */
  async stop(): Promise<ExitStatus> {
    const status = await this.process.terminate({ graceMs: 10_000 });
    await this.dataplane?.process.terminate({ graceMs: 10_000 });
    return status;
  }
}

/** The data plane is started, and the controller's command line returned. */
function startSplit(lab: Lab, namespace: Namespace, files: DaemonFiles, config: DaemonConfig): { readonly command: readonly string[]; readonly dataplane: DataplaneHalf } {
  const limits = (config['limits'] ?? {}) as { readonly routes?: number; readonly replication_groups?: number };
  const dataplane = startDataplane(lab, namespace, {
    socketPath: join(lab.directory, `${namespace.label}-dp.sock`),
    pinPath: files.pinPath,
    maxRoutes: limits.routes,
    maxReplicationGroups: limits.replication_groups,
  });
  const target = ['--role', 'controller', '--dataplane', `unix://${dataplane.socketPath}`];
  return { command: [...unprivileged(), ...daemonArguments(files), ...target], dataplane };
}

interface DaemonFiles {
  readonly configPath: string;
  readonly socketPath: string;
  readonly pinPath: string;
}

function writeConfig(lab: Lab, namespace: Namespace, config: DaemonConfig): DaemonFiles {
  const files = {
    configPath: join(lab.directory, `${namespace.label}.yaml`),
    socketPath: join(rolesAreSplit() ? openFolder(lab, 'sockets') : lab.directory, `${namespace.label}.sock`),
    pinPath: `${BPFFS}/xmcast-${lab.id}-${namespace.label}`,
  };
  const { dataplane, interfaces, ...rest } = config;
  const document = {
    interfaces: inLabMode(interfaces),
    ...rest,
    dataplane: { pin_path: files.pinPath, ...(dataplane as object | undefined) },
    api: { socket: files.socketPath },
    ...pick(config),
  };
  writeFileSync(files.configPath, stringify(document));
  lab.removeOnClose(files.pinPath);
  return files;
}

/** Ends of veth pairs, which would run in tc mode if nothing were said. */
export function inLabMode(interfaces: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
  return interfaces.map((entry) => ({ mode: 'xdp', ...entry }));
}

/** Sections a test may set itself although the lab has a value for them. */
function pick(config: DaemonConfig): object {
  return Object.fromEntries(Object.entries(config).filter(([name]) => name === 'api'));
}

function daemonArguments(files: DaemonFiles): readonly string[] {
  return [inRepository('deploy/bin/xmcastd'), '--config', files.configPath];
}

/** A counter of a scrape: the value of the one sample with this name whose labels contain all of these. undefined when there is none. */
export function sample(exposition: string, name: string, labels: Readonly<Record<string, string>>): number | undefined {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const lines = exposition
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) && wanted.every((part) => line.includes(part)));
  if (lines.length > 1) throw new Error(`${lines.length} samples of ${name} have ${wanted.join()}`);
  const value = lines[0]?.split(' ').at(-1);
  return value === undefined ? undefined : Number(value);
}
