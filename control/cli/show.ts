/**
 * Puts views on the screen: once, or again and again.
 */
import { type CliFailure, EXIT, type ExitStatus } from './failure';
import type { Live } from './live-views';
import { isTable, type OutputStyle, renderView } from './output';
import type { CliIo } from './run';
import { Screen } from './screen';
import { printable } from './table';
import type { View } from './views';
import { followUntilStopped, watchUntilStopped } from './watch';

/** Of a terminal that does not tell, or tells 0. */
export const DEFAULT_ROWS = 24;

export function print(view: View, style: OutputStyle, io: CliIo): ExitStatus {
  if (view.missing === undefined || !isTable(style.format)) io.stdout.write(renderView(view, style));
  if (view.missing === undefined) return EXIT.ok;
  io.stderr.write(missingText(view.missing));
  return view.missing.exitStatus;
}

function missingText(missing: CliFailure): string {
  return `xmcastctl: ${printable(missing.message)}\n`;
}

export interface Repetition {
  readonly look: () => Promise<View>;
  /** Instead of looks, where there is a stream. */
  readonly live: Live | undefined;
  readonly everyMs: number;
  readonly signal: AbortSignal;
}

/** Tables on a terminal are redrawn in place, everything else follows one after the other. The status is that of the last look. */
export async function showAgain(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  return io.isTerminal && isTable(style.format) ? redraw(repetition, style, io) : printOneAfterAnother(repetition, style, io);
}

async function redraw(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  const screen = new Screen(
    (text) => io.stdout.write(text),
    () => io.rows?.() || DEFAULT_ROWS,
  );
  let status: ExitStatus = EXIT.ok;
  const show = (view: View): void => {
    status = view.missing?.exitStatus ?? EXIT.ok;
    screen.draw(view.missing === undefined ? renderView(view, style) : missingText(view.missing));
  };
  try {
    await repeat(repetition, show, io);
  } finally {
    screen.close();
  }
  return status;
}

async function printOneAfterAnother(repetition: Repetition, style: OutputStyle, io: CliIo): Promise<ExitStatus> {
  let status: ExitStatus | undefined;
  const show = (view: View): void => {
    if (status !== undefined && isTable(style.format)) io.stdout.write('\n');
    status = print(view, style, io);
  };
  await repeat(repetition, show, io);
  return status ?? EXIT.ok;
}

/** A list that changes is drawn when it does; what is printed one after the other keeps its pace. */
function repeat({ look, live, everyMs, signal }: Repetition, show: (view: View) => void, io: CliIo): Promise<void> {
  if (live === undefined) return watchUntilStopped({ everyMs, signal, look, show });
  return followUntilStopped({ everyMs, signal, live, show: () => show(live.view()), promptly: io.isTerminal || live.isSampled });
}
