/**
 * The kernel view in a namespace of a real kernel: what it tells while interfaces, addresses and routes come, change and go.
 *
 *     left ──── right        both ends of one veth pair, in one namespace
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../lab/eventually';
import { Lab } from '../lab/lab';
import type { LabProcess } from '../lab/lab-process';
import type { Namespace } from '../lab/namespace';
import { inRepository } from '../lab/repository';

jest.setTimeout(30_000);

const WATCHER = inRepository('build/test/netns/kernel-watcher.js');

class Watcher {
  /** All changes so far, in order; the changes of one datagram are one entry. */
  readonly calls: string[][] = [];
  readonly #answers: unknown[] = [];
  readonly #errors: unknown[] = [];
  readonly #process: LabProcess;
  #ready = false;

  private constructor(child: LabProcess) {
    this.#process = child;
    child.onStdoutLine((line) => this.#take(JSON.parse(line)));
  }

  static async start(lab: Lab, namespace: Namespace, receiveBufferBytes = 1 << 20): Promise<Watcher> {
    const child = lab.spawn(namespace, [process.execPath, WATCHER, `${receiveBufferBytes}`], { name: 'kernel-watcher' });
    const watcher = new Watcher(child);
    await eventually(
      () => {
        if (child.hasExited) throw new Error(child.describeEnd());
        return watcher.#ready;
      },
      { what: 'the watcher has read the tables' },
    );
    return watcher;
  }

  #take([kind, ...rest]: [string, ...unknown[]]): void {
    if (kind === 'ready') this.#ready = true;
    if (kind === 'changes') this.calls.push(rest as string[]);
    if (kind === 'answer') this.#answers.push(rest[0]);
    if (kind === 'error') this.#errors.push(rest[0]);
  }

  async ask(question: string): Promise<unknown> {
    const before = this.#answers.length;
    this.#process.writeLine(question);
    await eventually(() => this.#answers.length > before, { what: `an answer to "${question}"`, timeoutMs: 10_000 });
    expect(this.#errors).toEqual([]);
    return this.#answers[before];
  }

  /** Resolves with everything told since the last call, once the last change told is this one. */
  async until(last: RegExp): Promise<readonly string[]> {
    await eventually(() => last.test(this.calls.at(-1)?.at(-1) ?? ''), {
      what: `change ${last}; told: ${JSON.stringify(this.calls)}`,
    });
    return this.calls.splice(0).flat();
  }
}

let lab: Lab;
let namespace: Namespace;
beforeEach(async () => {
  lab = await Lab.create('netlink');
  namespace = await lab.namespace('box');
});
afterEach(() => lab.close());

const addPair = ['ip link add left type veth peer name right', 'ip link set right up', 'ip link set left up'];

test('what is there before the start is in the view', async () => {
  await namespace.script([
    ...addPair,
    'ip addr add 10.1.0.1/24 dev left',
    'ip addr add 10.1.0.2/24 dev left',
    'ip addr add 10.2.0.1/24 dev right',
    'ip link set right mtu 9000',
    'ip route add 10.8.0.0/16 via 10.1.0.9',
    'ip route add default via 10.2.0.9 metric 7',
  ]);
  const watcher = await Watcher.start(lab, namespace);
  expect(await watcher.ask('links')).toEqual([
    'lo up mtu 65536  127.0.0.1/8',
    'right up mtu 9000 veth 10.2.0.1/24',
    'left up mtu 1500 veth 10.1.0.1/24,10.1.0.2/24',
  ]);
  const answers = [];
  for (const address of ['10.1.0.77', '10.8.3.3', '192.0.2.1']) answers.push(await watcher.ask(`lookup ${address}`));
  expect(answers).toEqual(['link dev left /24', '10.1.0.9 dev left /16', '10.2.0.9 dev right /0']);
  expect(watcher.calls).toEqual([]);
});

test('the life of an interface is told in order: added, up, address, renamed, changed, removed, added again under the same name', async () => {
  const watcher = await Watcher.start(lab, namespace);
  await namespace.script(['ip link add left type veth peer name right']);
  expect(await watcher.until(/link-added left/)).toEqual(['link-added right', 'link-added left']);
  await namespace.script(['ip link set right up', 'ip link set left up']);
  const ups = await watcher.until(/link-changed (left|right) up/);
  expect(ups.at(-1)).toMatch(/^link-changed (left|right) up mtu 1500 veth$/);
  await eventually(
    async () => ((await watcher.ask('links')) as string[]).filter((link) => / up .*veth/.test(link)).length === 2,
    { what: 'both ends up' },
  );
  watcher.calls.length = 0;

  await namespace.script(['ip addr add 10.1.0.1/24 dev left']);
  expect(await watcher.until(/routes-changed/)).toEqual(['addresses-changed left 10.1.0.1/24', 'routes-changed']);
  expect(await watcher.ask('lookup 10.1.0.5')).toBe('link dev left /24');
  await namespace.script(['ip link set left mtu 1400']);
  expect(await watcher.until(/mtu 1400/)).toEqual(['link-changed left up mtu 1400 veth 10.1.0.1/24']);
  await namespace.script(['ip link set left name east']);
  expect(await watcher.until(/east/)).toEqual(['link-changed left is now east']);
  expect(await watcher.ask('lookup 10.1.0.5')).toBe('link dev east /24');

  await namespace.script(['ip link del east']);
  const removal = await watcher.until(/link-removed (east|right)/);
  await eventually(async () => ((await watcher.ask('links')) as string[]).length === 1, { what: 'only lo left' });
  const all = [...removal, ...watcher.calls.splice(0).flat()];
  expect(all.filter((change) => change.startsWith('link-removed')).sort()).toEqual(['link-removed east', 'link-removed right']);
  expect(all.indexOf('addresses-changed east')).toBeLessThan(all.indexOf('link-removed east'));
  expect(await watcher.ask('lookup 10.1.0.5')).toBe('none');

  await namespace.script(['ip link add east type veth peer name right']);
  expect(await watcher.until(/link-added east/)).toEqual(['link-added right', 'link-added east']);
  expect(await watcher.ask('links')).toEqual([
    'lo up mtu 65536  127.0.0.1/8',
    'right down mtu 1500 veth',
    'east down mtu 1500 veth',
  ]);
});

test('routes that the kernel flushes in silence are gone: link set down, last address removed, preferred source removed', async () => {
  await namespace.script([
    ...addPair,
    'ip addr add 10.1.0.1/24 dev left',
    'ip addr add 10.3.0.1/24 dev left',
    'ip addr add 10.2.0.1/24 dev right',
    'ip route add 10.7.0.0/16 via 10.1.0.9 src 10.3.0.1',
    'ip route add 10.8.0.0/16 via 10.1.0.9',
    'ip route add 10.9.0.0/16 via 10.2.0.9',
  ]);
  const watcher = await Watcher.start(lab, namespace);
  const lookups = async (): Promise<readonly unknown[]> => {
    const answers = [];
    for (const address of ['10.7.0.1', '10.8.0.1', '10.9.0.1']) answers.push(await watcher.ask(`lookup ${address}`));
    return answers;
  };
  expect(await lookups()).toEqual(['10.1.0.9 dev left /16', '10.1.0.9 dev left /16', '10.2.0.9 dev right /16']);
  await namespace.script(['ip addr del 10.3.0.1/24 dev left']);
  await eventually(
    async () => expect(await lookups()).toEqual(['none', '10.1.0.9 dev left /16', '10.2.0.9 dev right /16']) ?? true,
    { what: '10.7/16 gone' },
  );
  await namespace.script(['ip addr del 10.2.0.1/24 dev right']);
  await eventually(async () => expect(await lookups()).toEqual(['none', '10.1.0.9 dev left /16', 'none']) ?? true, {
    what: '10.9/16 gone',
  });
  await namespace.script(['ip link set left down']);
  await eventually(async () => expect(await lookups()).toEqual(['none', 'none', 'none']) ?? true, { what: '10.8/16 gone' });
  expect(await namespace.run(['ip', 'route', 'show', 'root', '10.7.0.0/16'])).toBe('');
});

test('the hop of a multipath route that comes back to life in silence is found again', async () => {
  await namespace.script([
    ...addPair,
    'ip addr add 10.1.0.1/24 dev left',
    'ip addr add 10.2.0.1/24 dev right',
    'ip route add 10.8.0.0/16 nexthop via 10.1.0.9 nexthop via 10.2.0.9',
  ]);
  const watcher = await Watcher.start(lab, namespace);
  expect(await watcher.ask('lookup 10.8.0.1')).toBe('10.1.0.9 dev left /16');
  await namespace.script(['ip link set left down']);
  await eventually(async () => (await watcher.ask('lookup 10.8.0.1')) === '10.2.0.9 dev right /16', { what: 'the second hop' });
  await namespace.script(['ip link set left up']);
  await eventually(async () => (await watcher.ask('lookup 10.8.0.1')) === '10.1.0.9 dev left /16', {
    what: 'the first hop again',
  });
});

test('a port that joins and leaves a bridge stays', async () => {
  await namespace.script([...addPair, 'ip link add hub type bridge']);
  const watcher = await Watcher.start(lab, namespace);
  await namespace.script(['ip link set left master hub', 'ip link set left nomaster', 'ip link set right mtu 1300']);
  const told = await watcher.until(/right .* mtu 1300/);
  expect(told.filter((change) => change.startsWith('link-removed'))).toEqual([]);
});

test('after more notifications than the socket holds, the view is right again and says so', async () => {
  await namespace.script([...addPair, 'ip addr add 10.1.0.1/24 dev left', 'ip route add 10.200.0.0/16 via 10.1.0.9']);
  const watcher = await Watcher.start(lab, namespace, 8192);
  const batch = join(lab.directory, 'routes.batch');
  const routes = Array.from(
    { length: 2000 },
    (_, index) => `route add 172.${16 + (index >> 8)}.${index & 255}.0/24 via 10.1.0.9`,
  );
  writeFileSync(
    batch,
    [...routes, 'route del 10.200.0.0/16', 'link set left name east', 'link set right mtu 1300', ''].join('\n'),
  );
  await watcher.ask(`batch ${batch}`);
  await eventually(async () => expect(await watcher.ask('lookup 172.23.207.1')).toBe('10.1.0.9 dev east /24') ?? true, {
    what: 'the last route',
  });
  expect(await watcher.ask('lookup 10.200.0.1')).toBe('none');
  expect(await watcher.ask('lookup 172.16.0.1')).toBe('10.1.0.9 dev east /24');
  expect(await watcher.ask('statistics')).toMatchObject({
    malformed: 0,
    overruns: expect.any(Number),
    resyncs: expect.any(Number),
  });
  const { overruns, resyncs } = (await watcher.ask('statistics')) as { overruns: number; resyncs: number };
  expect({ overruns: overruns > 0, resyncs: resyncs > 0 }).toEqual({ overruns: true, resyncs: true });
  const told = watcher.calls.flat();
  expect(told).toContain('link-changed left is now east');
  expect(told.filter((change) => /removed|added/.test(change))).toEqual([]);
});
