/**
 * A host of the lab: a namespace with one interface, whose kernel is the IGMP host under test conditions.
 */
import { writeSetting, type Namespace } from './namespace';

/** 0 follows the querier, as a host does that nobody has configured. */
export type IgmpVersion = 0 | 1 | 2 | 3;

export class Host {
  readonly namespace: Namespace;
  readonly interfaceName: string;
  /** Without prefix length. */
  readonly address: string;

  constructor(namespace: Namespace, interfaceName: string, address: string) {
    this.namespace = namespace;
    this.interfaceName = interfaceName;
    this.address = address;
  }

  get label(): string {
    return this.namespace.label;
  }

  /** The version of the reports from the next one on. */
  async setIgmpVersion(version: IgmpVersion): Promise<void> {
    await this.namespace.script([writeSetting(`ipv4/conf/${this.interfaceName}/force_igmp_version`, version)]);
  }

  run(argv: readonly string[]): Promise<string> {
    return this.namespace.run(argv);
  }
}
