/**
 * Membership reports in bulk, as fast as a program can write frames: what a whole access network would say. Nobody stands behind them,
 * so queries stay unanswered.
 */
import type { TrafficProcess } from './traffic-process';

export interface ReporterOptions {
  /** Whose reports they are; in a subnet of the router's interface. */
  readonly address: string;
  /** So many hosts, by address from this one on, that report in turn. Default 1. */
  readonly hosts?: number;
  readonly version: 2 | 3;
}

export interface BulkReport {
  readonly change: 'join' | 'refresh' | 'leave';
  /** This group and those that follow it by number. */
  readonly firstGroup: string;
  readonly count: number;
  /** Groups in one message, at most 183. Default 1, which is all that IGMPv2 knows. */
  readonly recordsPerReport?: number;
  /** Groups a second. Default 0: as fast as it goes. */
  readonly rate?: number;
}

export class Reporter {
  readonly #traffic: TrafficProcess;

  constructor(traffic: TrafficProcess) {
    this.#traffic = traffic;
  }

  /** Resolves when all have left. */
  async send({ change, firstGroup, count, recordsPerReport = 1, rate = 0 }: BulkReport): Promise<{ readonly elapsedNs: number }> {
    return this.#traffic.command([change, firstGroup, count, recordsPerReport, rate].join(' '));
  }
}

export function reporterArguments(interfaceName: string, { address, hosts = 1, version }: ReporterOptions): readonly string[] {
  return ['report', '--interface', interfaceName, '--address', address, '--hosts', `${hosts}`, '--version', `${version}`];
}
