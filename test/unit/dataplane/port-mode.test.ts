/** Which programs a port gets, by what the configuration says and what kind of device it is. */
import { isSamePlan, planDevice, planPort } from '../../../control/dataplane/port-mode';

const HARDWARE = '';

test.each([
  { mode: 'auto', kind: HARDWARE, plan: { mode: 'xdp', reason: '', mayFallBack: true } },
  { mode: 'auto', kind: 'bond', plan: { mode: 'xdp', reason: '', mayFallBack: true } },
  { mode: 'auto', kind: 'veth', plan: { mode: 'tc', reason: 'veth devices may carry checksums that their senders left unfinished', mayFallBack: false } },
  { mode: 'auto', kind: 'tun', plan: { mode: 'tc', reason: 'tun devices may carry checksums that their senders left unfinished', mayFallBack: false } },
  { mode: 'auto', kind: 'bridge', plan: { mode: 'tc', reason: 'bridge devices have no XDP of their own', mayFallBack: false } },
  { mode: 'auto', kind: 'vlan', plan: { mode: 'tc', reason: 'vlan devices have no XDP of their own', mayFallBack: false } },
  { mode: 'xdp', kind: 'veth', plan: { mode: 'xdp', reason: '', mayFallBack: false } },
  { mode: 'xdp', kind: HARDWARE, plan: { mode: 'xdp', reason: '', mayFallBack: false } },
  { mode: 'tc', kind: HARDWARE, plan: { mode: 'tc', reason: 'the configuration asks for it', mayFallBack: false } },
] as const)('mode $mode on a device of kind "$kind"', ({ mode, kind, plan }) => {
  expect(planPort({ mode, kind })).toEqual(plan);
});

test('nothing said is auto on hardware', () => {
  expect(planPort({})).toEqual(planPort({ mode: 'auto', kind: HARDWARE }));
});

test('a plan is another one when its mode, its reason or its way out is', () => {
  expect(isSamePlan(planPort({ mode: 'tc', kind: 'veth' }), planPort({ mode: 'tc', kind: HARDWARE }))).toBe(true);
  expect(isSamePlan(planPort({ mode: 'tc' }), planPort({ mode: 'auto', kind: 'veth' }))).toBe(false);
  expect(isSamePlan(planPort({ mode: 'xdp' }), planPort({ mode: 'auto' }))).toBe(false);
});

test('the ports of one device have one plan: tc goes before XDP, XDP before what the device decides', () => {
  const modesTo = (...modes: readonly ('auto' | 'xdp' | 'tc')[]) => planDevice(modes.map((mode) => ({ mode, kind: 'veth' })));
  expect(modesTo('auto', 'xdp', 'tc')).toEqual(planPort({ mode: 'tc', kind: 'veth' }));
  expect(modesTo('auto', 'xdp')).toEqual(planPort({ mode: 'xdp', kind: 'veth' }));
  expect(modesTo('auto', 'auto')).toEqual(planPort({ mode: 'auto', kind: 'veth' }));
});
