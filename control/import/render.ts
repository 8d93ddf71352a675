/**
 * Config and notes → a file: the notes as comments on top, then the configuration.
 */
import type { xmcast } from '#proto';
import { configToYaml } from '../config/format';
import { escapeControls } from '../config/printable';
import type { ImportFormat, ImportNote } from './import-result';

export function renderImport(format: ImportFormat, config: xmcast.v1.Config.$Properties, notes: readonly ImportNote[]): string {
  const head = [`Translated from a configuration of ${format}. How xmcast behaves differently: docs/migration.md`];
  const comments =
    notes.length === 0
      ? head
      : [...head, '', 'Not the same, not needed or not possible:', ...notes.map((note) => `  ${noteText(note)}`)];
  return `${comments.map((line) => `# ${line}`.trimEnd()).join('\n')}\n\n${configToYaml(config)}`;
}

/** "line 12: error: …" on one line. */
export function noteText({ line, severity, text }: ImportNote): string {
  const place = line === 0 ? [] : [`line ${line}`];
  return escapeControls([...place, severity, text].join(': '));
}
