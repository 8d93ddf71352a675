/**
 * Which sources a source-specific group has: by configuration, else by DNS with an answer that is kept for its TTL, renewed while
 * somebody asks, and used on while DNS is down. Owns the answers and when to ask again; never asks itself and never looks at a clock.
 */
import { DeadlineQueue } from '../protocol/igmp/deadline-queue';
import type { SsmMapping } from '../protocol/igmp/router/api';
import { formatIpv4, type Ipv4 } from '../protocol/packet/address';
import { PrefixTable } from '../protocol/packet/prefix-table';
import { sameSources, sourceAnswer } from './answer';
import {
  SSM_COUNTS,
  SSM_LIMITS,
  type AddressRecord,
  type SsmCount,
  type SsmEffect,
  type SsmEvent,
  type SsmLimits,
  type SsmSnapshot,
  type SsmTableOptions,
  type SsmTableSettings,
} from './api';
import {
  interestEndsMs,
  newMappedGroup,
  nextDeadlineMs,
  retryDelayMs,
  staleEndsMs,
  type Knowledge,
  type MappedGroup,
} from './mapped-group';
import { QuestionQueue } from './question-queue';

type Sources = ReturnType<SsmMapping['sourcesOf']>;

/** After a warning of a full table, so much of it must be free before there is another. */
const ROOM_AGAIN = 7 / 8;
/** One name that fails among others that do not must not fill the log. */
const WARN_EVERY_MS = 60_000;

export class SsmMappingTable implements SsmMapping {
  readonly #limits: SsmLimits;
  readonly #random: () => number;
  #settings: SsmTableSettings;
  #static = new PrefixTable<readonly Ipv4[]>();
  readonly #groups = new Map<Ipv4, MappedGroup>();
  readonly #deadlines = new DeadlineQueue<MappedGroup>();
  readonly #questions: QuestionQueue;
  /** Wanted groups that DNS was not needed for, the one wanted last at the end: other settings may mean something to them. */
  readonly #wantedWithoutDns = new Set<Ipv4>();
  readonly #counts = Object.fromEntries(SSM_COUNTS.map((count) => [count, 0])) as Record<SsmCount, number>;
  #isFull = false;
  /** Said so in the log. */
  #isDnsDown = false;
  #mayWarnMs = -Infinity;
  /** Of the running input(). */
  #effects: SsmEffect[] = [];

  constructor({ settings, random, limits }: SsmTableOptions) {
    this.#limits = { ...SSM_LIMITS, ...limits };
    this.#random = random;
    this.#questions = new QuestionQueue(this.#limits.questionsAtOnce);
    this.#settings = settings;
    this.#readStatic(settings);
  }

  get anySourceV3(): boolean {
    return this.#settings.anySourceV3;
  }

  /** What is known now. Only a 'wanted' before it makes DNS be asked. */
  sourcesOf(group: Ipv4): Sources {
    const configured = this.#static.longest(group);
    if (configured !== undefined) return configured;
    const known = this.#groups.get(group)?.known;
    switch (known?.kind) {
      case 'mapped':
        return known.sources;
      case 'pending':
        return 'pending';
      case 'unmapped':
      case undefined:
        return undefined;
    }
  }

  input(event: SsmEvent, nowMs: number): readonly SsmEffect[] {
    this.#effects = [];
    this.#handle(event, nowMs);
    for (let next = this.#questions.start(); next !== undefined; next = this.#questions.start()) {
      this.#counts.questions++;
      this.#effects.push({ kind: 'resolve', name: next.name });
    }
    this.#isFull &&= !this.#hasRoomAgain();
    return this.#effects;
  }

  nextDeadline(): number | undefined {
    return this.#deadlines.first()?.deadlineMs;
  }

  snapshot(): SsmSnapshot {
    const all = [...this.#groups.values()];
    const having = (kind: Knowledge['kind']): number => all.filter(({ known }) => known.kind === kind).length;
    return {
      staticMappings: this.#settings.static.length,
      mapped: having('mapped'),
      unmapped: having('unmapped'),
      pending: having('pending'),
      failing: all.filter(({ failures }) => failures > 0).length,
      questionsRunning: this.#questions.running,
      questionsWaiting: this.#questions.waiting,
      counts: { ...this.#counts },
    };
  }

  #handle(event: SsmEvent, nowMs: number): void {
    switch (event.kind) {
      case 'wanted':
        return this.#want(event.group, nowMs);
      case 'answer':
        return this.#finish(event.name, nowMs, (entry) => this.#answered(entry, event.records, nowMs));
      case 'failure':
        return this.#finish(event.name, nowMs, (entry) => this.#failed(entry, event.reason, nowMs));
      case 'settings':
        return this.#change(event.settings, nowMs);
      case 'timer':
        return this.#expire(nowMs);
    }
  }

  #want(group: Ipv4, nowMs: number): void {
    if (this.#settings.dnsDomain === undefined || this.#static.longest(group) !== undefined) {
      if (this.#static.longest(group) !== undefined) this.#counts.static_hits++;
      return this.#noteWanted(group);
    }
    const entry = this.#groups.get(group);
    if (entry === undefined) return this.#admit(group, this.#settings.dnsDomain, nowMs);
    entry.lastWantedMs = nowMs;
    this.#counts[entry.known.kind === 'pending' ? 'misses' : 'hits']++;
    if (entry.known.kind === 'mapped' && entry.known.expiresMs <= nowMs) this.#counts.stale_hits++;
  }

  #noteWanted(group: Ipv4): void {
    this.#wantedWithoutDns.delete(group);
    this.#wantedWithoutDns.add(group);
    if (this.#wantedWithoutDns.size <= this.#limits.groups) return;
    for (const oldest of this.#wantedWithoutDns) return void this.#wantedWithoutDns.delete(oldest);
  }

  #admit(group: Ipv4, domain: string, nowMs: number): void {
    if (this.#groups.size >= this.#limits.groups || this.#questions.newcomers >= this.#limits.questionsWaiting) {
      this.#counts.refused++;
      return this.#warnFull(group);
    }
    this.#counts.misses++;
    this.#open(newMappedGroup(group, domain, nowMs), false);
  }

  #warnFull(group: Ipv4): void {
    if (this.#isFull) return;
    this.#isFull = true;
    const { groups, questionsWaiting } = this.#limits;
    this.#log(
      'warn',
      `look up the sources of ${formatIpv4(group)}: refused, ${groups} groups are known or ${questionsWaiting} wait for DNS`,
    );
  }

  #hasRoomAgain(): boolean {
    const { groups, questionsWaiting } = this.#limits;
    return this.#groups.size < groups * ROOM_AGAIN && this.#questions.newcomers < questionsWaiting * ROOM_AGAIN;
  }

  #open(entry: MappedGroup, isRenewal: boolean): void {
    this.#groups.set(entry.group, entry);
    this.#ask(entry, isRenewal);
    this.#plan(entry);
  }

  #close(entry: MappedGroup): void {
    this.#groups.delete(entry.group);
    this.#deadlines.schedule(entry, undefined);
    this.#questions.remove(entry.name);
  }

  #ask(entry: MappedGroup, isRenewal: boolean): void {
    entry.isAsking = true;
    this.#questions.add(entry, isRenewal);
  }

  #plan(entry: MappedGroup): void {
    const deadlineMs = nextDeadlineMs(entry, this.#limits);
    this.#deadlines.schedule(entry, deadlineMs === Infinity ? undefined : deadlineMs);
  }

  /** The group may have been given up, or the domain may be another by now: then its answer is of no use. */
  #finish(name: string, nowMs: number, tell: (entry: MappedGroup) => void): void {
    const group = this.#questions.finish(name);
    const entry = group === undefined ? undefined : this.#groups.get(group);
    if (entry?.name !== name || !entry.isAsking) return;
    entry.isAsking = false;
    tell(entry);
    this.#plan(entry);
    if (nowMs >= interestEndsMs(entry, this.#limits)) this.#close(entry);
  }

  #answered(entry: MappedGroup, records: readonly AddressRecord[], nowMs: number): void {
    const { sources, ttlMs, notUnicast, tooMany } = sourceAnswer(records, this.#limits);
    this.#counts.not_unicast += notUnicast;
    this.#counts.too_many += tooMany;
    this.#counts[sources.length > 0 ? 'answers' : 'not_found']++;
    const before = this.sourcesOf(entry.group);
    entry.known = sources.length > 0 ? { kind: 'mapped', sources, expiresMs: nowMs + ttlMs } : { kind: 'unmapped' };
    entry.askAtMs = nowMs + (sources.length > 0 ? ttlMs : this.#limits.noSourcesMs);
    entry.failures = 0;
    this.#tellIfOther(entry.group, before);
    if (this.#isDnsDown) this.#log('info', 'look up sources: DNS answers again');
    this.#isDnsDown = false;
  }

  #failed(entry: MappedGroup, reason: string, nowMs: number): void {
    this.#counts.failures++;
    entry.failures++;
    entry.askAtMs = nowMs + retryDelayMs(entry.failures, this.#limits, this.#random());
    if (this.#isDnsDown || nowMs < this.#mayWarnMs) return;
    this.#isDnsDown = true;
    this.#mayWarnMs = nowMs + WARN_EVERY_MS;
    this.#log(
      'warn',
      `look up the sources of ${formatIpv4(entry.group)} by ${entry.name}: ${reason}; known sources stay in use, tried again`,
    );
  }

  #expire(nowMs: number): void {
    for (let entry = this.#deadlines.first(); entry !== undefined; entry = this.#deadlines.first()) {
      if ((entry.deadlineMs ?? Infinity) > nowMs) return;
      this.#due(entry, nowMs);
    }
  }

  #due(entry: MappedGroup, nowMs: number): void {
    if (nowMs >= interestEndsMs(entry, this.#limits)) return this.#close(entry);
    if (nowMs >= staleEndsMs(entry, this.#limits)) {
      entry.known = { kind: 'pending' };
      this.#effects.push({ kind: 'mapped', group: entry.group });
    }
    if (!entry.isAsking && nowMs >= entry.askAtMs) this.#ask(entry, entry.known.kind === 'mapped');
    this.#plan(entry);
  }

  #change(settings: SsmTableSettings, nowMs: number): void {
    const wanted = [...this.#groups.keys(), ...this.#wantedWithoutDns].map((group) => ({ group, before: this.sourcesOf(group) }));
    const isOtherDomain = settings.dnsDomain !== this.#settings.dnsDomain;
    this.#settings = settings;
    this.#readStatic(settings);
    for (const { group, before } of wanted) {
      this.#sort(group, isOtherDomain, nowMs);
      this.#tellIfOther(group, before);
    }
  }

  /** To where a wanted group belongs under the settings that hold now. Nobody is refused who was in before. */
  #sort(group: Ipv4, isOtherDomain: boolean, nowMs: number): void {
    const { dnsDomain } = this.#settings;
    const needsDns = dnsDomain !== undefined && this.#static.longest(group) === undefined;
    const entry = this.#groups.get(group);
    if (entry !== undefined && (isOtherDomain || !needsDns)) this.#close(entry);
    if (!needsDns) return this.#noteWanted(group);
    this.#wantedWithoutDns.delete(group);
    if (!this.#groups.has(group) && this.#groups.size < this.#limits.groups) {
      this.#open(newMappedGroup(group, dnsDomain, nowMs), true);
    }
  }

  #readStatic(settings: SsmTableSettings): void {
    this.#static = new PrefixTable();
    for (const { group, sources } of settings.static)
      this.#static.set(
        group,
        [...new Set(sources)].sort((a, b) => a - b),
      );
  }

  /** What turns into 'pending' is told when it turns into something else: until then what was known is better than nothing. */
  #tellIfOther(group: Ipv4, before: Sources): void {
    const after = this.sourcesOf(group);
    if (after === 'pending' || after === before) return;
    if (typeof before === 'object' && typeof after === 'object' && sameSources(before, after)) return;
    this.#effects.push({ kind: 'mapped', group });
  }

  #log(level: 'info' | 'warn', text: string): void {
    this.#effects.push({ kind: 'log', level, text });
  }
}
