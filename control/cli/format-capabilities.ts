/**
 * GetCapabilities as text.
 */
import type { xmcast } from '#proto';

import { fromWire } from '../api/u64';

import { modeText } from './format-interfaces';
import { renderPairs, renderTable, type TableStyle } from './table';
import { formatCount } from './units';

export function formatCapabilities(found: xmcast.v1.GetCapabilitiesResponse.$Properties, style: TableStyle): string {
  const { apiVersion, version, features, kernelRelease, kernelFeatures, interfaces, limits } = found;
  const head = renderPairs([
    ['API', apiVersion ?? ''],
    ['Version', version ?? ''],
    ['Features', (features ?? []).join(' ')],
    ['Kernel', kernelRelease ?? ''],
  ]);
  const kernel = renderTable(
    [{ title: 'KERNEL FEATURE' }, { title: 'THERE' }, { title: 'DETAIL' }],
    (kernelFeatures ?? []).map(({ name, available, detail }) => [name ?? '', available === true ? 'yes' : 'no', detail ?? '']),
    style,
  );
  const modes = renderTable(
    [{ title: 'INTERFACE' }, { title: 'MODE' }, { title: 'WHY NOT XDP' }],
    (interfaces ?? []).map((entry) => [entry.interface ?? '', modeText({ mode: entry.mode ?? null }), entry.modeReason || '-']),
    style,
  );
  const numbers = renderTable(
    [{ title: 'LIMIT' }, { title: 'VALUE', align: 'right' }],
    (limits ?? []).map(({ name, value }) => [name ?? '', formatCount(fromWire(value))]),
    style,
  );
  return [head, kernel, modes, numbers].join('\n');
}
