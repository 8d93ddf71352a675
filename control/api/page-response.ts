/**
 * Pages as answers: made into bytes piece by piece, because thousands of entries at once would hold up everything else. That works since a
 * message of protobuf is what its parts are, one after the other.
 */
import { SerializedResponse } from './define-service';
import { pageOf, type PageOptions, type PageRequest } from './paging';

interface PageMessage {
  readonly nextPageToken?: string | null;
}

/** The part of a method definition that is needed. */
interface PagedMethod<Response extends PageMessage> {
  readonly responseSerialize: (response: Response) => Buffer;
}

export async function answerWithPage<Key extends Place, Entry, Place, Response extends PageMessage>(
  { responseSerialize }: PagedMethod<Response>,
  request: PageRequest,
  options: PageOptions<Key, Entry, Place>,
  message: (entries: readonly Entry[]) => object,
): Promise<SerializedResponse> {
  // Fields that are left out are not written.
  const serialize = responseSerialize as (response: object) => Buffer;
  const pieces: Buffer[] = [];
  const nextPageToken = await pageOf(request, options, (entries) => pieces.push(serialize(message(entries))));
  return new SerializedResponse(Buffer.concat([...pieces, serialize({ nextPageToken })]));
}
