/**
 * A certificate authority of the test's own, by openssl(1), and certificates that it signs. Everything lies in one folder.
 */
import { execFileSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
const CONFIG = '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n';

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** As openssl writes them: "DNS:a,URI:spiffe://b". Default: none. */
  readonly names?: string;
  /** Default: that of the file. */
  readonly commonName?: string;
  /** Until its time is over; negative: it is. Default: ten days. */
  readonly endsInSeconds?: number;
}

export class CertificateAuthority {
  readonly #folder: string;
  readonly #name: string;

  constructor(folder: string, name = 'ca') {
    this.#folder = folder;
    this.#name = name;
    this.#openssl('req', '-x509', ...NEW_KEY, '-keyout', `${name}.key`, '-out', `${name}.pem`, '-days', '30', '-subj', `/CN=${name}`);
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'crlnumber'), '01\n');
    writeFileSync(join(folder, 'ca.cnf'), CONFIG);
  }

  get certificate(): string {
    return join(this.#folder, `${this.#name}.pem`);
  }

  issue(file: string, { names = '', commonName = file, endsInSeconds }: CertificateOptions = {}): CertificateFiles {
    const made = `${file}.new`;
    this.#openssl('req', ...NEW_KEY, '-keyout', `${made}.key`, '-out', `${made}.csr`, '-subj', `/CN=${commonName}`);
    writeFileSync(join(this.#folder, `${made}.ext`), names === '' ? '' : `subjectAltName=${names}\n`);
    const signer = ['-CA', `${this.#name}.pem`, '-CAkey', `${this.#name}.key`, '-CAcreateserial'];
    const signed = ['x509', '-req', '-in', `${made}.csr`, ...signer, '-out', `${made}.pem`, '-extfile', `${made}.ext`];
    if (endsInSeconds !== undefined) this.#signUntil(made, new Date(Date.now() + endsInSeconds * 1000));
    else this.#openssl(...signed, '-days', '10');
    for (const end of ['key', 'pem']) renameSync(join(this.#folder, `${made}.${end}`), join(this.#folder, `${file}.${end}`));
    return { certificate: join(this.#folder, `${file}.pem`), key: join(this.#folder, `${file}.key`) };
  }

  /** A revocation list with this certificate. */
  revoke(file: string): string {
    this.#openssl('ca', ...this.#ca(), '-revoke', `${file}.pem`);
    return this.revocationList();
  }

  revocationList(): string {
    this.#openssl('ca', ...this.#ca(), '-gencrl', '-out', `${this.#name}.crl`);
    return join(this.#folder, `${this.#name}.crl`);
  }

  /** `openssl x509` of version 3.0 knows no dates, `openssl ca` does. */
  #signUntil(made: string, end: Date): void {
    const endText = end.toISOString().replace(/[-:T]|\.\d+/g, '');
    const dates = ['-startdate', '20200101000000Z', '-enddate', endText];
    writeFileSync(join(this.#folder, 'ended.cnf'), `${CONFIG}new_certs_dir=.\nserial=serial\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n`);
    writeFileSync(join(this.#folder, 'serial'), '4000\n');
    const files = ['-in', `${made}.csr`, '-out', `${made}.pem`, '-extfile', `${made}.ext`];
    const ca = ['-config', 'ended.cnf', '-cert', `${this.#name}.pem`, '-keyfile', `${this.#name}.key`];
    this.#openssl('ca', '-batch', '-notext', ...ca, ...files, ...dates);
  }

  #ca(): string[] {
    return ['-config', 'ca.cnf', '-cert', `${this.#name}.pem`, '-keyfile', `${this.#name}.key`];
  }

  #openssl(...argv: readonly string[]): void {
    execFileSync('openssl', argv, { cwd: this.#folder, stdio: 'pipe' });
  }
}
