/**
 * Events, one line each, in columns that stay where they are: lines are printed as events come, and their widths cannot be known before.
 */
import { xmcast } from '#proto';

import { fromWire } from '../api/u64';
import { fromWireTime } from '../api/wire-time';

import { type Colour, paint } from './colour';
import { printable, type TableStyle } from './table';

type Event = xmcast.v1.Event.$Properties;

const { Severity, Type } = xmcast.v1.Event;

const TITLES = ['TIME', 'SEVERITY', 'TYPE', 'SUBJECT', 'EVENT'] as const;
const WIDTHS = [19, 8, 18, 16] as const;
const GAP = '  ';

const COLOUR: Readonly<Record<number, Colour>> = { [Severity.SEVERITY_WARNING]: 'warning', [Severity.SEVERITY_ERROR]: 'bad' };

export function eventTitles({ colour }: TableStyle): string {
  return `${paint(columns(TITLES), 'title', colour)}\n`;
}

export function eventLine(event: Event, { colour }: TableStyle): string {
  const severity = event.severity ?? 0;
  const suppressed = fromWire(event.suppressedCount);
  const more = suppressed > 0n ? ` (and ${suppressed} more of this type before)` : '';
  const cells = [timeText(event), severityText(severity), typeText(event.type ?? 0), event.subject || '-', `${event.text ?? ''}${more}`];
  return `${paint(columns(cells.map(printable)), COLOUR[severity], colour)}\n`;
}

export function formatEvents(events: readonly Event[], style: TableStyle): string {
  return eventTitles(style) + events.map((event) => eventLine(event, style)).join('');
}

/** "interface-up"; a number this client does not know stays a number. */
export function typeText(type: number): string {
  return wordOf(Type, 'TYPE_', type);
}

export function severityText(severity: number): string {
  return wordOf(Severity, 'SEVERITY_', severity);
}

function wordOf(values: object, prefix: string, value: number): string {
  const name: unknown = Reflect.get(values, value);
  return typeof name === 'string' ? name.slice(prefix.length).toLowerCase().replaceAll('_', '-') : String(value);
}

function columns(cells: readonly string[]): string {
  return cells.map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0)).join(GAP).trimEnd();
}

/** Of this machine's time zone, to the second. */
function timeText({ time }: Event): string {
  const ms = fromWireTime(time);
  if (ms === undefined) return '-';
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
