/**
 * The configuration as the rooms use it: every default filled in, durations in ms, addresses as numbers.
 * Made from the Config message by config/, read by daemon.ts; nobody else reads Config itself.
 */
import type { PolicerSettings, PuntClass } from '../dataplane/api';
import type { IgmpInterfaceSettings } from '../protocol/igmp/router/api';
import type { Ipv4Prefix } from '../protocol/packet/address';

export interface InterfaceSettings {
  readonly name: string;
  /** Where streams come from and where reports go (RFC 4605). No querier runs here. */
  readonly upstream: boolean;
  /** 1 to 255: received TTL < threshold is dropped; a copy leaves only if the received TTL > threshold. */
  readonly ttlThreshold: number;
  /** Groups in these do not cross the interface, neither in nor out (RFC 2365). */
  readonly boundaries: readonly Ipv4Prefix[];
  /** Without the MTU: the machine is created once the link's MTU is known. */
  readonly igmp: Omit<IgmpInterfaceSettings, 'mtu'>;
}

export interface Settings {
  readonly interfaces: readonly InterfaceSettings[];
  readonly limits: {
    /** (S,G) and (*,G) routes in the data plane. */
    readonly routes: number;
    /** Distinct outgoing sets in the data plane. */
    readonly replicationGroups: number;
    /** An (S,G) route learnt from traffic goes after this long without a packet. */
    readonly sourceIdleMs: number;
  };
  readonly dataplane: {
    /** Folder on a bpffs that holds this daemon's pins. */
    readonly pinPath: string;
    readonly policers: Readonly<Record<PuntClass, PolicerSettings>>;
    /** How often counters are read from the maps. */
    readonly counterIntervalMs: number;
  };
  readonly api: { readonly socketPath: string };
  /** undefined: no metrics listener. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
}

/** One thing wrong with a configuration. Line and column count from 1; 0 when the problem has no place in a file. */
export interface Problem {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}
