/** When something is due at any of the ports, and letting it happen. */
import type { Port } from './port';

/** The earliest, also of these others; undefined: nothing is due. */
export function nextDeadlineOf(ports: readonly Port[], others: readonly (number | undefined)[]): number | undefined {
  let earliest: number | undefined;
  const consider = (deadline: number | undefined): void => {
    if (deadline !== undefined && (earliest === undefined || deadline < earliest)) earliest = deadline;
  };
  for (const deadline of others) consider(deadline);
  for (const port of ports) consider(port.nextDeadline());
  return earliest;
}

export function advanceDue(ports: readonly Port[], nowMs: number): void {
  for (const port of ports) {
    const deadline = port.nextDeadline();
    if (deadline !== undefined && deadline <= nowMs) port.advance();
  }
}
