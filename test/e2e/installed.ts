/** What a daemon has installed in the kernel, as bpftool reads it. */
import { join } from 'node:path';
import { run } from '../lab/command';
import type { Daemon } from '../lab/daemon';

/** Key and value of each route, with the numbers of its counter and its group in them. */
export async function routeWords({ pinPath }: Daemon): Promise<readonly string[]> {
  const text = await run(['bpftool', '-j', 'map', 'dump', 'pinned', join(pinPath, 'current', 'xm_routes')]);
  const entries = JSON.parse(text) as readonly { readonly key: unknown; readonly value: unknown }[];
  return entries.map(({ key, value }) => JSON.stringify([key, value])).sort();
}
