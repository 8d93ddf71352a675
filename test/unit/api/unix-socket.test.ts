import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

import { socketGroupId } from '../../../control/api/unix-group';
import { listenUnix, type UnixListener } from '../../../control/api/unix-socket';

let folder: string;
let socketPath: string;
const open: UnixListener[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'xmcast-sock-'));
  socketPath = path.join(folder, 'control.sock');
});

afterEach(() => {
  for (const listener of open.splice(0)) listener.close();
  rmSync(folder, { recursive: true });
});

async function listen(at = socketPath, onConnection: () => void = () => undefined): Promise<UnixListener> {
  const listener = await listenUnix(at, {
    maxConnections: 4,
    onConnection: (socket) => {
      socket.destroy();
      onConnection();
    },
    onError: (error) => {
      throw error;
    },
  });
  open.push(listener);
  return listener;
}

/** A socket file whose process has gone without removing it, as after kill -9. */
function leaveStaleSocket(): void {
  const script = `require('node:net').createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(statSync(socketPath).isSocket()).toBe(true);
}

test('the socket is for owner and group, and the umask is as before', async () => {
  const before = process.umask();
  await listen();
  expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  expect(process.umask()).toBe(before);
});

test('a missing folder is created 0755', async () => {
  const nested = path.join(folder, 'run', 'xmcast', 'control.sock');
  await listen(nested);
  expect(statSync(path.dirname(nested)).mode & 0o777).toBe(0o755);
});

test('a socket left by a dead process is replaced', async () => {
  leaveStaleSocket();
  const accepted = new Promise<void>((resolve) => void listen(socketPath, resolve).then(() => connect(socketPath)));
  await accepted;
});

test('a socket somebody answers on is refused and left alone', async () => {
  const other = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => other.listen(socketPath, resolve));
  await expect(listen()).rejects.toMatchObject({ code: 'XM_ADDRESS_IN_USE', exitStatus: 9 });
  expect(statSync(socketPath).isSocket()).toBe(true);
  await new Promise((resolve) => other.close(resolve));
});

test('a file at the path is refused and keeps its content', async () => {
  writeFileSync(socketPath, 'precious');
  await expect(listen()).rejects.toMatchObject({ code: 'XM_ADDRESS_IN_USE', message: expect.stringContaining('no socket') });
  expect(readFileSync(socketPath, 'utf8')).toBe('precious');
});

test('a link to a stale socket is no socket either', async () => {
  leaveStaleSocket();
  const link = path.join(folder, 'link.sock');
  symlinkSync(socketPath, link);
  await expect(listen(link)).rejects.toMatchObject({ code: 'XM_ADDRESS_IN_USE' });
  expect(existsSync(socketPath)).toBe(true);
});

test('a path through a file names the setting', async () => {
  writeFileSync(path.join(folder, 'file'), '');
  await expect(listen(path.join(folder, 'file', 'control.sock'))).rejects.toMatchObject({
    code: 'XM_CONFIG',
    hint: expect.stringContaining('api.socket'),
  });
});

test('a path the kernel would cut is refused', async () => {
  await expect(listen(path.join(folder, 'x'.repeat(108)))).rejects.toMatchObject({
    code: 'XM_CONFIG',
    message: expect.stringContaining('107 bytes'),
  });
});

test('a folder without write permission is a matter of privilege', async () => {
  chmodSync(folder, 0o555);
  try {
    // Root may write anywhere, so the attempt is made as an ordinary user where the test runs as root.
    const asUser = process.getuid?.() === 0;
    if (asUser) process.seteuid?.(65534);
    try {
      await expect(listen()).rejects.toMatchObject({ code: 'XM_PRIVILEGE', message: expect.stringContaining('EACCES') });
    } finally {
      if (asUser) process.seteuid?.(0);
    }
  } finally {
    chmodSync(folder, 0o755);
  }
});

test('close removes the socket', async () => {
  (await listen()).close();
  expect(existsSync(socketPath)).toBe(false);
});

test('close leaves the socket of a successor alone', async () => {
  const first = await listen();
  renameSync(socketPath, path.join(folder, 'old.sock'));
  await listen();
  first.close();
  expect(existsSync(socketPath)).toBe(true);
});

describe('the group of the socket', () => {
  const groups = (): string => {
    const file = path.join(folder, 'group');
    writeFileSync(file, 'root:x:0:\nxmcast-old:x:7:\nxmcast:x:990:lisa\nops:x:991:\nbroken\n');
    return file;
  };

  test('by name, by number, by default, and none', () => {
    expect(['ops', '17', undefined].map((name) => socketGroupId(name, groups()))).toEqual([991, 17, process.geteuid?.() === 0 ? 990 : undefined]);
    expect(socketGroupId(undefined, '/nonexistent')).toBeUndefined();
    expect(() => socketGroupId('nobody-has-it', groups())).toThrow(expect.objectContaining({ code: 'XM_CONFIG' }));
  });

  test('it gets the socket', async () => {
    const socketPath = path.join(folder, 'given.sock');
    const groupId = process.getuid?.() === 0 ? 4242 : process.getgid?.();
    const listener = await listenUnix(socketPath, { maxConnections: 1, groupId, onConnection: () => undefined, onError: () => undefined });
    expect(statSync(socketPath).gid).toBe(groupId);
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
    listener.close();
  });
});
