import { readFileSync } from 'node:fs';
import path from 'node:path';

import { ApiCounters, REFUSAL_REASONS } from '../../../control/api/api-counters';
import { PUNT_CLASSES } from '../../../control/dataplane/api';
import { startMetricsServer } from '../../../control/metrics/server';
import { IGMP_DROP_REASONS } from '../../../control/protocol/igmp/message';
import { FakeState, flowState, interfaceState, upstreamState } from '../api/fake-state';
import { RecordedLog } from '../api/recorded-log';
import { type ParsedFamily, parseExposition } from './parse-exposition';

const ROOT = path.resolve(__dirname, '../../..');
const document = readFileSync(path.join(ROOT, 'docs/metrics.md'), 'utf8');

interface Documented {
  readonly type: string;
  readonly labels: string;
}

function documentedMetrics(): Map<string, Documented> {
  const rows = document.matchAll(/^\| `((?:xmcast|process|nodejs)_\w+)` \| (\w+) \| ([^|]*)\|/gm);
  return new Map([...rows].map(([, name = '', type = '', labels = '']) => [name, { type, labels: labels.trim() }]));
}

/** First column of the table under a heading. */
function documentedWords(heading: string): string[] {
  const section = document.split(new RegExp(`^### ${heading}$`, 'm'))[1]?.split(/^##/m)[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, word = '']) => word);
}

/** A scrape in which everything has occurred. */
async function fullScrape(): Promise<Map<string, ParsedFamily>> {
  const state = new FakeState();
  const counts = new Map([['something', 1n]]);
  state.interfaceStates = [
    interfaceState({
      drops: counts,
      punts: counts,
      puntDrops: counts,
      igmpReceived: counts,
      igmpSent: counts,
      igmpDropped: counts,
    }),
    upstreamState(),
  ];
  state.flowStates = [
    flowState({ wrongInterfacePackets: 1n, ttlDroppedPackets: 1n, failedPackets: 1n, droppedPackets: 1n, skippedPackets: 1n }),
  ];
  const api = new ApiCounters();
  api.countRequest('/xmcast.v1.SystemService/GetStatus', 0);
  api.certificate = { notAfterMs: 1 };
  const server = await startMetricsServer({ host: '127.0.0.1', port: 0, state, api, log: new RecordedLog() });
  try {
    return parseExposition(await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text());
  } finally {
    await server.close();
  }
}

test('docs/metrics.md describes each metric of a scrape, and no other', async () => {
  const scraped = [...(await fullScrape()).values()].map(({ name, type }) => `${name} ${type}`);
  const documented = [...documentedMetrics()].map(([name, { type }]) => `${name} ${type}`);
  expect(documented.sort()).toEqual(scraped.sort());
});

test('docs/metrics.md names the labels of each of our metrics', async () => {
  const documented = documentedMetrics();
  for (const { name, samples, type } of (await fullScrape()).values()) {
    if (!name.startsWith('xmcast_') || type === 'histogram') continue;
    const labels = new Set([...samples.values()].map((sample) => Object.keys(sample.labels).join(', ')));
    expect([name, ...labels]).toEqual([name, documented.get(name)?.labels]);
  }
});

test('docs/metrics.md lists the reasons and classes of the code', () => {
  const abi = readFileSync(path.join(ROOT, 'bpf/abi.h'), 'utf8');
  const declaration = /enum xm_drop_reason \{([^}]*)\}/.exec(abi)?.[1] ?? '';
  const dropReasons = [...declaration.matchAll(/^\s*XM_DROP_(\w+)/gm)].map(([, name = '']) => name.toLowerCase());
  expect(documentedWords('Reasons of dropped packets')).toEqual(dropReasons.filter((name) => name !== 'max'));
  expect(documentedWords('Classes of punted packets')).toEqual([...PUNT_CLASSES]);
  expect(documentedWords('Reasons of refusals')).toEqual([...REFUSAL_REASONS]);
  expect(documentedWords('Reasons of IGMP drops')).toEqual([...IGMP_DROP_REASONS]);
});
