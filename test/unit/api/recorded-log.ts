/**
 * A log that keeps its lines for assertions.
 */
import type { Log } from '../../../control/log';

export class RecordedLog implements Log {
  readonly lines: { readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string; readonly fields: object }[] = [];

  debug(fields: object, text: string): void {
    this.lines.push({ level: 'debug', text, fields });
  }

  info(fields: object, text: string): void {
    this.lines.push({ level: 'info', text, fields });
  }

  warn(fields: object, text: string): void {
    this.lines.push({ level: 'warn', text, fields });
  }

  error(fields: object, text: string): void {
    this.lines.push({ level: 'error', text, fields });
  }
}
