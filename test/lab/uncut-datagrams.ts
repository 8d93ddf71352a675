/**
 * A program for python3 that sends datagrams which the kernel leaves uncut (UDP GSO) where they are larger than a segment. Arguments: group,
 * source, bytes of a segment, bytes of a datagram, how many.
 */
export const SEND_UNCUT = `
import socket, sys, time
group, source, segment, size, times = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((source, 0))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 9)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
s.setsockopt(socket.IPPROTO_UDP, 103, segment)  # UDP_SEGMENT
for _ in range(times):
    s.sendto(bytes(size), (group, 5000))
    time.sleep(0.005)
`;
