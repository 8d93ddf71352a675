/**
 * The view against a scripted kernel: the first reading, notifications, lost notifications, failures.
 */
import { XmcastError } from '../../../control/errors';
import type { KernelChange } from '../../../control/kernel/interface-table';
import { KernelView } from '../../../control/kernel/kernel-view';
import { parseIpv4 } from '../../../control/protocol/packet/address';
import { FakeKernel } from './fake-kernel';
import * as build from './netlink-builder';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function setUp(): { kernel: FakeKernel; view: KernelView; told: string[]; errors: XmcastError[] } {
  const kernel = new FakeKernel();
  kernel.links = [{ ifindex: 1, name: 'lo' }, { ifindex: 2 }];
  kernel.addresses = [{ ifindex: 2, address: '10.0.0.1' }];
  kernel.routes = [{ network: '10.0.0.0', length: 24, hops: [{ ifindex: 2 }] }];
  const view = new KernelView({ openSocket: kernel.openSocket });
  const told: string[] = [];
  const errors: XmcastError[] = [];
  view.onChanges((changes) => told.push(changes.map(describeChange).join('; ')));
  view.onError((error) => errors.push(error));
  return { kernel, view, told, errors };
}

async function started(): Promise<ReturnType<typeof setUp>> {
  const all = setUp();
  const start = all.view.start();
  all.kernel.answerAll();
  await start;
  return all;
}

function describeChange(change: KernelChange): string {
  return 'link' in change ? `${change.kind} ${change.link.name}` : change.kind;
}

const newLink = (options: build.LinkOptions): Uint8Array => build.message(build.NEWLINK, build.linkPayload(options));
const deleteLink = (ifindex: number): Uint8Array => build.message(build.DELLINK, build.linkPayload({ ifindex }));
const gateway = (view: KernelView, address: string): number | undefined => view.lookupRoute(parseIpv4(address)!)?.ifindex;

describe('start', () => {
  test('joins the groups, reads links, addresses and routes in that order, then resolves without telling changes', async () => {
    const { kernel, view, told } = setUp();
    let resolved = false;
    const start = view.start().then(() => void (resolved = true));
    expect(kernel.options?.groups).toEqual([1, 5, 7]);
    expect([kernel.answer(), kernel.answer()]).toEqual(['links', 'addresses']);
    await Promise.resolve();
    expect(resolved).toBe(false);
    expect(kernel.answer()).toBe('routes');
    await start;
    expect(view.links().map(({ name, addresses }) => `${name} ${addresses.length}`)).toEqual(['lo 0', 'eth2 1']);
    expect([gateway(view, '10.0.0.9'), told, view.statistics.resyncs]).toEqual([2, [], 0]);
  });

  test('a link that comes during the reading is in the view, one that goes is not', async () => {
    const { kernel, view } = setUp();
    const start = view.start();
    kernel.answer();
    kernel.deliver(newLink({ ifindex: 9, name: 'late' }));
    kernel.deliver(deleteLink(1));
    kernel.answerAll();
    await start;
    expect(view.links().map(({ name }) => name)).toEqual(['eth2', 'late']);
  });

  test('an interrupted reading is taken again', async () => {
    const { kernel, view } = setUp();
    const start = view.start();
    kernel.answer({ interrupted: true });
    expect([kernel.answer(), kernel.answer()]).toEqual(['addresses', 'routes']);
    expect(view.links()).toEqual([]);
    expect(kernel.answerAll()).toEqual(['links', 'addresses', 'routes']);
    await start;
    expect(view.statistics.doubtfulDumps).toBe(1);
  });

  test('a kernel that changes all the time does not hold it up for ever', async () => {
    const { kernel, view } = setUp();
    const start = view.start();
    for (let part = 0; part < 9; part += 1) kernel.answer({ interrupted: true });
    await start;
    expect([view.links().length, kernel.requests]).toEqual([2, []]);
    jest.advanceTimersByTime(1600);
    expect(kernel.answerAll()).toEqual(['links', 'addresses', 'routes']);
  });

  test.each<[string, (kernel: FakeKernel) => void, RegExp]>([
    ['the socket fails', (kernel) => kernel.fail('EPERM'), /EPERM/],
    [
      'the kernel refuses the dump',
      (kernel) => kernel.deliver(build.message(2, build.u32(-1), { sequence: kernel.requests[0]!.sequence })),
      /errno 1/,
    ],
    ['the dump ends in an error', (kernel) => void kernel.answer({ errno: 12 }), /errno 12/],
    ['no answer comes', () => jest.advanceTimersByTime(10_000), /no answer within 10000 ms/],
  ])('is rejected with XM_NETLINK when %s', async (_, act, message) => {
    const { kernel, view } = setUp();
    const start = view.start();
    act(kernel);
    await expect(start).rejects.toMatchObject({ code: 'XM_NETLINK', message: expect.stringMatching(message) });
    expect(kernel.closed).toBe(1);
  });

  test('is rejected when the socket cannot be opened or written, or is closed meanwhile', async () => {
    const cause = Object.assign(new Error('socket: denied'), { code: 'EACCES' });
    const failing = new KernelView({
      openSocket: () => {
        throw cause;
      },
    });
    await expect(failing.start()).rejects.toMatchObject({
      code: 'XM_NETLINK',
      message: expect.stringContaining('EACCES'),
      cause,
    });
    const unsendable = setUp();
    unsendable.kernel.sendError = cause;
    await expect(unsendable.view.start()).rejects.toBeInstanceOf(XmcastError);
    const closing = setUp();
    const start = closing.view.start();
    closing.view.close();
    await expect(start).rejects.toMatchObject({ code: 'XM_NETLINK' });
    await expect(closing.view.start()).rejects.toThrow('called twice, or after close');
  });
});

describe('notifications', () => {
  test('the changes of one datagram are one call, routes last and once', async () => {
    const { kernel, told, view } = await started();
    const route = (network: string): Uint8Array =>
      build.message(build.NEWROUTE, build.routePayload({ network, length: 16, hops: [{ ifindex: 2, gateway: '10.0.0.9' }] }));
    kernel.deliver(route('10.8.0.0'), newLink({ ifindex: 3 }), route('10.9.0.0'));
    expect(told).toEqual(['link-added eth3; routes-changed']);
    expect(gateway(view, '10.9.0.1')).toBe(2);
    kernel.deliver(newLink({ ifindex: 3 }));
    expect(told).toHaveLength(1);
  });

  test('a link set down makes the routes be read again, once things have settled', async () => {
    const { kernel, told, view } = await started();
    kernel.routes = [];
    kernel.deliver(newLink({ ifindex: 2, flags: 0 }));
    expect([gateway(view, '10.0.0.9'), kernel.requests]).toEqual([undefined, []]);
    jest.advanceTimersByTime(200);
    expect(kernel.answerAll()).toEqual(['routes']);
    expect(told).toEqual(['link-changed eth2; routes-changed']);
  });

  test('what the kernel revives in silence is found by that reading', async () => {
    const { kernel, told, view } = await started();
    kernel.routes.push({ network: '10.8.0.0', length: 16, hops: [{ ifindex: 1, gateway: '10.0.0.9' }] });
    kernel.deliver(newLink({ ifindex: 1, name: 'lo', flags: 0 }));
    jest.advanceTimersByTime(100);
    kernel.deliver(newLink({ ifindex: 1, name: 'lo' }));
    jest.advanceTimersByTime(100);
    expect(kernel.answerAll()).toEqual(['routes']);
    jest.advanceTimersByTime(200);
    expect(kernel.answerAll()).toEqual(['routes']);
    expect([gateway(view, '10.8.0.1'), told.at(-1)]).toEqual([1, 'routes-changed']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('lost notifications', () => {
  test('ENOBUFS makes everything be read again, and the difference is told in one call: removed first', async () => {
    const { kernel, told, view } = await started();
    kernel.links = [{ ifindex: 2, mtu: 9000 }, { ifindex: 7 }];
    kernel.addresses = [
      { ifindex: 2, address: '10.0.0.1' },
      { ifindex: 2, address: '10.0.5.1' },
    ];
    kernel.routes = [];
    kernel.fail('ENOBUFS');
    expect(kernel.answerAll()).toEqual(['links', 'addresses', 'routes']);
    expect(told).toEqual(['link-removed lo; link-changed eth2; addresses-changed eth2; link-added eth7; routes-changed']);
    expect(view.statistics).toEqual({ overruns: 1, resyncs: 1, doubtfulDumps: 0, malformed: 0 });
  });

  test('nothing is told when nothing was missed', async () => {
    const { kernel, told } = await started();
    kernel.fail('ENOBUFS');
    kernel.answerAll();
    expect(told).toEqual([]);
  });

  test('an index that another device took meanwhile is a removal and an addition, a rename is a rename', async () => {
    const { kernel, told } = await started();
    kernel.links = [
      { ifindex: 1, name: 'stranger', mac: [2, 5, 5, 5, 5, 5] },
      { ifindex: 2, name: 'lan' },
    ];
    kernel.fail('ENOBUFS');
    kernel.answerAll();
    expect(told).toEqual(['link-removed lo; link-changed lan; link-added stranger']);
  });

  test('notifications during the reading are told at once and are not undone by it', async () => {
    const { kernel, told, view } = await started();
    kernel.fail('ENOBUFS');
    kernel.answer();
    kernel.deliver(newLink({ ifindex: 2, mtu: 1400 }));
    kernel.answerAll();
    expect(told).toEqual(['link-changed eth2']);
    expect(view.link('eth2')?.mtu).toBe(1400);
  });

  test('a link removed while links are read makes them be read again, and does not come back', async () => {
    const { kernel, told, view } = await started();
    kernel.fail('ENOBUFS');
    kernel.deliver(deleteLink(2));
    // A part that was filled before the removal and queued after it.
    kernel.answer();
    kernel.links = [{ ifindex: 1, name: 'lo' }];
    kernel.addresses = [];
    kernel.routes = [];
    kernel.answerAll();
    expect(told).toEqual(['link-removed eth2; routes-changed']);
    expect([view.link('eth2'), view.statistics.doubtfulDumps]).toEqual([undefined, 1]);
  });

  test('another overrun during the reading: it ends, then a new one begins', async () => {
    const { kernel, view } = await started();
    kernel.fail('ENOBUFS');
    kernel.answer();
    kernel.fail('ENOBUFS');
    expect(kernel.requests).toHaveLength(1);
    expect(kernel.answerAll()).toEqual(['addresses', 'routes', 'links', 'addresses', 'routes']);
    expect(view.statistics).toMatchObject({ overruns: 2, resyncs: 2 });
  });

  test('an overrun while only the routes are read makes everything be read', async () => {
    const { kernel } = await started();
    kernel.deliver(newLink({ ifindex: 2, flags: 0 }));
    jest.advanceTimersByTime(200);
    kernel.fail('ENOBUFS');
    expect(kernel.answerAll()).toEqual(['routes', 'links', 'addresses', 'routes']);
  });

  test('a route that comes before the routes are read keeps its place behind the older ones', async () => {
    const { kernel, view } = await started();
    const route = (ifindex: number): build.RouteOptions => ({ network: '10.8.0.0', length: 16, hops: [{ ifindex }] });
    kernel.fail('ENOBUFS');
    kernel.deliver(build.message(build.NEWROUTE, build.routePayload(route(1)), { flags: 0xc00 }));
    kernel.routes.push(route(2), route(1));
    kernel.answerAll();
    expect(gateway(view, '10.8.0.1')).toBe(2);
  });

  test('a dump that is slow but goes on is waited for', async () => {
    const { kernel, view, errors } = await started();
    kernel.fail('ENOBUFS');
    const [request] = kernel.requests;
    for (let entry = 0; entry < 5; entry += 1) {
      jest.advanceTimersByTime(9_000);
      const payload = build.linkPayload({ ifindex: 10 + entry });
      kernel.deliver(build.message(build.NEWLINK, payload, { flags: build.MULTI, sequence: request!.sequence }));
    }
    kernel.answerAll();
    expect([errors, view.links().length]).toEqual([[], 7]);
  });

  test('a datagram that cannot be read counts as a loss; its good messages are taken', async () => {
    const { kernel, told, view } = await started();
    kernel.deliver(newLink({ ifindex: 3 }), build.u32(999));
    expect(told).toEqual(['link-added eth3']);
    expect([kernel.requests.length, view.statistics.malformed]).toEqual([1, 1]);
  });

  test('the parts of an abandoned dump are not taken for the present one', async () => {
    const { kernel, view, told } = await started();
    kernel.fail('ENOBUFS');
    const [late] = kernel.requests;
    jest.advanceTimersByTime(10_000);
    jest.advanceTimersByTime(60_000);
    kernel.requests.shift();
    kernel.deliver(
      build.message(build.NEWLINK, build.linkPayload({ ifindex: 66 }), { flags: build.MULTI, sequence: late!.sequence }),
      build.done(late!.sequence),
    );
    kernel.answerAll();
    expect([view.linkByIndex(66), told]).toEqual([undefined, []]);
  });
});

describe('failures after the start', () => {
  test.each(['EINTR', 'EAGAIN'])('%s is nothing', async (code) => {
    const { kernel, errors } = await started();
    kernel.fail(code);
    expect([errors, kernel.requests, jest.getTimerCount()]).toEqual([[], [], 0]);
  });

  test('an error of the socket is told, and everything is read again after a while', async () => {
    const { kernel, errors } = await started();
    kernel.fail('ENOMEM');
    expect([errors.map(({ code }) => code), kernel.requests]).toEqual([['XM_NETLINK'], []]);
    jest.advanceTimersByTime(1000);
    expect(kernel.answerAll()).toEqual(['links', 'addresses', 'routes']);
  });

  test('a refused dump leaves the view as it is and is tried again with growing pauses', async () => {
    const { kernel, view, errors } = await started();
    kernel.fail('ENOBUFS');
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 4; attempt += 1) {
      kernel.answer({ errno: 16 });
      let pause = 0;
      for (; kernel.requests.length === 0; pause += 100) jest.advanceTimersByTime(100);
      pauses.push(pause);
    }
    expect(pauses).toEqual([400, 800, 1600, 3200]);
    expect([view.links().length, errors.length]).toEqual([2, 4]);
  });

  test('after close nothing is told, nothing is asked, and close again is harmless', async () => {
    const { kernel, view, told } = await started();
    kernel.deliver(newLink({ ifindex: 2, flags: 0 }));
    view.close();
    view.close();
    kernel.deliver(newLink({ ifindex: 3 }));
    kernel.fail('ENOBUFS');
    jest.advanceTimersByTime(60_000);
    expect([kernel.closed, told, kernel.requestsSeen]).toEqual([1, ['link-changed eth2; routes-changed'], 3]);
  });

  test('a listener may close the view or stop listening in the middle of a call', async () => {
    const { kernel, view } = await started();
    const heard: string[] = [];
    view.onChanges(() => view.close());
    view.onChanges(() => heard.push('after close'));
    kernel.deliver(newLink({ ifindex: 3 }));
    expect(heard).toEqual([]);
  });
});
