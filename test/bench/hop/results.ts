/** The figures of one run. */
import type { Spread as MsSpread } from '../join/results';
import type { Environment } from '../peers/command-line';
import type { Spread } from '../routes/protocol';
import type { BatchAnswer, CountersAnswer } from './protocol';

export const FORMS = ['one', 'split'] as const;
export type Form = (typeof FORMS)[number];
export const PROCESSES: Readonly<Record<Form, string>> = { one: 'one process', split: 'two processes' };

export interface Measured {
  readonly form: Form;
  /** From a report to the first frame of a stream that runs. */
  readonly joins: { readonly trials: number; readonly missing: number; readonly delayMs: MsSpread | null };
  /** One route, from the call to the confirmation. */
  readonly singleUs: Spread;
  readonly batches: readonly (BatchAnswer & { readonly listLength: number; readonly routes: number })[];
  readonly counters: CountersAnswer & { readonly routes: number };
  readonly punts: { readonly sent: number; readonly received: number; readonly perSecond: number };
}

export interface Results {
  readonly environment: Environment;
  readonly measured: readonly Measured[];
}

export interface Figure {
  readonly what: string;
  readonly unit: string;
  /** Larger is better. */
  readonly isRate: boolean;
  valueOf(measured: Measured): number;
}

/** What is compared, in the order of the table. */
export function figuresOf(sample: Measured): readonly Figure[] {
  const perSecond = (routes: number, ms: number): number => (routes * 1000) / ms;
  return [
    { what: 'join, median', unit: 'ms', isRate: false, valueOf: ({ joins }) => joins.delayMs?.p50 ?? NaN },
    { what: 'join, 99 %', unit: 'ms', isRate: false, valueOf: ({ joins }) => joins.delayMs?.p99 ?? NaN },
    { what: 'one route confirmed, median', unit: 'us', isRate: false, valueOf: ({ singleUs }) => singleUs.median },
    { what: 'one route confirmed, 99 %', unit: 'us', isRate: false, valueOf: ({ singleUs }) => singleUs.p99 },
    ...sample.batches.map(({ listLength }, i): Figure => {
      const valueOf = ({ batches }: Measured): number => perSecond(batches[i]?.routes ?? NaN, batches[i]?.installMs ?? NaN);
      return { what: `routes installed, lists of ${listLength}`, unit: '1/s', isRate: true, valueOf };
    }),
    { what: `counters of ${sample.counters.routes} routes, all`, unit: 'ms', isRate: false, valueOf: ({ counters }) => counters.completeMs.median },
    { what: `counters of ${sample.counters.routes} routes, unchanged`, unit: 'ms', isRate: false, valueOf: ({ counters }) => counters.unchangedMs.median },
    { what: 'longest stall while reading them', unit: 'ms', isRate: false, valueOf: ({ counters }) => counters.stallMs.max },
    { what: 'punts handed over', unit: '1/s', isRate: true, valueOf: ({ punts }) => punts.perSecond },
    { what: 'of the punts, arrived', unit: '%', isRate: true, valueOf: ({ punts }) => (100 * punts.received) / punts.sent },
  ];
}
