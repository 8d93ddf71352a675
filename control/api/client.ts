/**
 * A typed client of the API for the command line and tests: one unary call each, with a deadline, lists joined over their pages, and
 * streams.
 */
import { Client, type ClientReadableStream, type ClientUnaryCall, credentials, type MethodDefinition, Metadata, type ServiceError, status } from '@grpc/grpc-js';

import type { xmcast } from '#proto';

import { stateServiceDefinition, systemServiceDefinition } from './services';

/** What the server gives at most; fewer round trips than the default. */
const PAGE_SIZE = 5000;
const MAX_RECEIVE_BYTES = 16 * 1024 * 1024;
/** A socket of this machine costs nobody anything to try again: after a restart of the router a second of waiting would be the longest part. */
const LOCAL_BACKOFF = { 'grpc.initial_reconnect_backoff_ms': 50, 'grpc.max_reconnect_backoff_ms': 100 };

export interface ApiClientOptions {
  /** "unix:///run/xmcast/control.sock", or "host:port" with tls. */
  readonly target: string;
  readonly tls?: ClientTls | undefined;
  /** For each call. */
  readonly timeoutMs: number;
}

/** In PEM. */
export interface ClientTls {
  /** Authorities of the router's certificate. */
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The name that the router's certificate must have. Default: the host of the target. */
  readonly serverName?: string | undefined;
}

export interface ListedPage<Item> {
  readonly items: readonly Item[];
  readonly nextPageToken: string;
}

type Without<Request> = Omit<Request, 'pageSize' | 'pageToken'>;

export class ApiClient {
  readonly #client: Client;
  readonly #timeoutMs: number;
  readonly #underWay = new Set<ClientUnaryCall | ClientReadableStream<unknown>>();

  constructor(options: ApiClientOptions) {
    this.#timeoutMs = options.timeoutMs;
    const { tls } = options;
    const secured = tls === undefined ? credentials.createInsecure() : credentials.createSsl(tls.ca, tls.key, tls.certificate);
    this.#client = new Client(options.target, secured, {
      ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
      ...(options.target.startsWith('unix:') ? LOCAL_BACKOFF : {}),
      'grpc.max_receive_message_length': MAX_RECEIVE_BYTES,
      'grpc.enable_channelz': 0,
      // An http_proxy variable must not send a local socket through a proxy.
      'grpc.enable_http_proxy': 0,
    });
  }

  /** Rejects with the ServiceError of grpc-js. */
  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): Promise<Response> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + this.#timeoutMs };
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options,
        (error, response) => {
          this.#underWay.delete(call);
          if (error !== null) reject(error);
          else if (response === undefined) reject(new Error(`${path} was answered without a message`));
          else resolve(response);
        },
      );
      this.#underWay.add(call);
    });
  }

  /**
   * A call that answers with a stream, which has no deadline. Resolves when the server ends it or the signal comes; rejects with the
   * ServiceError of grpc-js.
   */
  watch<Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
    { signal, onMessage }: { readonly signal: AbortSignal; readonly onMessage: (message: Response) => void },
  ): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = method;
    const call = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
    const cancel = (): void => call.cancel();
    this.#underWay.add(call);
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    return new Promise<void>((resolve, reject) => {
      call.on('data', onMessage);
      call.on('end', resolve);
      call.on('error', (error: ServiceError) => {
        if (signal.aborted && error.code === status.CANCELLED) resolve();
        else reject(error);
      });
    }).finally(() => {
      signal.removeEventListener('abort', cancel);
      this.#underWay.delete(call);
    });
  }

  getStatus(): Promise<xmcast.v1.GetStatusResponse.$Properties> {
    return this.call(systemServiceDefinition.getStatus, {});
  }

  detach(): Promise<xmcast.v1.DetachResponse.$Properties> {
    return this.call(systemServiceDefinition.detach, {});
  }

  listInterfaces(filter: Without<xmcast.v1.ListInterfacesRequest.$Properties>): Promise<xmcast.v1.Interface.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listInterfaces, { ...filter, pageSize, pageToken });
      return { items: page.interfaces, nextPageToken: page.nextPageToken };
    });
  }

  listMemberships(filter: Without<xmcast.v1.ListMembershipsRequest.$Properties>): Promise<xmcast.v1.Membership.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listMemberships, { ...filter, pageSize, pageToken });
      return { items: page.memberships, nextPageToken: page.nextPageToken };
    });
  }

  listReports(filter: Without<xmcast.v1.ListReportsRequest.$Properties>): Promise<xmcast.v1.Report.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listReports, { ...filter, pageSize, pageToken });
      return { items: page.reports, nextPageToken: page.nextPageToken };
    });
  }

  listRoutes(filter: Without<xmcast.v1.ListRoutesRequest.$Properties>): Promise<xmcast.v1.Route.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listRoutes, { ...filter, pageSize, pageToken });
      return { items: page.routes, nextPageToken: page.nextPageToken };
    });
  }

  /** `fresh` reads the counters once, for the first page. */
  listFlows(filter: Without<xmcast.v1.ListFlowsRequest.$Properties>): Promise<xmcast.v1.Flow.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const fresh = (filter.fresh ?? false) && pageToken === '';
      const page = await this.call(stateServiceDefinition.listFlows, { ...filter, fresh, pageSize, pageToken });
      return { items: page.flows, nextPageToken: page.nextPageToken };
    });
  }

  listNeighbors(filter: Without<xmcast.v1.ListNeighborsRequest.$Properties>): Promise<xmcast.v1.Neighbor.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listNeighbors, { ...filter, pageSize, pageToken });
      return { items: page.neighbors, nextPageToken: page.nextPageToken };
    });
  }

  listEvents(filter: Without<xmcast.v1.ListEventsRequest.$Properties>): Promise<xmcast.v1.Event.$Properties[]> {
    return this.#all(async (pageSize, pageToken) => {
      const page = await this.call(stateServiceDefinition.listEvents, { ...filter, pageSize, pageToken });
      return { items: page.events, nextPageToken: page.nextPageToken };
    });
  }

  /** Calls under way end as CANCELLED: their deadlines would keep the process alive. */
  close(): void {
    for (const call of this.#underWay) call.cancel();
    this.#client.close();
  }

  async #all<Item>(readPage: (pageSize: number, pageToken: string) => Promise<ListedPage<Item>>): Promise<Item[]> {
    const items: Item[] = [];
    let token = '';
    do {
      const page = await readPage(PAGE_SIZE, token);
      for (const item of page.items) items.push(item);
      token = page.nextPageToken;
    } while (token !== '');
    return items;
  }
}
