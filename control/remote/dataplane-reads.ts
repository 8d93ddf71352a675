/**
 * What a controller reads of a data plane: its ports, its routes, its counters.
 */
import { Metadata, type Client, type ClientReadableStream, type MethodDefinition } from '@grpc/grpc-js';
import type { xmcast } from '#proto';
import { fromWireTime } from '../api/wire-time';
import type { InstalledRoute } from '../dataplane/api';
import { nameOf, type VportId } from '../mrib/route';
import type { CounterPiece } from './counter-codec';
import { dataplaneServiceDefinition } from './definition';
import { readRoute } from './wire-route';

const TIMEOUT_MS = 10_000;
const ANY_VPORT = 0xffff;

export interface NamedPort {
  readonly vport: VportId;
  readonly name: string;
  readonly ifindex: number;
}

export async function readInstalledPorts(client: Client): Promise<readonly NamedPort[]> {
  const { ports } = await readOnce(client, dataplaneServiceDefinition.listPorts);
  return ports.map(({ port }) => ({ vport: port?.vport ?? 0, name: port?.name ?? '', ifindex: port?.ifindex ?? 0 }));
}

export function readDataplane(client: Client): Promise<xmcast.v1.GetDataplaneResponse.$Properties> {
  return readOnce(client, dataplaneServiceDefinition.getDataplane);
}

function readOnce<Request extends object, Response>(client: Client, method: MethodDefinition<Request, Response>): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, response?: Response): void => {
      if (error !== null) reject(error);
      else if (response === undefined) reject(new Error(`${path} was answered without a message`));
      else resolve(response);
    };
    const options = { deadline: Date.now() + TIMEOUT_MS };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {} as Request, new Metadata(), options, done);
  });
}

/** By nameOf(). */
export async function readInstalledRoutes(client: Client, nowMs: number): Promise<ReadonlyMap<string, InstalledRoute>> {
  const installed = new Map<string, InstalledRoute>();
  await readPieces(client, dataplaneServiceDefinition.readRoutes, {}, ({ routes }) => {
    for (const { route: message, age } of routes ?? []) {
      const route = readRoute(message, ANY_VPORT);
      if (typeof route !== 'string') installed.set(nameOf(route), { route, installedAtMs: nowMs - (fromWireTime(age) ?? 0) });
    }
  });
  return installed;
}

export function readAllCounters(client: Client, since: number, onPiece: (piece: CounterPiece) => void): Promise<void> {
  return readPieces(client, dataplaneServiceDefinition.readCounters, { since }, onPiece);
}

/** Each piece is taken when it comes. */
function readPieces<Request extends object, Piece>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Piece>,
  request: object,
  onPiece: (piece: Piece) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + TIMEOUT_MS };
    const call: ClientReadableStream<Piece> = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request as Request, new Metadata(), options);
    call.on('data', (piece: Piece) => {
      // Many may have come at once: others have their turn in between.
      call.pause();
      setImmediate(() => call.resume());
      try {
        onPiece(piece);
      } catch (error) {
        call.cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    call.on('error', reject);
    call.on('end', resolve);
  });
}
