/**
 * The SSM mapping at work: the pure table, the resolver it asks and the timer that wakes it. Decides nothing about groups or sources.
 */
import type { SsmMappingSettings } from '../config/settings';
import type { Clock } from '../kernel/clock';
import { DeadlineDriver } from '../kernel/deadline-driver';
import { DnsResolver, type DnsAnswer } from '../kernel/dns';
import type { Log } from '../log';
import type { SsmMapping } from '../protocol/igmp/router/api';
import type { Ipv4 } from '../protocol/packet/address';
import type { SsmEffect, SsmEvent, SsmSnapshot } from '../ssm/api';
import { SsmMappingTable } from '../ssm/mapping-table';

export interface SsmMapperOptions {
  readonly settings: SsmMappingSettings;
  readonly clock: Clock;
  readonly log: Log;
  /** sourcesOf() says something else about the group than before. Never called from within sourcesOf(). */
  readonly onMapped: (group: Ipv4) => void;
  /** Default: Math.random. */
  readonly random?: () => number;
}

export class SsmMapper implements SsmMapping {
  readonly #options: SsmMapperOptions;
  readonly #table: SsmMappingTable;
  readonly #driver: DeadlineDriver;
  #settings: SsmMappingSettings;
  /** Made when DNS is needed for the first time. */
  #resolver: DnsResolver | undefined;
  #closed = false;

  constructor(options: SsmMapperOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#table = new SsmMappingTable({ settings: options.settings, random: options.random ?? Math.random });
    this.#driver = new DeadlineDriver(options.clock, {
      nextDeadline: () => this.#table.nextDeadline(),
      onDeadline: () => this.#input({ kind: 'timer' }),
    });
  }

  get anySourceV3(): boolean {
    return this.#table.anySourceV3;
  }

  sourcesOf(group: Ipv4): readonly Ipv4[] | 'pending' | undefined {
    this.#input({ kind: 'wanted', group });
    return this.#table.sourcesOf(group);
  }

  /** Answers stay while the domain does. Calls onMapped before it returns. */
  setSettings(settings: SsmMappingSettings): void {
    const isOtherServer = settings.dnsServers.join() !== this.#settings.dnsServers.join();
    this.#settings = settings;
    if (isOtherServer) {
      this.#resolver?.close();
      this.#resolver = undefined;
    }
    this.#input({ kind: 'settings', settings });
  }

  snapshot(): SsmSnapshot {
    return this.#table.snapshot();
  }

  /** No onMapped() after this. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#driver.close();
    this.#resolver?.close();
  }

  #input(event: SsmEvent): void {
    if (this.#closed) return;
    for (const effect of this.#table.input(event, this.#options.clock.nowMs())) this.#carryOut(effect);
    this.#driver.rearm();
  }

  #carryOut(effect: SsmEffect): void {
    switch (effect.kind) {
      case 'resolve':
        return void this.#resolve(effect.name);
      case 'mapped':
        return this.#options.onMapped(effect.group);
      case 'log':
        return this.#options.log[effect.level]({}, effect.text);
    }
  }

  async #resolve(name: string): Promise<void> {
    const answer = await this.#ask(name);
    if (answer.kind === 'failure') this.#input({ kind: 'failure', name, reason: answer.code });
    else this.#input({ kind: 'answer', name, records: answer.kind === 'found' ? answer.records : [] });
  }

  /** Once more when the servers were exchanged meanwhile. */
  async #ask(name: string): Promise<DnsAnswer> {
    for (;;) {
      const resolver = (this.#resolver ??= new DnsResolver({ servers: this.#settings.dnsServers }));
      const answer = await resolver.resolve4(name);
      if (answer.kind !== 'failure' || resolver === this.#resolver) return answer;
    }
  }
}
