/**
 * A client that means no good. Arguments: what it does, address and port, files of authority, certificate and key. Says as one line of JSON
 * what became of it.
 */
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [attack = '', host = '', portText = '', caFile = '', certificateFile = '', keyFile = ''] = process.argv.slice(2);
const port = Number(portText);
const [ca, cert, key] = [readFileSync(caFile), readFileSync(certificateFile), readFileSync(keyFile)];
const APPLY = '/xmcast.v1.ConfigService/ApplyConfig';
const STREAMS = 10_000;

type Outcomes = Record<string, number>;

function called(client: Client, message: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const same = (bytes: Buffer): Buffer => bytes;
    client.makeUnaryRequest(APPLY, same, same, message, new Metadata(), { deadline: Date.now() + 20_000 }, (error) =>
      resolve(error === null ? 'OK' : (status[error.code] ?? '?')),
    );
  });
}

async function calls(count: number, bytes: number, withCertificate: boolean): Promise<Outcomes> {
  const secure = withCertificate ? credentials.createSsl(ca, key, cert) : credentials.createSsl(ca);
  const client = new Client(`${host}:${port}`, secure, { 'grpc.max_send_message_length': -1, 'grpc.enable_retries': 0 });
  const outcomes: Outcomes = {};
  for (let i = 0; i < count; i++) {
    const outcome = await called(client, Buffer.alloc(bytes));
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  client.close();
  return outcomes;
}

async function streams(): Promise<Outcomes> {
  const session = connectHttp2(`https://${host}:${port}`, { ca, key, cert, peerMaxConcurrentStreams: 1_000_000 });
  session.on('error', () => undefined);
  await once(session, 'connect');
  const closed = once(session, 'close');
  for (let i = 0; i < STREAMS; i++) {
    const headers = { ':method': 'POST', ':path': APPLY, 'content-type': 'application/grpc', te: 'trailers' };
    session.request(headers, { endStream: false }).on('error', () => undefined);
  }
  await closed;
  return { closed: 1 };
}

async function bytes(): Promise<Outcomes> {
  for (let i = 0; i < 40; i++) await closedBy(connectTcp(port, host), 'connect');
  for (let i = 0; i < 5; i++) await closedBy(connectTls({ port, host, ca, key, cert, ALPNProtocols: ['h2'] }), 'secureConnect');
  return { closed: 45 };
}

async function closedBy(socket: Socket, ready: string): Promise<void> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined).resume();
  socket.once(ready, () => socket.write(randomBytes(4096)));
  await closed;
}

const ATTACKS: Readonly<Record<string, () => Promise<Outcomes>>> = {
  'no-certificate': () => calls(10, 0, false),
  'wrong-role': () => calls(500, 0, true),
  'large-messages': () => calls(5, 100 * 1024 * 1024, true),
  streams,
  bytes,
};

void ATTACKS[attack]?.().then((outcomes) => process.stdout.write(`${JSON.stringify(outcomes)}\n`));
