/**
 * A long answer in pieces, with other things in between, no faster than the client reads it. Ends the call; never rejects.
 */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { status, type ServerWritableStream } from '@grpc/grpc-js';
import { headerText } from '../api/api-error';
import { errorText } from '../errors';

type Pieces<Piece> = Iterable<Piece> | AsyncIterable<Piece>;

/** `piecesFor`: gets what is aborted when the client has gone. */
export async function writePieces<Request, Piece>(call: ServerWritableStream<Request, Piece>, piecesFor: (gone: AbortSignal) => Pieces<Piece>): Promise<void> {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  call.once('close', () => gone.abort());
  try {
    for await (const piece of piecesFor(gone.signal)) {
      if (gone.signal.aborted) return;
      if (!call.write(piece)) await once(call, 'drain', { signal: gone.signal });
      await nextTurn();
    }
    call.end();
  } catch (error) {
    if (!gone.signal.aborted) call.emit('error', { code: status.INTERNAL, details: headerText(errorText(error)) });
  }
}
