/**
 * The details of an error as google.rpc has them (AIP-193): ErrorInfo with a reason for programs, BadRequest with what is wrong at which
 * field. They travel as google.rpc.Status in the trailer grpc-status-details-bin.
 */
import { Root } from 'protobufjs';

export const DETAILS_TRAILER = 'grpc-status-details-bin';
const DOMAIN = 'xmcast';
const TYPE_URL = 'type.googleapis.com/';
/** Clients give all trailers together 8 KiB, and base64 makes four bytes of three. */
const MAX_DETAILS_BYTES = 4096;
const MAX_TEXT = 300;

export interface FieldViolation {
  /** config.interfaces[1].name */
  readonly field: string;
  readonly description: string;
}

export interface RichError {
  /** UPPER_SNAKE. */
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
}

// google/rpc/status.proto and error_details.proto, as far as they are used here.
const SCHEMA = {
  nested: {
    google: {
      nested: {
        protobuf: { nested: { Any: { fields: { typeUrl: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } } } },
        rpc: {
          nested: {
            Status: {
              fields: {
                code: { type: 'int32', id: 1 },
                message: { type: 'string', id: 2 },
                details: { rule: 'repeated', type: 'google.protobuf.Any', id: 3 },
              },
            },
            ErrorInfo: {
              fields: {
                reason: { type: 'string', id: 1 },
                domain: { type: 'string', id: 2 },
                metadata: { keyType: 'string', type: 'string', id: 3 },
              },
            },
            BadRequest: {
              fields: { fieldViolations: { rule: 'repeated', type: 'FieldViolation', id: 1 } },
              nested: {
                FieldViolation: { fields: { field: { type: 'string', id: 1 }, description: { type: 'string', id: 2 } } },
              },
            },
          },
        },
      },
    },
  },
};
const root = Root.fromJSON(SCHEMA);
const Status = root.lookupType('google.rpc.Status');
const ErrorInfo = root.lookupType('google.rpc.ErrorInfo');
const BadRequest = root.lookupType('google.rpc.BadRequest');

/** As many violations as fit. metadata.violations says how many there are. */
export function encodeRichError(code: number, message: string, { reason, metadata, violations }: RichError): Buffer {
  const fitting = violationsThatFit(violations);
  const count = violations.length === 0 ? {} : { violations: String(violations.length) };
  const info = { reason, domain: DOMAIN, metadata: { ...shortened(metadata), ...count } };
  const details = [anyOf('google.rpc.ErrorInfo', ErrorInfo.encode(info).finish())];
  if (fitting.length > 0) details.push(anyOf('google.rpc.BadRequest', BadRequest.encode({ fieldViolations: fitting }).finish()));
  return Buffer.from(Status.encode({ code, message: message.slice(0, MAX_TEXT), details }).finish());
}

/** undefined for bytes that are none of ours. Never throws. */
export function decodeRichError(bytes: Uint8Array): RichError | undefined {
  try {
    const { details = [] } = Status.decode(bytes) as unknown as { details?: readonly { typeUrl: string; value: Uint8Array }[] };
    const valueOf = (type: string): Uint8Array | undefined => details.find(({ typeUrl }) => typeUrl === TYPE_URL + type)?.value;
    const info = valueOf('google.rpc.ErrorInfo');
    if (info === undefined) return undefined;
    const { reason, metadata = {} } = ErrorInfo.decode(info) as unknown as Omit<RichError, 'violations'>;
    const { fieldViolations = [] } = BadRequest.decode(valueOf('google.rpc.BadRequest') ?? new Uint8Array()) as unknown as {
      fieldViolations?: readonly FieldViolation[];
    };
    return { reason, metadata, violations: fieldViolations };
  } catch {
    // Another server's details, or damaged ones: the status and its message say enough.
    return undefined;
  }
}

function anyOf(type: string, value: Uint8Array): object {
  return { typeUrl: TYPE_URL + type, value };
}

function violationsThatFit(violations: readonly FieldViolation[]): FieldViolation[] {
  const fitting: FieldViolation[] = [];
  let room = MAX_DETAILS_BYTES;
  for (const { field, description } of violations) {
    const violation = { field: field.slice(0, MAX_TEXT), description: description.slice(0, MAX_TEXT) };
    room -= Buffer.byteLength(violation.field) + Buffer.byteLength(violation.description) + 8;
    if (room < 0) break;
    fitting.push(violation);
  }
  return fitting;
}

function shortened(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, value.slice(0, MAX_TEXT)]));
}
