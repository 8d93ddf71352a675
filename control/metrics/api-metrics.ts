/**
 * The catalogue of metrics of the management API. docs/metrics.md describes each; a test compares the two.
 */
import { type ApiCounters, LISTENER_KINDS, REFUSAL_REASONS } from '../api/api-counters';

import { familyHeader, type Labels, labelText, type MetricFamily, sampleLine, type SampleValue } from './text';

type Sample = readonly [labels: Labels, value: SampleValue];

interface ApiFamily extends MetricFamily {
  readonly samples: (counters: ApiCounters) => readonly Sample[];
}

const FAMILIES: readonly ApiFamily[] = [
  {
    name: 'xmcast_api_requests_total',
    type: 'counter',
    help: 'Calls of the management API that have ended.',
    samples: (counters) => counters.requests().map(({ method, code, count }) => [{ method, code }, count]),
  },
  {
    name: 'xmcast_api_refused_total',
    type: 'counter',
    help: 'Connections and calls that the management API refused.',
    samples: ({ refused }) => REFUSAL_REASONS.map((reason) => [{ reason }, refused.get(reason) ?? 0]),
  },
  {
    name: 'xmcast_api_connections',
    type: 'gauge',
    help: 'Clients connected to the management API.',
    samples: ({ connections }) => LISTENER_KINDS.map((listener) => [{ listener }, connections[listener]]),
  },
  {
    name: 'xmcast_api_certificate_not_after_timestamp_seconds',
    type: 'gauge',
    help: 'When the certificate of the TCP listeners ends, as Unix time.',
    samples: ({ certificate }) => (certificate === undefined ? [] : [[{}, certificate.notAfterMs / 1000]]),
  },
  {
    name: 'xmcast_api_certificate_reads_failed_total',
    type: 'counter',
    help: 'Certificates of the TCP listeners that could not be used.',
    samples: ({ failedCertificateReads }) => [[{}, failedCertificateReads]],
  },
];

export function renderApiMetrics(counters: ApiCounters): string {
  return FAMILIES.map((family) => {
    const lines = family.samples(counters).map(([labels, value]) => sampleLine(family.name, labelText(labels), value));
    return familyHeader(family) + lines.join('');
  }).join('');
}
