/**
 * The answers to recent requests by the id that their callers gave them: a request that comes again is answered and not carried out again.
 */
import { ConfigRefusal } from './refusal';

/** The oldest is forgotten for the next one. */
const REMEMBERED = 64;

interface Remembered<Answer> {
  /** What was asked for, in one spelling. */
  readonly asked: string;
  readonly answer: Promise<Answer>;
}

export class RequestMemory<Answer> {
  readonly #byId = new Map<string, Remembered<Answer>>();

  /** "" is no id. What was refused is not remembered: it may succeed the next time. */
  once(id: string, asked: string, work: () => Promise<Answer>): Promise<Answer> {
    if (id === '') return work();
    const known = this.#byId.get(id);
    if (known !== undefined && known.asked !== asked) {
      const message = `request_id "${id}" was used for another request`;
      return Promise.reject(new ConfigRefusal('REQUEST_ID_REUSED', message, { metadata: { request_id: id } }));
    }
    return known?.answer ?? this.#remember(id, asked, work());
  }

  #remember(id: string, asked: string, answer: Promise<Answer>): Promise<Answer> {
    const oldest = this.#byId.size >= REMEMBERED ? this.#byId.keys().next().value : undefined;
    if (oldest !== undefined) this.#byId.delete(oldest);
    const remembered = { asked, answer };
    this.#byId.set(id, remembered);
    answer.catch(() => {
      if (this.#byId.get(id) === remembered) this.#byId.delete(id);
    });
    return answer;
  }
}
