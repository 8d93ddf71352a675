/*
 * Loaded before a program under test (LD_PRELOAD): counts the changes it makes to the kernel - bpf() calls that change something, what
 * becomes of pins and folders, settings of devices - and ends it with SIGKILL right before one of them.
 *
 * XMCAST_CRASH_AT: before which change, from 1. XMCAST_CRASH_TRACE: a file that gets a line for each.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

/* Those that only read are missing: a crash before one of them is a crash before the next change. */
static const char *const changes[] = {
	[BPF_MAP_CREATE] = "map-create",
	[BPF_MAP_UPDATE_ELEM] = "map-update",
	[BPF_MAP_DELETE_ELEM] = "map-delete",
	[BPF_PROG_LOAD] = "prog-load",
	[BPF_OBJ_PIN] = "pin",
	[BPF_PROG_ATTACH] = "prog-attach",
	[BPF_PROG_DETACH] = "prog-detach",
	[BPF_RAW_TRACEPOINT_OPEN] = "tracepoint",
	[BPF_BTF_LOAD] = "btf-load",
	[BPF_MAP_UPDATE_BATCH] = "map-update-batch",
	[BPF_MAP_DELETE_BATCH] = "map-delete-batch",
	[BPF_LINK_CREATE] = "link-create",
	[BPF_LINK_UPDATE] = "link-update",
	[BPF_LINK_DETACH] = "link-detach",
};

static atomic_ulong seen;
static unsigned long crash_at;
static int trace = -1;

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("XMCAST_CRASH_AT");
	const char *path = getenv("XMCAST_CRASH_TRACE");

	crash_at = at ? strtoul(at, NULL, 10) : 0;
	trace = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static void before_change(const char *what, const char *object)
{
	unsigned long number = atomic_fetch_add(&seen, 1) + 1;

	if (trace >= 0)
		dprintf(trace, "%s%s%s\n", what, *object ? " " : "", object);
	if (number == crash_at)
		kill(getpid(), SIGKILL);
}

static void before_bpf(unsigned long command, const union bpf_attr *attr)
{
	if (command >= sizeof(changes) / sizeof(*changes) || !changes[command])
		return;
	before_change(changes[command], command == BPF_OBJ_PIN ? (const char *)attr->pathname : "");
}

long syscall(long number, ...)
{
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (number == SYS_bpf)
		before_bpf(a[0], (const union bpf_attr *)a[1]);
	return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Netlink: flags of devices, filters, qdiscs. Nothing else of the program uses send(). */
ssize_t send(int fd, const void *data, size_t size, int flags)
{
	before_change("netlink", "");
	return REAL(send)(fd, data, size, flags);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (request == SIOCETHTOOL)
		before_change("ethtool", "");
	return REAL(ioctl)(fd, request, argument);
}

int mkdir(const char *path, mode_t mode)
{
	before_change("mkdir", path);
	return REAL(mkdir)(path, mode);
}

int rmdir(const char *path)
{
	before_change("rmdir", path);
	return REAL(rmdir)(path);
}

int unlink(const char *path)
{
	before_change("unlink", path);
	return REAL(unlink)(path);
}

int symlink(const char *target, const char *path)
{
	before_change("symlink", path);
	return REAL(symlink)(target, path);
}

int rename(const char *from, const char *to)
{
	before_change("rename", to);
	return REAL(rename)(from, to);
}
