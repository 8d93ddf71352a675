/**
 * `xmcastctl detach`.
 */
import type { ConfigTools } from './config-actions';
import { EXIT, type ExitStatus } from './failure';
import { isTable } from './output';

export async function detachAction({ client, io, style }: ConfigTools): Promise<ExitStatus> {
  await client.detach();
  io.stdout.write(isTable(style.format) ? 'xmcastd detaches and stops.\n' : '{}\n');
  return EXIT.ok;
}
