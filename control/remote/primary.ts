/**
 * Which controller is primary. Pure: told who asks and who leaves, says who may and who has to go.
 */
export interface Claim {
  readonly name: string;
  /** Of one run of a controller. */
  readonly controllerId: string;
  readonly electionId: bigint;
}

export type Verdict<Holder> =
  /** `ousted` was primary until now. */
  { readonly granted: true; readonly ousted: Holder | undefined } | { readonly granted: false; readonly holder: Claim };

export class Primary<Holder extends object> {
  #current: { readonly claim: Claim; readonly holder: Holder } | undefined;

  get claim(): Claim | undefined {
    return this.#current?.claim;
  }

  get holder(): Holder | undefined {
    return this.#current?.holder;
  }

  /** A controller that has reconnected takes its own place; else only a higher election id takes it from who is there. */
  ask(claim: Claim, holder: Holder): Verdict<Holder> {
    const current = this.#current;
    const mayTake = current === undefined || claim.controllerId === current.claim.controllerId || claim.electionId > current.claim.electionId;
    if (!mayTake) return { granted: false, holder: current.claim };
    this.#current = { claim, holder };
    return { granted: true, ousted: current?.holder };
  }

  /** Nothing happens when it is not primary any more. */
  leave(holder: Holder): void {
    if (this.#current?.holder === holder) this.#current = undefined;
  }
}
