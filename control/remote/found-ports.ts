/**
 * The ports that an earlier controller has left in the data plane, until this one has set its own. Routes it left speak of vports by number:
 * they mean the same interfaces only as long as no number has another name now.
 */
import type { PortSpec } from '../dataplane/api';
import type { VportId } from '../mrib/route';

export class FoundPorts {
  #names = new Map<VportId, string>();

  /** As read from the data plane. */
  reset(ports: readonly { readonly vport: VportId; readonly name: string }[]): void {
    this.#names = new Map(ports.map(({ vport, name }) => [vport, name]));
  }

  /** This port is about to be set. Returns the vports in the way: under another number the interface itself would be taken twice. */
  claim({ vport, name }: Pick<PortSpec, 'vport' | 'name'>): { readonly inTheWay: readonly VportId[]; readonly isSame: boolean } {
    const known = this.#names.get(vport);
    const inTheWay = [...this.#names].filter(([other, called]) => called === name && other !== vport).map(([other]) => other);
    for (const gone of [vport, ...inTheWay]) this.#names.delete(gone);
    return { inTheWay, isSame: inTheWay.length === 0 && (known === undefined || known === name) };
  }

  /** Those that nobody has claimed. */
  takeAll(): readonly VportId[] {
    const left = [...this.#names.keys()];
    this.#names.clear();
    return left;
  }
}
