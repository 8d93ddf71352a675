/** Why a packet is forwarded or not: tables of what the router knows, and of what a trace makes of it. */
import type { TraceQuestion } from '../../../control/api/trace-source';
import { trace } from '../../../control/router/trace';
import type { PortFacts, RouteFacts, TraceFacts } from '../../../control/router/trace-facts';
import { ip } from './fakes';

const [UP, LAN1, LAN2] = [1, 2, 3];

function port(vport: number, changes: Partial<PortFacts> = {}): PortFacts {
  return {
    vport,
    name: vport === UP ? 'up0' : `lan${vport - 1}`,
    isUpstream: vport === UP,
    exists: true,
    isUp: true,
    mode: 'xdp',
    problem: undefined,
    ttlThreshold: 1,
    mtu: 1500,
    boundary: undefined,
    forwardsToHosts: vport !== UP,
    otherQuerier: undefined,
    demand: undefined,
    hosts: [],
    host: undefined,
    refusal: undefined,
    ...changes,
  };
}

const wanted = { mode: 'exclude', wantsSource: true, isStatic: false } as const;

function route(changes: Partial<RouteFacts> = {}): RouteFacts {
  const counted = { packets: 7n, wrongInterface: 0n, ttlDrops: 0n };
  return { name: '(10.0.0.5, 239.1.1.1)', kind: 'source', isStatic: false, incoming: UP, outgoing: [LAN1], ttlThreshold: 0, isLocal: false, problem: '', counted, ...changes };
}

interface Case {
  readonly up?: Partial<PortFacts>;
  readonly lan1?: Partial<PortFacts>;
  readonly lan2?: Partial<PortFacts>;
  readonly facts?: Partial<TraceFacts>;
  readonly question?: Partial<TraceQuestion>;
}

/** By default a stream that comes by up0 and leaves by lan1, where a host has asked for it; nobody has on lan2. */
function traced({ up, lan1, lan2, facts, question }: Case) {
  const member = { demand: wanted, hosts: ['10.1.1.9'] };
  return trace(
    { group: ip('239.1.1.1'), source: ip('10.0.0.5'), interface: undefined, ttl: 64, bytes: 1400, host: undefined, ...question },
    {
      ports: [port(UP, up), port(LAN1, { ...member, ...lan1 }), port(LAN2, lan2)],
      expected: { vports: [UP], rule: 'upstream' },
      route: route(),
      preview: () => undefined,
      ownAddressOf: undefined,
      ...facts,
    },
  );
}

test('a stream that is forwarded: every decision, and what becomes of each copy', () => {
  const { steps, ports, forwarded, summary } = traced({});
  expect(steps.map(({ stage, verdict, interface: name, text }) => `${stage} ${verdict} ${name}: ${text}`)).toEqual([
    'packet pass : a packet from 10.0.0.5 to 239.1.1.1, TTL 64, 1400 bytes',
    'reverse-path pass up0: expected by this interface: this is the upstream that serves the group',
    'arrival pass up0: taken in XDP mode; TTL 64 is not below the threshold of 1',
    'route pass : (10.0.0.5, 239.1.1.1) takes it: this source was seen sending, or hosts named it; 7 packets so far',
    'membership note lan1: wanted by 10.1.1.9',
    'departure pass lan1: a copy leaves with TTL 63: above the threshold of 1, and 1400 bytes fit the MTU of 1500',
    'departure note lan2: no copy: nobody there has asked for the group',
  ]);
  expect(ports.map((one) => [one.interface, one.sent])).toEqual([['lan1', true], ['lan2', false]]);
  expect([forwarded, summary]).toEqual([true, 'Forwarded to lan1 by (10.0.0.5, 239.1.1.1).']);
});

const drops: readonly (readonly [what: string, given: Case, summary: RegExp])[] = [
  ['no group', { question: { group: ip('10.1.1.1') } }, /is no multicast group/],
  ['a group of the link', { question: { group: ip('224.0.0.251') } }, /224\.0\.0\.0\/24, which no router forwards/],
  ['a martian source', { question: { source: ip('127.0.0.1') } }, /martian_source/],
  ['a TTL of 1', { question: { ttl: 1 } }, /TTL of 1 is used up/],
  ['an interface that is not configured', { question: { interface: 'eth9' } }, /eth9 is not configured/],
  ['an interface that does not exist', { up: { exists: false } }, /no such interface exists/],
  ['an interface that is down', { up: { isUp: false } }, /the interface is down/],
  ['an interface without the forwarder', { up: { problem: 'attach XDP to up0: EBUSY' } }, /could not be attached: attach XDP to up0: EBUSY/],
  ['a TTL below the threshold', { up: { ttlThreshold: 65 } }, /TTL 64 is below the threshold of 65.*ttl_in/],
  ['a boundary at the entrance', { up: { boundary: '239.0.0.0/8' } }, /in the boundary 239\.0\.0\.0\/8/],
  ['a wrong interface', { question: { interface: 'lan2' } }, /comes in by up0, not by lan2: wrong_interface/],
  ['a route that was refused', { facts: { route: route({ problem: 'the table is full' }) } }, /not as wanted in the data plane: the table is full/],
  ['a route without receivers', { facts: { route: route({ outgoing: [] }) } }, /no_receivers/],
  ['no route and no reverse path', { facts: { route: undefined, expected: { vports: [], rule: 'none' } } }, /come in nowhere/],
  ['no route, by another interface than expected', { facts: { route: undefined }, question: { interface: 'lan2' } }, /does not come by a reverse path/],
  ['a stream nobody wants', { facts: { route: undefined, preview: () => ({ outgoing: [], isLocal: false }) }, lan1: { demand: undefined } }, /nobody wants it/],
  ['a TTL at the threshold of the exit', { lan1: { ttlThreshold: 64 } }, /TTL 64 is not above the threshold of 64: ttl_out/],
  ['a TTL at the threshold of the route', { facts: { route: route({ ttlThreshold: 64 }) } }, /ttl_out/],
  ['a packet above the MTU of the exit', { question: { bytes: 1501 } }, /1501 bytes are more than the MTU of 1500: too_big/],
  ['an exit that is down', { lan1: { isUp: false } }, /the interface is down/],
];

test.each(drops)('%s: not forwarded, and why', (_, given, summary) => {
  const result = traced(given);
  expect(result.forwarded).toBe(false);
  expect(result.summary).toMatch(/^Not forwarded: .*\.$/);
  expect(result.summary).toMatch(summary);
  expect(result.ports.every(({ sent }) => !sent)).toBe(true);
  expect(result.steps.some(({ verdict }) => verdict === 'drop')).toBe(true);
});

const absences: readonly (readonly [what: string, given: Case, reason: RegExp])[] = [
  ['nobody has asked', {}, /nobody there has asked/],
  ['a limit is reached', { lan2: { refusal: 'igmp.max_groups of 4 is reached: new groups are refused' } }, /nobody there is a member: igmp\.max_groups of 4/],
  ['other sources are wanted', { lan2: { demand: { mode: 'include', wantsSource: false, isStatic: false } } }, /want other sources only/],
  ['the source is excluded', { lan2: { demand: { mode: 'exclude', wantsSource: false, isStatic: false } } }, /exclude this source/],
  ['another router is the querier', { lan2: { demand: wanted, forwardsToHosts: false, otherQuerier: '10.1.2.2' } }, /10\.1\.2\.2 is the querier there/],
  ['a boundary', { lan2: { demand: wanted, boundary: '239.1.0.0/16' } }, /in its boundary 239\.1\.0\.0\/16/],
  ['a static route decides', { facts: { route: route({ isStatic: true }) }, lan2: { demand: wanted } }, /the static route does not name it/],
  ['the interface does not exist', { lan2: { demand: wanted, exists: false } }, /no such interface/],
];

test.each(absences)('no copy for lan2 because %s', (_, given, reason) => {
  const result = traced(given);
  expect(result.forwarded).toBe(true);
  expect(result.ports.find((one) => one.interface === 'lan2')).toEqual({ interface: 'lan2', sent: false, reason: expect.stringMatching(reason) });
});

test('no route yet: what the first packet makes', () => {
  const { summary, steps } = traced({ facts: { route: undefined, preview: (incoming) => (incoming === UP ? { outgoing: [LAN1], isLocal: false } : undefined) } });
  expect(summary).toBe('Forwarded to lan1 by the route that its first packet makes.');
  expect(steps.find(({ stage }) => stage === 'route')?.text).toContain('the first packet goes to the controller');
});

test('several upstreams: the first packet decides by which it comes', () => {
  const facts = { route: route({ name: '(*, 239.1.1.1)', kind: 'group', incoming: undefined }), expected: { vports: [UP, LAN2], rule: 'upstream' }, preview: () => ({ outgoing: [LAN1], isLocal: false }) } as const;
  const { steps, forwarded } = traced({ facts });
  expect(forwarded).toBe(true);
  expect(steps.map(({ text }) => text)).toEqual(expect.arrayContaining([expect.stringContaining('expected by any of up0, lan2'), expect.stringContaining('no incoming interface of its own')]));
});

test('a static route crosses a boundary: the operator decided both', () => {
  expect(traced({ up: { boundary: '239.0.0.0/8' }, facts: { route: route({ isStatic: true }) } }).forwarded).toBe(true);
});

test('only applications of this machine want it', () => {
  const { forwarded, summary } = traced({ facts: { route: route({ outgoing: [], isLocal: true }) } });
  expect([forwarded, summary]).toEqual([true, 'Forwarded to applications of this machine by (10.0.0.5, 239.1.1.1).']);
});

test.each([
  ['these', '10.1.2.9 has asked for it'],
  ['others', '10.1.2.9 has asked for the group, but not for this source'],
  ['nothing', '10.1.2.9 has not asked for the group, as far as is known'],
] as const)('a host that wants %s', (wants, text) => {
  const { steps } = traced({ lan2: { host: { address: '10.1.2.9', wants } }, question: { host: ip('10.1.2.9') } });
  expect(steps).toContainEqual({ stage: 'membership', verdict: 'note', interface: 'lan2', text });
});

test('a host in no subnet', () => {
  const { steps } = traced({ question: { host: ip('192.0.2.1') } });
  expect(steps).toContainEqual(expect.objectContaining({ stage: 'membership', text: expect.stringContaining('in no subnet of a configured interface') }));
});
