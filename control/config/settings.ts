/**
 * The configuration as the rooms use it: every default filled in, durations in ms, addresses as numbers.
 * Made from the Config message by config/, read by daemon.ts; nobody else reads Config itself.
 */
import type { PolicerSettings, PortMode, PuntClass } from '../dataplane/api';
import type { IgmpHostSettings } from '../protocol/igmp/host/api';
import type { IgmpInterfaceSettings, IgmpLimits, StaticGroup } from '../protocol/igmp/router/api';
import type { Ipv4, Ipv4Prefix } from '../protocol/packet/address';
import type { ApiSettings } from './api-settings';

/** Where streams come from and where reports go (RFC 4605). No querier runs here. */
export interface UpstreamSettings {
  /** Groups it serves; empty: all. */
  readonly groups: readonly Ipv4Prefix[];
  /** Sources expected by it; empty: all. */
  readonly sources: readonly Ipv4Prefix[];
  /** The lowest is used first. */
  readonly priority: number;
  readonly host: Omit<IgmpHostSettings, 'mtu' | 'random' | 'recordedSourcesLimit'>;
}

/** What the configuration says of the router side of IGMP on one interface. The rest is known when the machine is made. */
export interface IgmpSettings extends Omit<IgmpInterfaceSettings, 'mtu' | 'ssmMapping' | 'limits' | 'alternativeSubnets'> {
  readonly limits: Omit<IgmpLimits, 'total'>;
}

export interface StaticRouteSettings {
  readonly group: Ipv4Prefix;
  /** undefined: every source. */
  readonly source: Ipv4Prefix | undefined;
  /** Names of interfaces. */
  readonly upstream: string;
  readonly downstreams: readonly string[];
  /** 0: the interfaces alone decide. */
  readonly ttlThreshold: number;
}

export interface SsmMappingSettings {
  readonly static: readonly { readonly group: Ipv4Prefix; readonly sources: readonly Ipv4[] }[];
  /** Lower case, without dots at its ends; undefined: DNS is not asked. */
  readonly dnsDomain: string | undefined;
  /** "address:port" or "[address]:port"; empty: those of the system. */
  readonly dnsServers: readonly string[];
  readonly anySourceV3: boolean;
}

export interface InterfaceSettings {
  readonly name: string;
  /** Of a VLAN that the kernel has no interface for. */
  readonly addresses: readonly Ipv4Prefix[];
  /** undefined: a downstream interface. */
  readonly upstream: UpstreamSettings | undefined;
  /** 1 to 255: received TTL < threshold is dropped; a copy leaves only if the received TTL > threshold. */
  readonly ttlThreshold: number;
  /** Groups in these do not cross the interface, neither in nor out (RFC 2365). */
  readonly boundaries: readonly Ipv4Prefix[];
  /** Behind this interface besides its own subnets, for IGMP and for sources. */
  readonly alternativeSubnets: readonly Ipv4Prefix[];
  /** Forward to hosts here even while another router asks them (RFC 4605 §3). */
  readonly forwardIfNotQuerier: boolean;
  readonly igmp: IgmpSettings;
  /** 'auto': XDP where it serves all packets and the driver takes it. */
  readonly mode: PortMode | 'auto';
  /** This machine itself is a member here. */
  readonly joinGroups: readonly StaticGroup[];
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
    /** Groups of all interfaces together. */
    readonly memberships: number;
    /** Of StaticEntryService, of all owners together. */
    readonly staticEntries: number;
  };
  readonly staticRoutes: readonly StaticRouteSettings[];
  readonly ssmMapping: SsmMappingSettings;
  readonly dataplane: {
    /** Folder on a bpffs that holds this daemon's pins. */
    readonly pinPath: string;
    readonly policers: Readonly<Record<PuntClass, PolicerSettings>>;
    /** How often counters are read from the maps. */
    readonly counterIntervalMs: number;
    /** How long what was forwarded before a start goes on when nobody claims it; 0: not at all. */
    readonly holdTimeMs: number;
    /** Forwarding outlives the daemon. */
    readonly keepOnStop: boolean;
    /** How often what is installed is compared with what should be. */
    readonly verifyIntervalMs: number;
  };
  readonly api: ApiSettings;
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
