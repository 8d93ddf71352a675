/** Whatever happens, in whatever order: nothing throws, no deadline stays in the past, nothing grows without being wanted. */
import fc from 'fast-check';
import type { IgmpHostEvent, IgmpHostSettings } from '../../../control/protocol/igmp/host/api';
import { buildIgmpPacket } from '../../../control/protocol/igmp/encode';
import type { IgmpMessage, RecordType } from '../../../control/protocol/igmp/message';
import { DEFAULTS, GROUP, HostScenario, OWN, OTHER_GROUP, SSM_GROUP, ip, query, source } from './scenario';

const address = fc.oneof(fc.constantFrom(OWN, 0, ip('10.7.0.1'), ip('224.0.0.1')), fc.nat(0xffffffff));
const group = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(GROUP, OTHER_GROUP, SSM_GROUP) },
  { weight: 1, arbitrary: address },
);
const sources = fc.array(fc.oneof(fc.constantFrom(...['a', 'b', 'c'].map(source)), fc.nat(0xffffffff)), { maxLength: 30 });
const version = fc.constantFrom(1 as const, 2 as const, 3 as const);
const anyQuery = fc.record({
  version,
  group: fc.oneof(fc.constant(0), group),
  maxResponseTimeMs: fc.oneof(fc.nat(1_000), fc.nat(3_174_400)),
  suppressRouterProcessing: fc.boolean(),
  querierRobustness: fc.nat(7),
  querierQueryIntervalMs: fc.nat(31_744_000),
  sources,
});
const recordType = fc.constantFrom<RecordType>(1, 2, 3, 4, 5, 6);
const message: fc.Arbitrary<IgmpMessage> = fc.oneof(
  { weight: 6, arbitrary: anyQuery.map((fields) => query(fields)) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.record({ type: recordType, group, sources }), { maxLength: 3 })
      .map((records): IgmpMessage => ({ kind: 'report-v3', records })),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('report-v1' as const, 'report-v2' as const, 'leave' as const), group }),
  },
);
const settings: fc.Arbitrary<IgmpHostSettings> = fc
  .record({
    version,
    robustness: fc.nat(8),
    unsolicitedReportIntervalMs: fc.option(fc.nat(20_000), { nil: undefined }),
    olderVersionQuerierTimeoutMs: fc.nat(400_000),
    mtu: fc.nat(2_000),
    recordedSourcesLimit: fc.nat(10),
  })
  .map((fields) => ({ ...DEFAULTS, ...fields }));
const mode = fc.constantFrom('include' as const, 'exclude' as const);
const event: fc.Arbitrary<IgmpHostEvent> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({ group, filter: fc.option(fc.record({ mode, sources }), { nil: undefined }) })
      .map((fields): IgmpHostEvent => {
        return { kind: 'wanted', ...fields };
      }),
  },
  {
    weight: 12,
    arbitrary: fc.tuple(address, group, fc.boolean(), message).map(([from, destination, routerAlert, body]): IgmpHostEvent => {
      const to = routerAlert && body.kind === 'query' && body.group === 0 ? ip('224.0.0.1') : destination;
      return { kind: 'received', packet: { source: from, destination: to, routerAlert, message: body, skipped: [] } };
    }),
  },
  { weight: 6, arbitrary: fc.constant<IgmpHostEvent>({ kind: 'timer' }) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.record({ address, length: fc.nat(32) }), { maxLength: 2 })
      .map((addresses): IgmpHostEvent => ({ kind: 'link-up', addresses })),
  },
  { weight: 1, arbitrary: fc.constant<IgmpHostEvent>({ kind: 'link-down' }) },
  { weight: 1, arbitrary: settings.map((chosen): IgmpHostEvent => ({ kind: 'settings', settings: chosen })) },
);
const gap = fc.oneof(fc.constantFrom(0, 0, 0, 1, 500, 1_000), fc.nat(20_000), fc.nat(400_000));
const history = fc.array(fc.tuple(gap, event), { maxLength: 60 });

test('nothing throws, every message can be sent, and after a timer the next deadline is ahead', () => {
  fc.assert(
    fc.property(settings, history, (chosen, steps) => {
      const host = new HostScenario(chosen).linkUp();
      for (const [gapMs, next] of steps) {
        host.nowMs += gapMs;
        host.input(next);
        if (next.kind === 'timer') expect(host.machine.nextDeadline() ?? Infinity).toBeGreaterThan(host.nowMs);
      }
      for (const packet of host.after(60_000).takeSent()) expect(() => buildIgmpPacket(packet)).not.toThrow();
    }),
    { numRuns: 500 },
  );
});

test('when nothing happens any more and no querier is older, nothing is left to wait for', () => {
  fc.assert(
    fc.property(settings, history, (chosen, steps) => {
      const host = new HostScenario(chosen).linkUp();
      for (const [gapMs, next] of steps) host.after(gapMs).input(next);
      host.after(5_000_000);
      expect(host.machine.nextDeadline()).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test('a group is reported only while it is wanted, or to say that it is not', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const host = HostScenario.up();
      const everWanted = new Set<number>();
      for (const [gapMs, next] of steps) {
        host.after(gapMs).input(next);
        if (next.kind === 'wanted') everWanted.add(next.group);
      }
      for (const { message: sent } of host.after(60_000).takeSent()) {
        const groups =
          sent.kind === 'report-v3' ? sent.records.map((record) => record.group) : sent.kind === 'query' ? [-1] : [sent.group];
        for (const reported of groups) expect(everWanted).toContain(reported);
      }
    }),
  );
});
