/** The results as an SVG picture: one panel for each frame size, a group of bars for each port count. Nothing but text in, text out. */
import { CONTENDERS } from './protocol';
import { portsText, type Cell } from './results';

const LOOKS = {
  bare: { label: 'bare XDP broadcast', colour: '#b0b7c3' },
  egress: { label: 'with empty egress program', colour: '#8b949e' },
  xmcast: { label: 'xmcast, exact counters', colour: '#1f6feb' },
  tc: { label: 'xmcast, port in tc mode', colour: '#7cb2f5' },
  kernel: { label: 'kernel forwarder', colour: '#d9822b' },
} as const satisfies Record<(typeof CONTENDERS)[number], { label: string; colour: string }>;
const BAR_ORDER = ['bare', 'egress', 'xmcast', 'tc', 'kernel'] as const;

const PANEL = { width: 440, height: 300, left: 56, top: 84, gap: 40 } as const;
const BAR_WIDTH = 26;
const GRID_STEPS = 5;

export function renderPlot(cells: readonly Cell[]): string {
  const sizes = [...new Set(cells.map(({ size }) => size))];
  const top = niceCeiling(Math.max(...cells.flatMap((cell) => CONTENDERS.map((name) => rate(cell, name)))));
  const width = PANEL.left + sizes.length * (PANEL.width + PANEL.gap);
  const height = PANEL.top + PANEL.height + 56;
  const panels = sizes.map((size, i) => {
    const own = cells.filter((cell) => cell.size === size);
    return `<g transform="translate(${PANEL.left + i * (PANEL.width + PANEL.gap)} ${PANEL.top})">${panel(own, size, top)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#24292f">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(PANEL.left, 24, 'Million copies per second of one core, receivers included', 'font-size="15" font-weight="bold"'),
    ...BAR_ORDER.map(legend),
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

function panel(cells: readonly Cell[], size: number, top: number): string {
  const y = (value: number): number => PANEL.height * (1 - value / top);
  const grid = Array.from({ length: GRID_STEPS + 1 }, (_, i) => (top * i) / GRID_STEPS).map(
    (value) =>
      `<line x1="0" x2="${PANEL.width}" y1="${y(value)}" y2="${y(value)}" stroke="#d8dee4"/>` +
      text(-8, y(value) + 4, trimmed(value), 'text-anchor="end"'),
  );
  const slot = PANEL.width / Math.max(1, cells.length);
  const groups = cells.map((cell, i) => {
    const centre = slot * (i + 0.5);
    const bars = BAR_ORDER.map((name, k) =>
      bar(centre + (k - BAR_ORDER.length / 2) * BAR_WIDTH, y(rate(cell, name)), name, rate(cell, name)),
    );
    return bars.join('') + text(centre, PANEL.height + 18, portsText(cell.ports), 'text-anchor="middle"');
  });
  return text(0, -14, `${size}-byte frames`, 'font-weight="bold"') + grid.join('') + groups.join('');
}

function bar(x: number, y: number, name: (typeof BAR_ORDER)[number], value: number): string {
  const rectangle = `<rect x="${x + 1}" y="${y}" width="${BAR_WIDTH - 2}" height="${PANEL.height - y}" fill="${LOOKS[name].colour}"/>`;
  return rectangle + text(x + BAR_WIDTH / 2, y - 4, value.toFixed(2), 'text-anchor="middle" font-size="10"');
}

function legend(name: (typeof BAR_ORDER)[number], index: number): string {
  const x = PANEL.left + index * 190;
  return `<rect x="${x}" y="38" width="12" height="12" fill="${LOOKS[name].colour}"/>${text(x + 18, 48, LOOKS[name].label, '')}`;
}

function text(x: number, y: number, words: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${words}</text>`;
}

function rate(cell: Cell, name: (typeof CONTENDERS)[number]): number {
  return cell.contenders[name].copiesPerSecond.median / 1e6;
}

/** The next of 1, 2, 2.5, 5, 10 times a power of ten: grid lines fall on plain numbers. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 2.5, 5, 10].find((step) => step * power >= value) ?? 10);
}

function trimmed(value: number): string {
  return String(Number(value.toFixed(2)));
}
