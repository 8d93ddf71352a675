/**
 * The tc program on kernels without tcx (before Linux 6.6): as a filter of clsact. Whoever ends, and however, the next start finds the
 * interface as it was. Each step runs in a process of its own inside the router's namespace.
 *
 *     feeder ── up0 [router]
 */
import { Lab } from '../lab/lab';
import type { Namespace } from '../lab/namespace';
import { inRepository } from '../lab/repository';
import { interfacesOf } from '../lab/xdp-forwarder';

jest.setTimeout(30_000);

let lab: Lab;
let router: Namespace;
let pinPath: string;
let ifindex: number;
beforeEach(async () => {
  lab = await Lab.create('clsact');
  router = await lab.namespace('router');
  await lab.link({ between: [router, 'up0', '10.100.0.1/24'], and: [await lab.namespace('feeder'), 'gen0'] });
  pinPath = `/sys/fs/bpf/xmcast-${lab.id}-clsact`;
  lab.removeOnClose(pinPath);
  ifindex = (await interfacesOf(router, ['up0']))[0]?.ifindex ?? 0;
});
afterEach(async () => lab?.close());

/** `body` sees the pins, opened as a daemon does at its start, the loaded object and attach(), which attaches to up0. */
function inOneProcess(body: string): Promise<string> {
  const modules = { bindings: 'bindings/index.js', hook: 'build/control/dataplane/hook.js', pins: 'build/control/dataplane/pin-folder.js' };
  const [bindings, hook, pins] = Object.values(modules).map((path) => `require(${JSON.stringify(inRepository(path))})`);
  const object = JSON.stringify(inRepository('bpf/build/xmcast.bpf.o'));
  return router.run([
    process.execPath,
    '-e',
    `(async () => {
      const pins = ${pins}.PinFolder.open(${JSON.stringify(pinPath)});
      const bindings = ${bindings};
      const object = bindings.BpfObject.open(${object});
      await object.load();
      const attach = (direction = 'ingress') => ${hook}.attachFilter({ program: object.program('xm_tc_ingress'), ifindex: ${ifindex}, direction, pins });
      ${body}
    })().catch((error) => { console.error(error); process.exit(1); });`,
  ]);
}

async function filters(direction = 'ingress'): Promise<readonly string[]> {
  const shown = await router.run(['tc', 'filter', 'show', 'dev', 'up0', direction]);
  return [...shown.matchAll(/handle \S+ (\w+)/g)].map(([, program]) => program ?? '');
}

test('attached, and detached when the port goes', async () => {
  await inOneProcess('await attach(); process.exit(0);');
  expect(await filters()).toEqual(['xm_tc_ingress']);
  await inOneProcess('const hook = await attach(); await hook.detach(); pins.remove();');
  expect(await filters()).toEqual([]);
});

test('one on the way out does not disturb one on the way in', async () => {
  await inOneProcess(`await attach(); await attach('egress'); process.exit(0);`);
  expect([await filters(), await filters('egress')]).toEqual([['xm_tc_ingress'], ['xm_tc_ingress']]);
  await inOneProcess(`await attach(); const hook = await attach('egress'); await hook.detach(); process.exit(0);`);
  expect([await filters(), await filters('egress')]).toEqual([['xm_tc_ingress'], []]);
  await inOneProcess(`await attach('egress'); process.exit(0);`);
  await inOneProcess('await pins.clear(); pins.remove();');
  expect([await filters(), await filters('egress')]).toEqual([[], []]);
});

test('what a killed daemon has left is taken away by the next one, also where that has no port', async () => {
  await inOneProcess('await attach(); process.kill(process.pid, "SIGKILL");').catch(() => undefined);
  expect(await filters()).toEqual(['xm_tc_ingress']);
  await inOneProcess('await pins.clear(); pins.remove();');
  expect(await filters()).toEqual([]);
});

test.each(['ingress', 'egress'])('removed with its qdisc, as by "tc qdisc del dev up0 clsact": made again, once; %s', async (direction) => {
  const report = await inOneProcess(`
    const { execFileSync } = require('node:child_process');
    const hook = await attach(${JSON.stringify(direction)});
    execFileSync('tc', ['qdisc', 'del', 'dev', 'up0', 'clsact']);
    process.stdout.write(JSON.stringify([await hook.repair(), await hook.repair() ?? 'nothing']));
    process.exit(0);`);
  expect(JSON.parse(report)).toEqual(['attachment', 'nothing']);
  expect(await filters(direction)).toEqual(['xm_tc_ingress']);
});

test('filters of others stay where they are', async () => {
  await inOneProcess(`
    await bindings.attachTcFilter(object.program('xm_resend'), { ifindex: ${ifindex}, priority: 5, handle: 1 });
    const hook = await attach();
    await hook.detach();
    pins.remove();`);
  expect(await filters()).toEqual(['xm_resend']);
});

test('an interface that has gone takes its filter along', async () => {
  await inOneProcess('await attach(); process.exit(0);');
  await router.run(['ip', 'link', 'delete', 'up0']);
  await inOneProcess('pins.remove();');
});
