/**
 * A mapping table with a clock that is moved by hand: what it asks for, what it says, and what it logs.
 */
import type { AddressRecord, SsmEffect, SsmEvent, SsmLimits, SsmTableSettings } from '../../../control/ssm/api';
import { SsmMappingTable } from '../../../control/ssm/mapping-table';
import { formatIpv4, parseIpv4, parsePrefix } from '../../../control/protocol/packet/address';

export function ip(text: string): number {
  return parseIpv4(text)!;
}

export function settings(given: {
  domain?: string;
  static?: Readonly<Record<string, readonly string[]>>;
  anySourceV3?: boolean;
}): SsmTableSettings {
  return {
    static: Object.entries(given.static ?? {}).map(([group, sources]) => ({
      group: parsePrefix(group)!,
      sources: sources.map(ip),
    })),
    dnsDomain: given.domain,
    anySourceV3: given.anySourceV3 ?? false,
  };
}

export const DNS = settings({ domain: 'ssm.example.net' });
/** A group, and the name it is asked for by. */
export const GROUP = '232.1.2.3';
export const NAME = '3.2.1.232.ssm.example.net';

/** Seconds stand for the TTL of every record. */
export function records(ttlSeconds: number, ...addresses: readonly string[]): AddressRecord[] {
  return addresses.map((address) => ({ address: ip(address), ttlMs: ttlSeconds * 1000 }));
}

export class Scenario {
  readonly table: SsmMappingTable;
  nowMs = 0;
  /** Names asked for and groups told about, since the last look. */
  readonly asked: string[] = [];
  readonly mapped: string[] = [];
  readonly logged: string[] = [];

  constructor(given: SsmTableSettings, limits: Partial<SsmLimits> = {}, random: () => number = () => 0) {
    this.table = new SsmMappingTable({ settings: given, random, limits });
  }

  input(event: SsmEvent): readonly SsmEffect[] {
    const effects = this.table.input(event, this.nowMs);
    for (const effect of effects) {
      if (effect.kind === 'resolve') this.asked.push(effect.name);
      else if (effect.kind === 'mapped') this.mapped.push(formatIpv4(effect.group));
      else this.logged.push(`${effect.level}: ${effect.text}`);
    }
    return effects;
  }

  /** As a host's join does. */
  join(group: string): readonly string[] | 'pending' | undefined {
    this.input({ kind: 'wanted', group: ip(group) });
    return this.sources(group);
  }

  sources(group: string): readonly string[] | 'pending' | undefined {
    const sources = this.table.sourcesOf(ip(group));
    return sources === undefined || sources === 'pending' ? sources : sources.map(formatIpv4);
  }

  answer(name: string, answer: readonly AddressRecord[]): void {
    this.input({ kind: 'answer', name, records: answer });
  }

  fail(name: string, reason = 'ETIMEOUT'): void {
    this.input({ kind: 'failure', name, reason });
  }

  /** Time passes; every deadline on the way is kept. */
  pass(seconds: number): void {
    const endMs = this.nowMs + seconds * 1000;
    for (let next = this.table.nextDeadline(); next !== undefined && next <= endMs; next = this.table.nextDeadline()) {
      this.nowMs = Math.max(this.nowMs, next);
      this.input({ kind: 'timer' });
      expect(this.table.nextDeadline() ?? Infinity).toBeGreaterThan(this.nowMs);
    }
    this.nowMs = endMs;
  }

  /** What was asked since the last look. */
  takeAsked(): string[] {
    return this.asked.splice(0);
  }

  takeMapped(): string[] {
    return this.mapped.splice(0);
  }

  count(name: keyof ReturnType<SsmMappingTable['snapshot']>['counts']): number {
    return this.table.snapshot().counts[name];
  }
}
