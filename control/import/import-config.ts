/**
 * The configuration of another program → ours, as a message, as a file, and with a note for whatever is not the same. Pure and total:
 * never throws on any text, and its cost is bounded. What comes out holds to our own rules, or a note of severity error says why not.
 */
import { MAX_INTERFACES, MAX_STATIC_ROUTES } from '../config/ranges';
import { indexPath, parentPath } from '../config/source-map';
import { validateConfig } from '../config/validate';
import { translateIgmpproxy } from './igmpproxy';
import { Notes, type ImportFormat, type ImportResult, type Translation } from './import-result';
import { renderImport } from './render';
import { translateSmcroute } from './smcroute';

export const MAX_IMPORT_BYTES = 1024 * 1024;

const TRANSLATORS: Readonly<Record<ImportFormat, (text: string, notes: Notes) => Translation>> = {
  igmpproxy: translateIgmpproxy,
  smcroute: translateSmcroute,
};

export function importConfig(format: ImportFormat, text: string): ImportResult {
  const notes = new Notes();
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_IMPORT_BYTES) return refused(`the file has ${bytes} bytes; allowed are ${MAX_IMPORT_BYTES}`, notes);
  const translation = TRANSLATORS[format](text, notes);
  const excess = excessOf(translation.config);
  if (excess !== undefined) return refused(excess, notes);
  const config = withoutFaultyRoutes(translation, notes);
  return { config, notes: notes.list(), yaml: renderImport(format, config, notes.list()) };
}

function refused(reason: string, notes: Notes): ImportResult {
  notes.error(0, reason);
  return { config: {}, notes: notes.list(), yaml: '' };
}

/** More than a configuration may have: nothing to be corrected by hand, so nothing is written. */
function excessOf({ interfaces, staticRoutes }: Translation['config']): string | undefined {
  const [links, routes] = [interfaces?.length ?? 0, staticRoutes?.length ?? 0];
  if (links > MAX_INTERFACES) return `${links} interfaces; at most ${MAX_INTERFACES} are possible`;
  return routes > MAX_STATIC_ROUTES ? `${routes} routes; at most ${MAX_STATIC_ROUTES} are possible` : undefined;
}

/** A route that cannot be (two that make a loop, say) is left out; for anything else the operator has to decide. */
function withoutFaultyRoutes({ config, lines }: Translation, notes: Notes): ImportResult['config'] {
  const faulty = new Set<number>();
  const problems = validateConfig(config);
  for (const { path, message } of problems) {
    const route = /^static_routes\[([0-9]+)\]/.exec(path)?.[1];
    if (route !== undefined) faulty.add(Number(route));
    notes.error(lineOf(path, lines), `${route === undefined ? path : 'route left out'}: ${message}`);
  }
  const rest = withoutRoutes({ config, lines }, faulty);
  // What was hidden behind the faults of routes is looked for once they are gone; each turn has fewer routes.
  return faulty.size > 0 && faulty.size === problems.length ? withoutFaultyRoutes(rest, notes) : rest.config;
}

function withoutRoutes({ config, lines }: Translation, faulty: ReadonlySet<number>): Translation {
  if (faulty.size === 0) return { config, lines };
  const kept = (config.staticRoutes ?? []).map((route, index) => ({
    route,
    line: lines.get(indexPath('static_routes', index)) ?? 0,
  }));
  const left = kept.filter((_, index) => !faulty.has(index));
  const others = [...lines].filter(([path]) => !path.startsWith('static_routes'));
  return {
    config: { ...config, staticRoutes: left.map(({ route }) => route) },
    lines: new Map([...others, ...left.map(({ line }, index) => [indexPath('static_routes', index), line] as const)]),
  };
}

function lineOf(path: string, lines: ReadonlyMap<string, number>): number {
  for (let at = path; at !== ''; at = parentPath(at)) {
    const line = lines.get(at);
    if (line !== undefined) return line;
  }
  return 0;
}
