/**
 * One network namespace of a lab and the kernel settings every namespace of a lab has. Owns no interfaces and no processes.
 */
import { run } from './command';

export interface NamespaceOptions {
  /** The kernel forwards unicast IPv4 between the interfaces. Default false. */
  readonly forwarding?: boolean;
}

export class Namespace {
  /** Short name within the lab. */
  readonly label: string;
  /** Name for `ip netns`. */
  readonly name: string;

  constructor(label: string, name: string) {
    this.label = label;
    this.name = name;
  }

  get path(): string {
    return `/var/run/netns/${this.name}`;
  }

  /**
   * The command line that runs `argv` inside. nsenter, not `ip netns exec`: the latter mounts a fresh /sys, and /sys/fs/bpf with
   * the pins would be out of sight.
   */
  enter(argv: readonly string[]): readonly string[] {
    return ['nsenter', `--net=${this.path}`, '--', ...argv];
  }

  /** Runs a command inside and resolves with its stdout. */
  run(argv: readonly string[], input?: string): Promise<string> {
    return run(this.enter(argv), input === undefined ? {} : { input });
  }

  /** Runs a shell script inside; the first failing command ends it and fails the call. */
  script(lines: readonly string[]): Promise<string> {
    return this.run(['sh', '-e', '-s'], `${lines.join('\n')}\n`);
  }
}

/** A lab of a hundred streams must not meet limits made for desktops. */
const LIMITS: readonly (readonly [path: string, value: number])[] = [
  ['ipv4/igmp_max_memberships', 100_000],
  ['ipv4/igmp_max_msf', 4096],
  ['core/optmem_max', 16 << 20],
];

/** The namespace must be recorded before, so that it is found when this is cut short. */
export async function createNamespace(namespace: Namespace, options: NamespaceOptions): Promise<void> {
  await run(['ip', 'netns', 'add', namespace.name]);
  await namespace.script([
    // No router solicitations and MLD reports between the packets that are looked at.
    ...['all', 'default'].map((scope) => writeSetting(`ipv6/conf/${scope}/disable_ipv6`, 1)),
    ...['all', 'default'].map((scope) => writeSetting(`ipv4/conf/${scope}/rp_filter`, 0)),
    ...LIMITS.map(([path, value]) => writeSetting(path, value)),
    writeSetting('ipv4/ip_forward', options.forwarding === true ? 1 : 0),
    'ip link set dev lo up',
  ]);
}

/** A line of a script; settings that the running kernel does not have are left alone. */
export function writeSetting(path: string, value: number): string {
  return `[ ! -e /proc/sys/net/${path} ] || echo ${value} > /proc/sys/net/${path}`;
}
