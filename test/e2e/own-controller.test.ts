/** The controller of docs/forwarder.md, as it stands there, drives a data plane: the stream it is made for arrives, and goes on without it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModuleKind, transpileModule } from 'typescript';
import { eventually } from '../lab/eventually';
import { inRepository } from '../lab/repository';
import { startDataplane } from '../lab/split-roles';
import { createStar, SOURCE, type Star } from '../lab/star';

jest.setTimeout(60_000);

const G = '239.1.1.1';
let star: Star;
beforeAll(async () => {
  star = await createStar('own', [{ name: 'host' }]);
});
afterAll(async () => star?.lab.close());

function exampleOf(document: string): string {
  return /```ts\n([^]*?)```/.exec(readFileSync(inRepository(document), 'utf8'))?.[1] ?? '';
}

test('docs/forwarder.md', async () => {
  const [host] = star.hosts;
  if (host === undefined) throw new Error('no host');
  const [socketPath, pinPath] = [join(star.lab.directory, 'own.sock'), `/sys/fs/bpf/xmcast-${star.lab.id}-own`];
  star.lab.removeOnClose(pinPath);
  const dataplane = startDataplane(star.lab, star.router, { socketPath, pinPath });
  await eventually(() => dataplane.process.stdout.includes('the data plane is ready'), { what: 'the data plane is ready', timeoutMs: 30_000 });
  const program = join(star.lab.directory, 'controller.js');
  writeFileSync(program, transpileModule(exampleOf('docs/forwarder.md'), { compilerOptions: { module: ModuleKind.CommonJS, esModuleInterop: true } }).outputText);
  const controller = star.lab.spawn(star.source.namespace, [process.execPath, program, `unix://${socketPath}`, 'up0', 'lan1'], {
    cwd: inRepository('.'),
    env: { NODE_PATH: inRepository('node_modules') },
  });
  await eventually(() => ['1: done', '2: done', '3: done'].every((line) => controller.stdout.includes(line)) || controller.hasExited, {
    what: 'all three are done',
    timeoutMs: 20_000,
  });
  expect(controller.stderr).toBe('');
  const receiver = await star.lab.receiver(host, { joins: [G] });
  const sender = await star.lab.sender(star.source, { group: G, source: SOURCE, rate: 500 });
  const received = async (): Promise<number> => (await receiver.stats()).flows.find(({ streamId }) => streamId === sender.streamId)?.received ?? 0;
  await eventually(async () => (await received()) > 100, { what: 'the stream arrives' });
  await eventually(() => /PUNT_CLASS_(IGMP_REPORT|NEW_SOURCE) on vport/.test(controller.stdout), { what: 'punts are shown' });
  await controller.terminate({ graceMs: 1000 });
  const before = await received();
  await eventually(async () => (await received()) > before + 200, { what: 'the stream goes on without a controller' });
});
