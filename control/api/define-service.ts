/**
 * Builds grpc-js service definitions out of the generated protobuf services, so that neither server nor client parses a .proto
 * at run time. Knows nothing of any particular service.
 */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import type { Reader, Writer } from 'protobufjs/minimal';

import { keepingReader } from './unknown-fields';

/** The static side of a generated message class. */
interface MessageCodec<Message> {
  encode(message: Message): Pick<Writer, 'finish'>;
  decode(bytes: Uint8Array | Reader): Message;
}

/** What the generator attaches to each method of a service. */
interface GeneratedMethod {
  readonly name: string;
  readonly path: string;
  readonly requestType: string;
  readonly responseType: string;
  readonly requestStream: boolean | undefined;
  readonly responseStream: boolean | undefined;
}

/** Names of the rpc methods of a generated service class. */
type MethodName<Service> = {
  [Name in keyof Service]: Service[Name] extends GeneratedMethod ? Name : never;
}[keyof Service] &
  string;

type RequestOf<Method> = Method extends { (request: infer Request): Promise<unknown> } ? Request : never;
type ResponseOf<Method> = Method extends { (request: never): Promise<infer Response> } ? Response : never;

/** The shape grpc-js takes, with the message types of the schema. */
export type ServiceMethods<Service> = {
  readonly [Name in MethodName<Service>]: MethodDefinition<RequestOf<Service[Name]>, ResponseOf<Service[Name]>>;
};

/** Names of the methods that answer with a stream. */
type StreamName<Service> = {
  [Name in MethodName<Service>]: Service[Name] extends { readonly responseStream: true } ? Name : never;
}[MethodName<Service>];

/** An answer that its handler has made into bytes itself, where that is too much for one go. */
export class SerializedResponse {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

type Answer<Response> = ResponseShape<Response> | SerializedResponse;

/** What a server implements, one function for each method that answers once. */
export type ServiceHandlers<Service> = {
  readonly [Name in Exclude<MethodName<Service>, StreamName<Service>>]: (
    request: RequestOf<Service[Name]>,
  ) => Answer<ResponseOf<Service[Name]>> | Promise<Answer<ResponseOf<Service[Name]>>>;
};

/** Where the answers of a stream go. */
export interface ResponseStream<Response> {
  /** The client is gone, or the server stops. */
  readonly signal: AbortSignal;
  /** Resolves when the transport has taken it; rejects when it never will. One at a time. */
  send(response: Response): Promise<void>;
}

/** One function for each method that answers with a stream: the stream ends when it resolves. */
export type StreamHandlers<Service> = {
  readonly [Name in StreamName<Service>]: (
    request: RequestOf<Service[Name]>,
    stream: ResponseStream<ResponseShape<ResponseOf<Service[Name]>>>,
  ) => Promise<void>;
};

/** Plain properties of a generated message: its data without toJSON, each field optional. */
export type ResponseShape<Message> = { readonly [Field in keyof Omit<Message, 'toJSON'>]?: Message[Field] | null };

function isGeneratedMethod(value: unknown): value is GeneratedMethod {
  return typeof value === 'function' && 'path' in value && 'requestType' in value && 'responseType' in value;
}

function codecOf(messages: object, typeName: string): MessageCodec<object> {
  const codec: unknown = Reflect.get(messages, typeName);
  if (typeof codec !== 'function' || !('encode' in codec) || !('decode' in codec)) {
    throw new TypeError(`the generated module has no message ${typeName}`);
  }
  return codec as unknown as MessageCodec<object>;
}

function defineMethod(method: GeneratedMethod, messages: object, keepUnknown: boolean): MethodDefinition<object, object> {
  const request = codecOf(messages, method.requestType);
  const response = codecOf(messages, method.responseType);
  const serialize =
    (codec: MessageCodec<object>) =>
    (message: object): Buffer => {
      const bytes = codec.encode(message).finish();
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    };
  return {
    path: method.path,
    originalName: method.name,
    requestStream: method.requestStream ?? false,
    responseStream: method.responseStream ?? false,
    requestSerialize: serialize(request),
    requestDeserialize: (bytes) => request.decode(keepUnknown ? keepingReader(bytes) : bytes),
    responseSerialize: (answer) => (answer instanceof SerializedResponse ? answer.bytes : serialize(response)(answer)),
    responseDeserialize: (bytes) => response.decode(bytes),
  };
}

export interface DefineOptions {
  /** Fields of requests that this version does not know stay to be seen (unknownFields), instead of being dropped. Default false. */
  readonly keepUnknownFields?: boolean;
}

/**
 * `service`: a generated service class; `messages`: the namespace its request and response types live in.
 */
export function defineService<Service extends object>(
  service: { readonly prototype: Service },
  messages: object,
  { keepUnknownFields = false }: DefineOptions = {},
): ServiceMethods<Service> & ServiceDefinition {
  const methods: Record<string, MethodDefinition<object, object>> = {};
  for (const name of Object.keys(service.prototype)) {
    const method: unknown = Reflect.get(service.prototype, name);
    if (isGeneratedMethod(method)) methods[name] = defineMethod(method, messages, keepUnknownFields);
  }
  return methods as unknown as ServiceMethods<Service> & ServiceDefinition;
}
