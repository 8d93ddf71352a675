/**
 * WatchLinks: what the kernel here says of interfaces, addresses and unicast routes, for controllers that cannot hear it themselves. Lists
 * are whole, and a reader who is slow gets the newest one: nothing is queued.
 */
import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { xmcast } from '#proto';
import type { KernelView } from '../kernel/kernel-view';
import { linkMessage, routeMessage } from './wire-links';

type Piece = xmcast.v1.WatchLinksResponse.$Properties;

const ROUTES_IN_A_PIECE = 4096;
/** A routing protocol that is learning changes the table all the time. */
const GATHER_MS = 20;

export class LinkFeed {
  readonly #kernel: Pick<KernelView, 'links' | 'routeChoices' | 'onChanges'>;

  constructor(kernel: Pick<KernelView, 'links' | 'routeChoices' | 'onChanges'>) {
    this.#kernel = kernel;
  }

  /** Until `signal` is aborted. */
  async *watch(signal: AbortSignal): AsyncGenerator<Piece> {
    const news = new EventEmitter();
    const dirty = { links: true, routes: true };
    const stop = this.#kernel.onChanges((changes) => {
      dirty.routes ||= changes.some(({ kind }) => kind === 'routes-changed');
      dirty.links ||= changes.some(({ kind }) => kind !== 'routes-changed');
      news.emit('news');
    });
    try {
      while (!signal.aborted) {
        const wanted = { ...dirty };
        Object.assign(dirty, { links: false, routes: false });
        if (wanted.links) yield { links: this.#kernel.links().map(linkMessage), linksChanged: true };
        if (wanted.routes) yield* this.#routePieces();
        if (!dirty.links && !dirty.routes) await once(news, 'news', { signal });
        await pause(GATHER_MS, undefined, { signal });
      }
    } finally {
      stop();
    }
  }

  *#routePieces(): Generator<Piece> {
    let routes: xmcast.v1.UnicastRoute.$Properties[] = [];
    for (const choice of this.#kernel.routeChoices()) {
      routes.push(routeMessage(choice));
      if (routes.length < ROUTES_IN_A_PIECE) continue;
      yield { routes, routesChanged: true };
      routes = [];
    }
    yield { routes, routesChanged: true, routesEnd: true };
  }
}
