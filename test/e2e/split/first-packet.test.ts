/** The tests of ../first-packet.test.ts with the data plane and the controller in two processes. */
import '../../lab/in-split-roles';
import '../first-packet.test';
