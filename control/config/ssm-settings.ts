/**
 * SsmMappingConfig → SsmMappingSettings, with names and server addresses in the one spelling that the resolver is given.
 */
import { strict as assert } from 'node:assert';
import type { xmcast } from '#proto';
import { parseDnsServer } from './dns-server';
import type { SsmMappingSettings } from './settings';
import { validAddresses, validPrefix } from './validated';

export function ssmMappingSettings(mapping: xmcast.v1.SsmMappingConfig.$Properties): SsmMappingSettings {
  return {
    static: (mapping.static ?? []).map(({ group, sources }) => ({
      group: validPrefix(group ?? ''),
      sources: validAddresses(sources),
    })),
    dnsDomain: mapping.dnsDomain?.toLowerCase().replace(/\.$/, ''),
    dnsServers: (mapping.dnsServers ?? []).map(validServer),
    anySourceV3: mapping.anySourceV3 ?? false,
  };
}

function validServer(text: string): string {
  const server = parseDnsServer(text);
  assert(server !== undefined, 'a validated configuration has valid name servers');
  return server;
}
