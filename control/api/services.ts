/**
 * The services of package xmcast.v1 as both ends of the API use them. No behaviour.
 */
import { xmcast } from '#proto';

import { defineService } from './define-service';

export const CONFIG_SERVICE_NAME = 'xmcast.v1.ConfigService';
export const STATE_SERVICE_NAME = 'xmcast.v1.StateService';
export const STATIC_ENTRY_SERVICE_NAME = 'xmcast.v1.StaticEntryService';
export const SYSTEM_SERVICE_NAME = 'xmcast.v1.SystemService';

export const configServiceDefinition = defineService<xmcast.v1.ConfigService>(xmcast.v1.ConfigService, xmcast.v1, {
  keepUnknownFields: true,
});
export const stateServiceDefinition = defineService<xmcast.v1.StateService>(xmcast.v1.StateService, xmcast.v1);
export const staticEntryServiceDefinition = defineService<xmcast.v1.StaticEntryService>(xmcast.v1.StaticEntryService, xmcast.v1, {
  keepUnknownFields: true,
});
export const systemServiceDefinition = defineService<xmcast.v1.SystemService>(xmcast.v1.SystemService, xmcast.v1);
