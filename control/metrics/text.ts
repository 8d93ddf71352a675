/**
 * The Prometheus text format 0.0.4: headers, label sets, samples. Counters are printed from bigint digit by digit, never as floats.
 */

export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
}

export type Labels = Readonly<Record<string, string>>;
export type SampleValue = bigint | number;

/** The HELP and TYPE lines a family starts with. */
export function familyHeader(family: MetricFamily): string {
  const help = family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${family.name} ${help}\n# TYPE ${family.name} ${family.type}\n`;
}

/** `{a="x",b="y"}`, or "" without labels. */
export function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabelValue(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Interface names may hold any byte but space, slash and colon. */
export function escapeLabelValue(value: string): string {
  if (!/[\\"\n]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

export function sampleLine(name: string, labels: string, value: SampleValue): string {
  return `${name}${labels} ${valueText(value)}\n`;
}

function valueText(value: SampleValue): string {
  if (typeof value === 'bigint' || Number.isFinite(value)) return value.toString();
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
