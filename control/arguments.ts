/**
 * The command line of xmcastd: what it means, and what does not go together.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, toSettings } from './config/defaults';
import { LIMITS_RANGES } from './config/ranges';
import { XmcastError } from './errors';
import { bpfObjectPath, productVersion } from './paths';

export const ROLES = ['all', 'dataplane', 'controller'] as const;
export type Role = (typeof ROLES)[number];

export interface Arguments {
  readonly role: Role;
  readonly config?: string;
  readonly stateDir: string;
  readonly check: boolean;
  readonly requireInterfaces: boolean;
  readonly bpfObject: string;
  readonly flush: boolean;
  readonly detach: boolean;
  /** Role dataplane, and with --detach. */
  readonly pinPath?: string;
  /** Role controller. */
  readonly dataplane: string;
  readonly electionId: bigint;
  /** Role dataplane. */
  readonly dataplaneSocket: string;
  readonly dataplaneListen?: string;
  readonly allow?: readonly string[];
  readonly allowRead?: readonly string[];
  readonly detachOnStop: boolean;
  readonly maxRoutes: number;
  readonly maxReplicationGroups: number;
  readonly logLevel: string;
  /** Both of the roles apart, for TCP between them. */
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

const DEFAULT_STATE_DIR = '/var/lib/xmcast';
const DEFAULT_DATAPLANE_SOCKET = '/run/xmcast/dataplane.sock';
const MAX_ELECTION_ID = 0xffff_ffff_ffff_ffffn;

/** Options that only make sense in these roles. The others refuse them, instead of leaving them without effect. */
const ROLES_OF: Readonly<Record<string, readonly Role[]>> = {
  config: ['all', 'controller'],
  stateDir: ['all', 'controller'],
  check: ['all', 'controller'],
  requireInterfaces: ['all', 'controller'],
  bpfObject: ['all', 'dataplane'],
  flush: ['all', 'dataplane'],
  detach: ['all', 'dataplane'],
  dataplane: ['controller'],
  electionId: ['controller'],
  tlsServerName: ['controller'],
  tlsCa: ['dataplane', 'controller'],
  tlsCert: ['dataplane', 'controller'],
  tlsKey: ['dataplane', 'controller'],
  dataplaneSocket: ['dataplane'],
  dataplaneListen: ['dataplane'],
  allow: ['dataplane'],
  allowRead: ['dataplane'],
  detachOnStop: ['dataplane'],
  pinPath: ['all', 'dataplane'],
  maxRoutes: ['dataplane'],
  maxReplicationGroups: ['dataplane'],
  logLevel: ['dataplane'],
};

/** Throws CommanderError when it has printed what there is to say, XM_USAGE for what does not go together. */
export function parseArguments(argv: readonly string[]): Arguments {
  const command = daemonCommand();
  command.parse(argv, { from: 'user' });
  const options = command.opts<Arguments>();
  for (const [name, roles] of Object.entries(ROLES_OF)) {
    const isGiven = command.getOptionValueSource(name) === 'cli';
    if (isGiven && !roles.includes(options.role)) throw misplaced(command, name, options.role);
  }
  if (options.role === 'all' && options.pinPath !== undefined && !options.detach) {
    throw new XmcastError('XM_USAGE', 'use --pin-path without --detach: it has no meaning there', { hint: 'The configuration has dataplane.pin_path.' });
  }
  return options;
}

/** Also what the manual page is made of. */
export function daemonCommand(): Command {
  const { limits } = toSettings({});
  return new Command('xmcastd')
    .description('Multicast router: forwards in eBPF, speaks IGMP, serves gRPC and Prometheus.')
    .addOption(new Option('--role <role>', 'both halves in one process, the forwarder alone, or the controller alone').choices(ROLES).default('all'))
    .option('-c, --config <file>', 'configuration file; without it the API configures xmcastd, and the state folder keeps what it applied')
    .option('--state-dir <folder>', 'state folder; also STATE_DIRECTORY', stateDirFromEnvironment())
    .option('--check', 'check the configuration file and exit', false)
    .option('--require-interfaces', 'fail when a configured interface does not exist, instead of waiting for it', false)
    .addOption(new Option('--bpf-object <file>', 'eBPF object to load').default(bpfObjectPath(), 'the one that was built with it'))
    .option('--flush', 'begin with nothing, whatever a daemon before this one has left forwarding', false)
    .option('--detach', 'when no daemon runs: end what one has left forwarding, remove every trace of it, and exit', false)
    .option('--pin-path <folder>', 'role dataplane: folder on a bpffs for its pins; with --detach: the one to clear, instead of a configuration')
    .option('--dataplane <target>', 'role controller: the data plane to drive', `unix://${DEFAULT_DATAPLANE_SOCKET}`)
    .addOption(new Option('--election-id <n>', 'role controller: of several the one with the highest drives the data plane').argParser(electionId).default(1n, '1'))
    .option('--dataplane-socket <path>', 'role dataplane: where controllers connect', DEFAULT_DATAPLANE_SOCKET)
    .option('--dataplane-listen <address:port>', 'role dataplane: also TCP, for controllers with certificates')
    .option('--allow <name...>', 'role dataplane: names in certificates of controllers that may drive, with "*"')
    .option('--allow-read <name...>', 'role dataplane: names in certificates of clients that may only read')
    .option('--tls-ca <file>', 'TCP between the roles: authorities of the other end, PEM')
    .option('--tls-cert <file>', 'TCP between the roles: certificate of this end, PEM')
    .option('--tls-key <file>', 'TCP between the roles: its key, PEM')
    .option('--tls-server-name <name>', 'role controller: name in the data plane\'s certificate, where it is not the host of the target')
    .option('--detach-on-stop', 'role dataplane: a signal ends forwarding too', false)
    .option('--max-routes <n>', 'role dataplane: room for routes', within(LIMITS_RANGES.routes), limits.routes)
    .option('--max-replication-groups <n>', 'role dataplane: room for distinct outgoing sets', within(LIMITS_RANGES.replicationGroups), limits.replicationGroups)
    .addOption(new Option('--log-level <level>', 'role dataplane').choices(LOG_LEVELS).default('info'))
    .version(productVersion())
    .addHelpText(
      'after',
      '\nExit status: 0 stopped by a signal; otherwise the status of the error, see docs/errors.md.\n' +
        'Examples: xmcastd --config xmcast.yaml --check\n' +
        '          xmcastd --state-dir /var/lib/xmcast\n' +
        '          xmcastd --role dataplane\n' +
        '          xmcastd --role controller --config xmcast.yaml',
    )
    .exitOverride();
}

/** systemd.exec(5): StateDirectory= may name several, with colons between. */
function stateDirFromEnvironment(): string {
  return process.env['STATE_DIRECTORY']?.split(':')[0] || DEFAULT_STATE_DIR;
}

function within({ min, max }: { readonly min: number; readonly max: number }): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) throw new InvalidArgumentError(`${min} to ${max} are allowed.`);
    return value;
  };
}

function electionId(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > MAX_ELECTION_ID) throw new InvalidArgumentError('A whole number of 64 bits is needed.');
  return value;
}

function misplaced(command: Command, name: string, role: Role): XmcastError {
  const flags = command.options.find((option) => option.attributeName() === name)?.long ?? name;
  const roles = (ROLES_OF[name] ?? []).map((one) => `"${one}"`).join(' or ');
  return new XmcastError('XM_USAGE', `use ${flags} in role "${role}": it has no meaning there`, { hint: `It belongs to role ${roles}.` });
}
