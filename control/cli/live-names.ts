/**
 * The names of a running router that a shell may offer.
 */
import type { Command } from 'commander';

import { xmcast } from '#proto';

import type { ApiClient } from '../api/client';
import { configServiceDefinition } from '../api/services';

import type { LiveKind, LiveNames } from './complete';
import { connectionOf } from './connection';
import type { GlobalOptions } from './options';

/** Longer, and whoever types has typed on. */
const TIMEOUT_MS = 1000;

const READERS: Readonly<Record<LiveKind, (client: ApiClient) => Promise<readonly string[]>>> = {
  interface: async (client) => (await client.listInterfaces({})).map(({ name }) => name ?? ''),
  group: async (client) => {
    const [memberships, routes] = await Promise.all([client.listMemberships({}), client.listRoutes({})]);
    return [...memberships, ...routes].map(({ group }) => group ?? '');
  },
  source: async (client) => (await client.listRoutes({})).map(({ source }) => source ?? '').filter((source) => source !== '*'),
  revision: async (client) => {
    const { revisions } = await client.call(configServiceDefinition.listRevisions, xmcast.v1.ListRevisionsRequest.create({}));
    return revisions.map(({ revision }) => String(revision));
  },
};

/** Of the daemon that the options among the words name, else that of the environment. */
export function liveNamesOf(program: Command): LiveNames {
  return async (kind, words) => {
    program.parseOptions([...words]);
    const { client } = connectionOf({ ...program.opts<GlobalOptions>(), timeout: TIMEOUT_MS });
    try {
      return await READERS[kind](client);
    } finally {
      client.close();
    }
  };
}
