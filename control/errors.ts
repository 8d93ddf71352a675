/**
 * The catalogue of coded errors: failures of the environment, each with its exit status. Input problems are values (Problem, drop
 * reasons), bugs are assertions. docs/errors.md has a section for each code; a test compares the two.
 */

/** Exit statuses of xmcastd, by cause. 0 clean stop, 1 unexpected error, 2 usage. */
export const ERROR_CODES = {
  XM_USAGE: 2,
  XM_CONFIG: 3,
  XM_PRIVILEGE: 4,
  XM_BPFFS: 5,
  XM_BPF_LOAD: 6,
  XM_XDP_BUSY: 7,
  XM_PORT_UNSUPPORTED: 8,
  XM_ADDRESS_IN_USE: 9,
  XM_ALREADY_RUNNING: 10,
  XM_NETLINK: 11,
  XM_INTERFACE: 12,
  XM_STATE: 13,
  XM_TLS: 15,
  XM_DATAPLANE: 16,
  XM_INTERNAL: 1,
} as const;
export type ErrorCode = keyof typeof ERROR_CODES;

export class XmcastError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, one sentence. */
  readonly hint: string;

  /**
   * `message`: what was attempted, on what object, the errno name, the likely cause.
   */
  constructor(code: ErrorCode, message: string, options: { readonly hint: string; readonly cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'XmcastError';
    this.code = code;
    this.hint = options.hint;
  }

  get exitStatus(): number {
    return ERROR_CODES[this.code];
  }
}

/** "EBUSY" of a system or native error, else "". */
export function errorCode(error: unknown): string {
  const code: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
