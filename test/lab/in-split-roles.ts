/** Imported first: every daemon of this suite runs in two processes. */
import { splitRoles } from './split-roles';

splitRoles();
