/**
 * Writes the manual pages into the folder it is given.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { EXIT_TEXT } from '../../control/cli/failure';
import { createProgram } from '../../control/cli/run';
import { ERROR_CODES } from '../../control/errors';
import { daemonCommand } from '../../control/arguments';

import { commandPage } from './command-page';
import { configurationPage } from './configuration-page';

const NOWHERE = { write: () => true };

export function manualPages(): ReadonlyMap<string, string> {
  // Of an empty environment: defaults as they are on other machines.
  const program = createProgram({ stdout: NOWHERE, stderr: NOWHERE, env: {}, isTerminal: false }, () => undefined);
  const statuses = Object.entries(ERROR_CODES).map(([code, exitStatus]) => `${exitStatus} ${code}`);
  return new Map([
    [
      'xmcastd.8',
      commandPage(daemonCommand(), {
        name: 'xmcastd',
        section: 8,
        more: [
          ['signals', 'SIGHUP reads the configuration file again. SIGTERM and SIGINT end xmcastd.'],
          ['exit status', `0 ended by a signal; otherwise, by the error: ${statuses.join(', ')}.`],
          ['files', '/etc/xmcast/xmcast.yaml, /run/xmcast/control.sock, /var/lib/xmcast'],
        ],
        seeAlso: 'xmcastctl(8), xmcast.yaml(5)',
      }),
    ],
    [
      'xmcastctl.8',
      commandPage(program, {
        name: 'xmcastctl',
        section: 8,
        more: [
          ['exit status', `${EXIT_TEXT}.`],
          ['environment', 'XMCAST_TARGET, XMCAST_TLS_CA, XMCAST_TLS_CERT, XMCAST_TLS_KEY, XMCAST_TLS_SERVER_NAME: defaults of the options of these names. NO_COLOR: no colours. VISUAL, EDITOR: for config edit.'],
        ],
        seeAlso: 'xmcastd(8), xmcast.yaml(5)',
      }),
    ],
    ['xmcast.yaml.5', configurationPage()],
  ]);
}

function main(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, page] of manualPages()) writeFileSync(join(folder, name), page);
}

if (require.main === module) main(process.argv[2] ?? 'build/man');
