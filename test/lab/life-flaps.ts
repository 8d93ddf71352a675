/**
 * What may happen to a LAN interface of the router while it runs, or while it does not: after each of them the interface is as it was.
 * Knows nothing of daemons.
 */
import { hostAddress, type Star } from './star';
import type { Receiver } from './receiver';

export const FLAPS = ['down-up', 'recreate', 'rename', 'mtu', 'address', 'mac'] as const;
export type Flap = (typeof FLAPS)[number];

/** The i-th host of a star (from 0), its LAN, and its receiver of one group. */
export class FlappingLan {
  readonly #star: Star;
  readonly #index: number;
  readonly #group: string;
  #receiver: Receiver;

  private constructor(star: Star, { index, group, receiver }: { index: number; group: string; receiver: Receiver }) {
    this.#star = star;
    this.#index = index;
    this.#group = group;
    this.#receiver = receiver;
  }

  static async open(star: Star, index: number, group: string): Promise<FlappingLan> {
    const host = star.hosts[index];
    if (host === undefined) throw new Error(`no host ${index}`);
    return new FlappingLan(star, { index, group, receiver: await star.lab.receiver(host, { joins: [group], wire: false }) });
  }

  get name(): string {
    return `lan${this.#index + 1}`;
  }

  async flap(kind: Flap): Promise<void> {
    if (kind === 'recreate') return this.#recreate();
    await this.#star.router.script(await this.#commands(kind));
  }

  async #commands(kind: Exclude<Flap, 'recreate'>): Promise<readonly string[]> {
    const { name } = this;
    const set = (what: string, device = name): string => `ip link set dev ${device} ${what}`;
    if (kind === 'down-up') return [set('down'), set('up')];
    if (kind === 'rename') return [set('down'), set('name elsewhere'), set('up', 'elsewhere'), set('down', 'elsewhere'), set(`name ${name}`, 'elsewhere'), set('up')];
    if (kind === 'mtu') return [set('mtu 1400'), set('mtu 1500')];
    if (kind === 'address') return [`ip address delete ${this.#routerAddress} dev ${name}`, `ip address add ${this.#routerAddress} dev ${name}`];
    const [link] = JSON.parse(await this.#star.router.run(['ip', '-j', 'link', 'show', 'dev', name])) as readonly { readonly address: string }[];
    return [set('address 02:00:00:00:be:ef'), set(`address ${link?.address}`)];
  }

  /** Another ifindex. The host's sockets were bound to what is gone: its program starts anew. */
  async #recreate(): Promise<void> {
    const { router, lab, hosts } = this.#star;
    const host = hosts[this.#index];
    if (host === undefined) return;
    await router.run(['ip', 'link', 'delete', this.name]);
    await this.#receiver.stop().catch(() => undefined);
    const and = [host.namespace, host.interfaceName, `${hostAddress(this.#index)}/24`] as const;
    await lab.link({ between: [router, this.name, this.#routerAddress], and });
    this.#receiver = await lab.receiver(host, { joins: [this.#group], wire: false });
  }

  get #routerAddress(): string {
    return `10.1.${this.#index + 1}.1/24`;
  }
}
