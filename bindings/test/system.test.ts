/** File lock, sd_notify, bpffs, clock, CPUs. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { FileLock, isBpffs, monotonicNs, mountBpffs, possibleCpus, queryXdp } from '#bindings';

import { failureOf } from './bytes';
import { evaluate } from './child-process';

const folder = mkdtempSync(path.join(tmpdir(), 'xmcast-bindings-system-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('file lock', () => {
  const tryInOtherProcess = (file: string): Promise<string> =>
    evaluate(
      ({ FileLock }, { file }) => {
        try {
          new FileLock(file).close();
          return 'locked';
        } catch (error) {
          return (error as { code: string }).code;
        }
      },
      { file },
    );

  test('a second process is refused until the first lets go', async () => {
    const file = path.join(folder, 'lock');
    const lock = new FileLock(file);
    await expect(tryInOtherProcess(file)).resolves.toBe('EWOULDBLOCK');
    lock.close();
    lock.close();
    await expect(tryInOtherProcess(file)).resolves.toBe('locked');
  });

  test('the same process is refused too, with errno and the path', () => {
    const lock = new FileLock(folder);
    expect(failureOf(() => new FileLock(folder))).toMatchObject({ errno: 11, code: 'EWOULDBLOCK', operation: `lock ${folder}` });
    lock.close();
  });

  test('the file is made when it is not there, for its owner only', () => {
    const file = path.join(folder, 'fresh');
    new FileLock(file).close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('a lock dies with its process', async () => {
    const file = path.join(folder, 'orphan');
    await evaluate(({ FileLock }, { file }) => void new FileLock(file), { file });
    await expect(tryInOtherProcess(file)).resolves.toBe('locked');
  });

  test('a folder that does not exist is ENOENT', () => {
    expect(failureOf(() => new FileLock(path.join(folder, 'none', 'lock')))).toMatchObject({ code: 'ENOENT' });
  });
});

describe('sd_notify', () => {
  const RECEIVER = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
print(s.recv(4096).decode(), flush=True)`;

  async function received(address: string): Promise<{ sent: boolean; text: string }> {
    const receiver = spawn('python3', ['-c', RECEIVER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    const ended = new Promise<void>((resolve) => receiver.on('close', () => resolve()));
    const bound = new Promise<void>((resolve) => {
      receiver.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('bound')) resolve();
      });
    });
    await bound;
    const sent = await evaluate(
      ({ sdNotify }) => sdNotify('READY=1\nSTATUS=up'),
      {},
      { environment: { NOTIFY_SOCKET: address } },
    );
    await ended;
    return { sent, text };
  }

  test('the state arrives at a socket in the file system', async () => {
    await expect(received(path.join(folder, 'notify'))).resolves.toEqual({ sent: true, text: 'bound\nREADY=1\nSTATUS=up\n' });
  });

  test('the state arrives at an abstract socket', async () => {
    await expect(received(`@xmcast-bindings-${process.pid}`)).resolves.toEqual({
      sent: true,
      text: 'bound\nREADY=1\nSTATUS=up\n',
    });
  });

  test('without systemd nothing is sent', async () => {
    await expect(evaluate(({ sdNotify }) => sdNotify('READY=1'), {}, { environment: { NOTIFY_SOCKET: '' } })).resolves.toBe(
      false,
    );
  });

  test('a socket that nobody listens on is an error', async () => {
    const code = await evaluate(
      ({ sdNotify }) => {
        try {
          return String(sdNotify('READY=1'));
        } catch (error) {
          return (error as { code: string }).code;
        }
      },
      {},
      { environment: { NOTIFY_SOCKET: path.join(folder, 'nobody') } },
    );
    expect(code).toBe('ENOENT');
  });
});

test('the clock is the kernel monotonic clock', () => {
  const uptimeNs = BigInt(Math.round(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1e9));
  const now = monotonicNs();
  expect(monotonicNs()).toBeGreaterThanOrEqual(now);
  // A machine that slept has a longer uptime than monotonic time; never a shorter one by more than the file's rounding.
  expect(now - uptimeNs).toBeLessThan(1_000_000_000n);
});

test('possible CPUs are those of the kernel', () => {
  const last = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim().split(/[-,]/).at(-1);
  expect(possibleCpus()).toBe(Number(last) + 1);
});

test('bpffs calls name the path they failed on', () => {
  const missing = path.join(folder, 'missing');
  expect(failureOf(() => mountBpffs(missing))).toMatchObject({ code: 'ENOENT', operation: `mount bpffs at ${missing}` });
  expect(failureOf(() => isBpffs(missing))).toMatchObject({ code: 'ENOENT' });
  expect(isBpffs(folder)).toBe(false);
  expect(existsSync(missing)).toBe(false);
});

test('paths with a NUL are refused, not cut short', () => {
  expect(() => isBpffs('/proc\0/x')).toThrow('path must be a string without NUL');
});

test('an interface without XDP has no program', () => {
  expect(queryXdp(1)).toEqual({ programId: 0, mode: 0 });
});
