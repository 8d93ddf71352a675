/** Memberships of a router that was there before: held for a time, claimed and ended by hosts by the ordinary rules. */
import { GMI, GROUP, LMQT, Scenario, leave, report, source, v2Report } from './scenario';

const HOLD_MS = 900_000;
const [S, T] = [source('s'), source('t')];
const everySource = { kind: 'restored', group: GROUP, mode: 'exclude', sources: [], untilMs: HOLD_MS } as const;
const allBut = { ...everySource, sources: [S] } as const;
const only = { ...everySource, mode: 'include', sources: [S, T] } as const;

test('what nobody claims lasts until the hold time is over', () => {
  const scenario = Scenario.up().input(everySource).expectPublished('EXCLUDE(; )');
  expect(scenario.machine.unclaimedCount).toBe(1);
  scenario.at(HOLD_MS - 1).expectPublished();
  scenario.at(HOLD_MS).expectPublished('nothing');
  expect(scenario.machine.unclaimedCount).toBe(0);
});

test('sources that were left out are blocked, sources that were named are wanted', () => {
  Scenario.up().input(allBut).expectState('EXCLUDE(; s)').at(HOLD_MS).expectState('nothing');
  Scenario.up().input(only).expectState('INCLUDE(s t)').at(HOLD_MS).expectState('nothing');
});

test('a report claims it, and from then on it lives as long as any', () => {
  const scenario = Scenario.up().input(everySource).at(1000).receive(v2Report());
  expect(scenario.machine.unclaimedCount).toBe(0);
  scenario.at(1000 + GMI - 1).expectState('EXCLUDE(; )').at(1000 + GMI).expectState('nothing');
});

test('a leave is asked about, also at once: nobody answers, and it ends', () => {
  const scenario = Scenario.up().input(everySource).at(100).receive(leave());
  scenario.at(100 + LMQT - 1).expectState('EXCLUDE(; )').at(100 + LMQT).expectState('nothing');
});

test('with quick leave for known hosts a leave is asked about: who else is a member is not known', () => {
  const scenario = Scenario.up({ quickLeave: 'tracked' }).input(everySource).at(100).receive(v2Report()).at(200).receive(leave());
  scenario.at(201).expectState('EXCLUDE(; )').at(200 + LMQT).expectState('nothing');
});

test('what hosts have said before stands', () => {
  const scenario = Scenario.up().receive(report('IS_EX(t)')).input(allBut).expectState('EXCLUDE(; t)');
  expect(scenario.machine.unclaimedCount).toBe(0);
  scenario.at(GMI).expectState('nothing');
  const named = Scenario.up().receive(report('ALLOW(s)')).input(only).expectState('INCLUDE(s t)');
  named.at(GMI).expectState('INCLUDE(t)').at(HOLD_MS).expectState('nothing');
});

test('no limit refuses what was there', () => {
  const limits = { groups: 0, sourcesPerGroup: 100, groupsPerHost: 0, trackedHosts: 10, exceptions: [], total: { limit: 0, used: 0 } };
  Scenario.up({ limits }).input(everySource).expectState('EXCLUDE(; )');
});

test('a link that goes down takes it along; one that is down takes none', () => {
  const scenario = Scenario.up().input(everySource).linkDown().expectPublished('EXCLUDE(; )', 'nothing');
  expect(scenario.machine.unclaimedCount).toBe(0);
  scenario.input(everySource).expectPublished();
});
