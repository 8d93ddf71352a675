/** The tests of ../forwarding.test.ts with the data plane and the controller in two processes. */
import '../../lab/in-split-roles';
import '../forwarding.test';
