/**
 * Applies one configuration after the other to the state folder it is given, until it is killed. Before each it writes "begin N", after
 * the answer "done N": ttl_threshold of the configuration is N.
 */
import { writeSync } from 'node:fs';
import { FileLock } from '#bindings';
import { nodeFileSystem } from '../../control/config/file-system';
import { ConfigManager } from '../../control/config/config-manager';
import { RevisionStore, type RevisionStoreOptions } from '../../control/config/revision-store';
import { startingConfig } from '../../control/config/starting-config';
import { systemClock } from '../../control/kernel/clock';
import { numbered, request } from '../unit/config-transactions/bench';

const SILENT = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function main(folder: string, first: number): Promise<void> {
  const options: RevisionStoreOptions = { folder, files: nodeFileSystem, lock: (path) => new FileLock(path), log: SILENT };
  const started = await startingConfig(undefined, options);
  const manager = new ConfigManager({
    started,
    store: started.store,
    openStore: () => RevisionStore.open(options),
    file: '',
    readFile: () => Promise.reject(new Error('there is no file')),
    router: { reconfigure: () => Promise.resolve() },
    interfaceExists: () => true,
    clock: systemClock,
    log: SILENT,
  });
  for (let number = first; ; number = (number % 255) + 1) {
    writeSync(1, `begin ${number}\n`);
    await manager.apply(request(numbered(number)));
    writeSync(1, `done ${number}\n`);
  }
}

void main(process.argv[2] ?? '', Number(process.argv[3]));
