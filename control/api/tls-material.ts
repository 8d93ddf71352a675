/**
 * Certificates, key and revocation lists as files hold them → what a TLS listener needs. Everything is checked here: what this gives works,
 * so that a broken file is found before it replaces anything.
 */
import { constants, createHash, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';

import type { TlsFiles } from '../config/api-settings';
import { errorCode, errorText, XmcastError } from '../errors';

/** A revocation list of an authority with a million certificates has less than 64 MiB; nothing else comes near it. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface TlsMaterial {
  readonly context: SecureContextOptions;
  /** When the own certificate ends, as wall time. */
  readonly notAfterMs: number;
  /** Stands for whom we trust: another one means that clients have to show their certificates again. */
  readonly trust: string;
}

/** Rejects with XmcastError XM_TLS. */
export async function readTlsMaterial({ certificate, key, clientCa, crl }: TlsFiles): Promise<TlsMaterial> {
  const [cert, keyText, ca, crlText] = await Promise.all([
    readPem(certificate, 'certificate'),
    readPem(key, 'key'),
    readPem(clientCa, 'client_ca'),
    crl === undefined ? undefined : readPem(crl, 'crl'),
  ]);
  const [own] = certificatesIn(cert, certificate, 'certificate');
  certificatesIn(ca, clientCa, 'client_ca');
  const context: SecureContextOptions = {
    cert,
    key: keyText,
    ca,
    ...(crlText === undefined ? {} : { crl: crlText }),
    minVersion: 'TLSv1.3',
    // A session that is resumed shows no certificate: it would get around one that was taken back.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  try {
    createSecureContext(context);
  } catch (error) {
    throw tlsError(`use ${certificate} with ${key}`, error, 'The key must be that of the certificate, in PEM and unencrypted; a crl must be in PEM.');
  }
  const trust = createHash('sha256').update(ca).update('\0').update(crlText ?? '').digest('hex');
  return { context, notAfterMs: Date.parse(own?.validTo ?? ''), trust };
}

/** Tells whether the files may have other content than before, without reading them. Never rejects. */
export async function fingerprintOf({ certificate, key, clientCa, crl }: TlsFiles): Promise<string> {
  const paths = [certificate, key, clientCa, ...(crl === undefined ? [] : [crl])];
  const prints = paths.map(async (path) => {
    try {
      const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true });
      return `${dev}:${ino}:${size}:${mtimeNs}`;
    } catch (error) {
      return errorCode(error);
    }
  });
  return (await Promise.all(prints)).join(' ');
}

async function readPem(path: string, name: string): Promise<string> {
  try {
    const stats = await stat(path);
    // A pipe or device would be read for ever.
    if (!stats.isFile()) throw new Error('it is no file');
    if (stats.size > MAX_FILE_BYTES) throw new Error(`it has ${stats.size} bytes; ${MAX_FILE_BYTES} are allowed`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw tlsError(`read ${path}`, error, `Check api.tls.${name}, and that xmcastd may read the file.`);
  }
}

function certificatesIn(text: string, path: string, name: string): X509Certificate[] {
  try {
    const found = (text.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length === 0) throw new Error('there is no certificate in it');
    return found;
  } catch (error) {
    throw tlsError(`read ${path}`, error, `api.tls.${name} must name a file with certificates in PEM.`);
  }
}

function tlsError(attempt: string, cause: unknown, hint: string): XmcastError {
  return new XmcastError('XM_TLS', `${attempt}: ${errorCode(cause) || errorText(cause)}`, { hint, cause });
}
