/**
 * A configuration manager over a simulated disk, with a router that records what it was made to follow. Time stands still until told
 * otherwise.
 */
import { checkConfigText } from '../../../control/config/check';
import { ConfigManager, type RollbackRequest } from '../../../control/config/config-manager';
import type { FileSystem } from '../../../control/config/file-system';
import { contentOf, type Content } from '../../../control/config/revision';
import { RevisionStore, type RevisionStoreOptions } from '../../../control/config/revision-store';
import type { Settings } from '../../../control/config/settings';
import { startingConfig, type StartingConfig } from '../../../control/config/starting-config';
import type { ApplyRequest } from '../../../control/config/transaction';
import { RecordedLog } from '../api/recorded-log';
import { VirtualClock } from '../kernel/virtual-clock';
import { SimulatedDisk } from './simulated-disk';

export const FOLDER = '/var/lib/xmcast';

export function content(yaml: string): Content {
  const { config, problems } = checkConfigText(yaml);
  if (config === undefined) throw new Error(JSON.stringify(problems));
  return contentOf(config);
}

/** Configurations that differ in one figure. */
export function numbered(threshold: number): Content {
  return content(`interfaces: [{name: eth0, upstream: true}, {name: eth1, ttl_threshold: ${threshold}}]`);
}

export function request(of: Content, more: Partial<ApplyRequest> = {}): ApplyRequest {
  const common = { etag: '', validateOnly: false, requestId: '', comment: '', author: 'api', confirmTimeoutMs: undefined, takeover: false };
  return { ...common, content: of, ...more };
}

export function rollback(revision: number, more: Partial<RollbackRequest> = {}): RollbackRequest {
  return { revision, etag: '', validateOnly: false, requestId: '', comment: '', confirmTimeoutMs: undefined, ...more };
}

export class FakeRouter {
  readonly followed: Settings[] = [];
  /** Makes the next calls fail, the first one first. */
  readonly refusals: (Error | undefined)[] = [];

  async reconfigure(settings: Settings): Promise<void> {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) throw refusal;
    this.followed.push(settings);
  }

  /** ttl_threshold of eth1. */
  get runs(): number | undefined {
    return this.followed.at(-1)?.interfaces[1]?.ttlThreshold;
  }
}

export interface Bench {
  readonly manager: ConfigManager;
  readonly starting: StartingConfig;
  readonly router: FakeRouter;
  readonly clock: VirtualClock;
  readonly log: RecordedLog;
}

export function storeOptions(files: FileSystem, log = new RecordedLog(), folder = FOLDER): RevisionStoreOptions {
  return { folder, files, log, lock: () => ({ close: () => undefined }) };
}

export interface BenchOptions {
  readonly disk?: FileSystem;
  readonly folder?: string;
  /** A path of the real file system, of a file-managed daemon. */
  readonly file?: string;
  /** What the file holds when it is read again. */
  readonly readFile?: (path: string) => Promise<Content>;
  readonly missing?: readonly string[];
}

/** As the daemon starts. */
export async function start({ disk = new SimulatedDisk(), folder, file, readFile, missing = [] }: BenchOptions = {}): Promise<Bench> {
  const log = new RecordedLog();
  const options = storeOptions(disk, log, folder);
  const starting = await startingConfig(file, options);
  const router = new FakeRouter();
  const clock = new VirtualClock();
  const manager = new ConfigManager({
    started: starting,
    store: starting.store,
    openStore: () => RevisionStore.open(options),
    file: starting.file,
    readFile: readFile ?? (() => Promise.reject(new Error('no file'))),
    router,
    interfaceExists: (name) => !missing.includes(name),
    clock,
    log,
  });
  return { manager, starting, router, clock, log };
}

/** The ttl_threshold of eth1 that a daemon started on this disk would run; 0: it would wait for its first configuration. */
export async function restarted(disk: FileSystem, folder?: string): Promise<number> {
  const { starting, manager } = await start({ disk, ...(folder === undefined ? {} : { folder }) });
  await manager.close();
  const { interfaces } = starting.running.config;
  if (interfaces.length === 0) return 0;
  if (interfaces.length !== 2) throw new Error('a configuration of which a part is missing');
  return interfaces[1]?.ttlThreshold ?? 1;
}
