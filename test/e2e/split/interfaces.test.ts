/** The tests of ../interfaces.test.ts with the data plane and the controller in two processes. */
import '../../lab/in-split-roles';
import '../interfaces.test';
