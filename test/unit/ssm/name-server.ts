/**
 * A name server on loopback that says what a test tells it to, and counts what it was asked.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type Reply =
  | { readonly kind: 'addresses'; readonly ttl: number; readonly addresses: readonly string[] }
  | { readonly kind: 'alias'; readonly ttl: number; readonly target: string; readonly address: string }
  /** RFC 1035 §4.1.1: 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED; 0 without answers is "no data". */
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'silence' | 'truncated' | 'garbage' | 'other-question' };

const RESPONSE = 0x8180;
const TRUNCATED = 0x0200;
const HEADER_BYTES = 12;
const TYPE_A = 1;
const TYPE_CNAME = 5;

export class NameServer {
  readonly asked: string[] = [];
  readonly #socket: Socket;
  readonly #replyTo: (name: string) => Reply;

  private constructor(socket: Socket, replyTo: (name: string) => Reply) {
    this.#socket = socket;
    this.#replyTo = replyTo;
    socket.on('message', (query, peer) => this.#answer(query, peer));
  }

  static async start(replyTo: (name: string) => Reply): Promise<NameServer> {
    const socket = createSocket('udp4');
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return new NameServer(socket, replyTo);
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  async close(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, 'close');
  }

  #answer(query: Buffer, peer: RemoteInfo): void {
    const { name, end } = readName(query, HEADER_BYTES);
    this.asked.push(name);
    const question = query.subarray(HEADER_BYTES, end + 4);
    const reply = makeReply(query.readUInt16BE(0), question, this.#replyTo(name));
    if (reply !== undefined) this.#socket.send(reply, peer.port, peer.address);
  }
}

function makeReply(id: number, question: Buffer, reply: Reply): Buffer | undefined {
  switch (reply.kind) {
    case 'silence':
      return undefined;
    case 'garbage':
      return Buffer.concat([header(id, RESPONSE, 7), question, Buffer.alloc(40, 0xff)]);
    case 'truncated':
      return Buffer.concat([header(id, RESPONSE | TRUNCATED, 0), question]);
    case 'other-question':
      return Buffer.concat([header(id ^ 1, RESPONSE, 1), question, record(TYPE_A, 60, addressBytes('10.66.66.66'))]);
    case 'code':
      return Buffer.concat([header(id, RESPONSE | reply.code, 0), question]);
    case 'addresses': {
      const records = reply.addresses.map((address) => record(TYPE_A, reply.ttl, addressBytes(address)));
      return Buffer.concat([header(id, RESPONSE, records.length), question, ...records]);
    }
    case 'alias': {
      const target = nameBytes(reply.target);
      const alias = record(TYPE_CNAME, reply.ttl, target);
      return Buffer.concat([header(id, RESPONSE, 2), question, alias, record(TYPE_A, 3600, addressBytes(reply.address), target)]);
    }
  }
}

function header(id: number, flags: number, answers: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(flags, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt16BE(answers, 6);
  return bytes;
}

/** `owner`: by default a pointer to the name of the question (RFC 1035 §4.1.4). */
function record(type: number, ttl: number, data: Buffer, owner: Buffer = Buffer.from([0xc0, HEADER_BYTES])): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttl, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
