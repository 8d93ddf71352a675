/** Leaving: RFC 3376 §6.6.3, RFC 2236 §3. */
import {
  DEFAULTS,
  GMI,
  GROUP,
  HIGHER_ROUTER,
  LIMITS,
  LMQT,
  LOWER_ROUTER,
  OTHER_HOST,
  OWN,
  Scenario,
  leave,
  query,
  report,
  v2Report,
} from './scenario';

describe('a v2 leave', () => {
  test('with two reporters keeps the group: the other one answers', () => {
    Scenario.up()
      .receive(v2Report())
      .receive(v2Report(), OTHER_HOST)
      .expectPublished('EXCLUDE(; )')
      .at(10_000)
      .receive(leave())
      .at(10_700)
      .receive(v2Report(), OTHER_HOST)
      .at(10_000 + 5 * LMQT)
      .expectSent('Q(G) @10000', 'Q(G)S @11000')
      .expectPublished()
      .expectState('EXCLUDE(; )');
  });
  test('of the last reporter: two queries one second apart, forwarding until LMQT', () => {
    Scenario.up()
      .receive(v2Report())
      .expectPublished('EXCLUDE(; )')
      .at(10_000)
      .receive(leave())
      .at(10_000 + LMQT - 1)
      .expectPublished()
      .at(10_000 + LMQT)
      .expectPublished('nothing')
      .at(50_000)
      .expectSent('Q(G) @10000', 'Q(G) @11000');
  });
  test('the query goes to the group, from our address, with the Last Member Query Interval as response time', () => {
    const scenario = Scenario.up().receive(v2Report()).receive(leave());
    expect(scenario.takeSent()).toMatchObject([
      { source: OWN, destination: GROUP, message: { version: 3, group: GROUP, maxResponseTimeMs: 1_000, querierRobustness: 2 } },
    ]);
  });
  test('repeated while the queries run neither restarts nor extends them', () => {
    Scenario.up()
      .receive(v2Report())
      .at(10_000)
      .receive(leave())
      .at(10_500)
      .receive(leave())
      .at(11_900)
      .receive(leave())
      .at(12_000)
      .expectState('nothing')
      .at(20_000)
      .expectSent('Q(G) @10000', 'Q(G) @11000');
  });
  test('after an answer starts anew: the one who answered may leave too', () => {
    Scenario.up()
      .receive(v2Report())
      .at(10_000)
      .receive(leave())
      .at(10_300)
      .receive(v2Report(), OTHER_HOST)
      .at(10_600)
      .receive(leave(), OTHER_HOST)
      .at(12_600)
      .expectState('nothing')
      .expectSent('Q(G) @10000', 'Q(G) @10600', 'Q(G) @11600');
  });
  test('of an unknown group sends nothing', () => {
    Scenario.up().receive(leave()).expectSent().expectState('nothing');
  });
  test('is left to the querier by a non-querier, which lowers its timer when it hears the query', () => {
    const scenario = Scenario.nonQuerier().receive(v2Report()).at(10_000).receive(leave()).expectSent();
    expect(scenario.timers()).toEqual({ group: GMI - 10_000 });
    scenario.receive(query({ group: GROUP }), LOWER_ROUTER);
    expect(scenario.timers()).toEqual({ group: LMQT });
    scenario
      .at(10_000 + LMQT)
      .expectState('nothing')
      .expectSent();
  });
});

describe('heard queries', () => {
  test('with the S flag set change no timer', () => {
    const scenario = Scenario.nonQuerier()
      .receive(report('IS_EX()'))
      .receive(query({ group: GROUP, suppressRouterProcessing: true }), LOWER_ROUTER);
    expect(scenario.timers()).toEqual({ group: GMI });
  });
  test('Q(G,A) lowers the timers of A that run, and raises none', () => {
    const scenario = Scenario.nonQuerier().receive(report('IS_EX(y)')).receive(report('ALLOW(a b)'));
    const asked = report('ALLOW(a y)');
    const sources = asked.kind === 'report-v3' ? asked.records[0]!.sources : [];
    scenario.receive(query({ group: GROUP, sources }), LOWER_ROUTER);
    expect(scenario.timers()).toEqual({ group: GMI, a: LMQT, b: GMI, y: 0 });
    scenario.at(1_000).receive(query({ group: GROUP, sources }), LOWER_ROUTER);
    expect(scenario.timers()).toMatchObject({ a: LMQT - 1_000 });
  });
  test('a querier with a longer response time is given that long; one that gives hosts no time is not believed', () => {
    const scenario = Scenario.nonQuerier().receive(report('IS_EX()'));
    scenario.receive(query({ group: GROUP, maxResponseTimeMs: 5_000 }), LOWER_ROUTER);
    expect(scenario.timers()).toEqual({ group: 10_000 });
    scenario.receive(query({ group: GROUP, maxResponseTimeMs: 0 }), LOWER_ROUTER);
    expect(scenario.timers()).toEqual({ group: LMQT });
  });
  test('from a router with a higher address lower timers as well, without queries of our own', () => {
    const scenario = Scenario.up()
      .receive(report('IS_EX()'))
      .receive(query({ group: GROUP }), HIGHER_ROUTER);
    expect(scenario.timers()).toEqual({ group: LMQT });
    scenario.at(LMQT).expectState('nothing').expectSent();
  });
});

describe('BLOCK', () => {
  test('asks twice for the source and drops it after LMQT', () => {
    Scenario.up()
      .receive(report('ALLOW(a b)'))
      .expectPublished('INCLUDE(a b)')
      .at(10_000)
      .receive(report('BLOCK(a)'))
      .at(11_999)
      .expectPublished()
      .at(12_000)
      .expectPublished('INCLUDE(b)')
      .expectSent('Q(G,a) @10000', 'Q(G,a) @11000');
  });
  test('another listener answers with ALLOW: the source stays, the second query carries S', () => {
    Scenario.up()
      .receive(report('ALLOW(a b)'))
      .at(10_000)
      .receive(report('BLOCK(a b)'))
      .at(10_400)
      .receive(report('IS_IN(a)'), OTHER_HOST)
      .at(20_000)
      .expectSent('Q(G,a b) @10000', 'Q(G,a)S @11000', 'Q(G,b) @11000')
      .expectState('INCLUDE(a)');
  });
  test('repeated for a source already asked for changes nothing', () => {
    Scenario.up()
      .receive(report('ALLOW(a b)'))
      .at(10_000)
      .receive(report('BLOCK(a)'))
      .at(10_500)
      .receive(report('BLOCK(a)'))
      .at(11_500)
      .receive(report('BLOCK(a)'))
      .at(12_000)
      .expectState('INCLUDE(b)')
      .at(20_000)
      .expectSent('Q(G,a) @10000', 'Q(G,a) @11000');
  });
  test('of a second source joins the queries under way; each source is asked for twice', () => {
    Scenario.up()
      .receive(report('ALLOW(a b)'))
      .at(10_000)
      .receive(report('BLOCK(a)'))
      .at(10_500)
      .receive(report('BLOCK(b)'))
      .at(20_000)
      .expectSent('Q(G,a) @10000', 'Q(G,a b) @10500', 'Q(G,b) @11500')
      .expectState('nothing');
  });
  test('in EXCLUDE mode: the source stays forwarded until LMQT, then is blocked', () => {
    Scenario.up()
      .receive(report('IS_EX()'))
      .expectPublished('EXCLUDE(; )')
      .at(10_000)
      .receive(report('BLOCK(n)'))
      .expectPublished('EXCLUDE(n; )')
      .at(12_000)
      .expectPublished('EXCLUDE(; n)')
      .expectSent('Q(G,n) @10000', 'Q(G,n) @11000');
  });
});

test('next to a Q(G) the query with S set is left out (§6.6.3.2, note)', () => {
  Scenario.up()
    .receive(report('IS_EX()'))
    .receive(report('ALLOW(x)'))
    .at(10_000)
    .receive(report('TO_IN()'))
    .at(10_300)
    .receive(report('IS_IN(x)'), OTHER_HOST)
    .at(20_000)
    .expectSent('Q(G) @10000', 'Q(G,x) @10000', 'Q(G) @11000')
    .expectState('INCLUDE(x)');
});

test('a source list longer than the MTU allows is split: (1500-24-12)/4 = 366 a query', () => {
  const sources = Array.from({ length: 800 }, (_, index) => 0x0a090000 + index);
  const message = (type: 5 | 6) => ({ kind: 'report-v3', records: [{ type, group: GROUP, sources }] }) as const;
  const scenario = Scenario.up({ limits: { ...LIMITS, groups: 1, sourcesPerGroup: 1_000 } })
    .receive(message(5))
    .receive(message(6));
  const sent = scenario.takeSent().map(({ message: sentMessage }) => (sentMessage.kind === 'query' ? sentMessage.sources : []));
  expect(sent.map((list) => list.length)).toEqual([366, 366, 68]);
  expect(sent.flat()).toEqual(sources);
});

test('with an MTU too small for any source, one source a query', () => {
  const scenario = Scenario.up({ mtu: 20 }).receive(report('ALLOW(a b)')).receive(report('BLOCK(a b)'));
  scenario.expectSent('Q(G,a) @0', 'Q(G,b) @0');
});

test('a querier that hears a lower one finishes the queries under way, but starts no new ones (RFC 2236 §3)', () => {
  Scenario.up()
    .receive(v2Report())
    .at(10_000)
    .receive(leave())
    .at(10_500)
    .receive(query(), LOWER_ROUTER)
    .receive(report('IS_EX()', 0xef010102))
    .receive(leave(0xef010102))
    .at(20_000)
    .expectSent('Q(G) @10000', 'Q(G) @11000')
    .expectState('nothing')
    .expectState('EXCLUDE(; )', 0xef010102);
});

describe('on an interface configured for version 2', () => {
  test('group queries are v2 queries, with a linear response time and nothing of v3', () => {
    const scenario = Scenario.up({ version: 2 }).receive(v2Report()).receive(leave());
    expect(scenario.takeSent()).toMatchObject([
      {
        message: {
          version: 2,
          maxResponseTimeMs: 1_000,
          suppressRouterProcessing: false,
          querierRobustness: 0,
          querierQueryIntervalMs: 0,
        },
      },
    ]);
  });
  test('an answer ends the queries: there is no S flag to keep other routers from lowering their timers', () => {
    Scenario.up({ version: 2 })
      .receive(v2Report())
      .at(10_000)
      .receive(leave())
      .at(10_300)
      .receive(v2Report())
      .at(20_000)
      .expectSent('Q(G) @10000')
      .expectState('EXCLUDE(; )');
  });
  test('sources cannot be asked for: they are left to their timers', () => {
    const scenario = Scenario.up({ version: 2 }).receive(report('ALLOW(a b)')).receive(report('TO_IN(b)')).expectSent();
    expect(scenario.timers()).toEqual({ a: GMI, b: GMI });
  });
});

test('LMQC and LMQI of the configuration are used', () => {
  const timing = { ...DEFAULTS.timing, lastMemberQueryCount: 3, lastMemberQueryIntervalMs: 200 };
  Scenario.up({ timing })
    .receive(v2Report())
    .at(10_000)
    .receive(leave())
    .at(10_599)
    .expectState('EXCLUDE(; )')
    .at(10_600)
    .expectState('nothing')
    .expectSent('Q(G) @10000', 'Q(G) @10200', 'Q(G) @10400');
});
