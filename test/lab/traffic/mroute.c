// SPDX-License-Identifier: Apache-2.0
/*
 * xmtraffic mroute: makes the kernel of this namespace forward multicast, by routes given as lines on stdin. The kernel forwards
 * for as long as the socket is open: everything is gone when this ends. Protocols are not spoken; upcalls are read and forgotten.
 *
 *   add SOURCE GROUP INCOMING OUTGOING...     interfaces by name
 *   remove SOURCE GROUP
 *   stop                                      as does the end of stdin
 */
#define _GNU_SOURCE
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <linux/mroute.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_WORDS (MAXVIFS + 4)

struct vif {
	char name[IF_NAMESIZE];
	/* A packet leaves here only when its TTL is greater. */
	unsigned char threshold;
};

struct mrouter {
	int socket;
	size_t vif_count;
	struct vif vifs[MAXVIFS];
	struct line_reader lines;
	bool is_stopping;
};

/* "NAME=THRESHOLD", or a name alone for threshold 1. */
static void add_vif_option(struct mrouter *mrouter, char *text)
{
	char *threshold = strchr(text, '=');
	struct vif *vif;

	errno = 0;
	if (mrouter->vif_count == MAXVIFS)
		die("--vif %s: the kernel has room for %d", text, MAXVIFS);
	if (threshold)
		*threshold++ = '\0';
	interface_option("vif", text);
	vif = &mrouter->vifs[mrouter->vif_count++];
	snprintf(vif->name, sizeof(vif->name), "%s", text);
	vif->threshold = (unsigned char)(threshold ? number_option("vif", threshold, 1, 255) : 1);
}

static void set_option(const struct mrouter *mrouter, int option, const void *value, socklen_t length, const char *what)
{
	if (setsockopt(mrouter->socket, IPPROTO_IP, option, value, length) < 0)
		die("%s", what);
}

static void open_mrouter(struct mrouter *mrouter)
{
	int one = 1;

	mrouter->socket = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_IGMP);
	if (mrouter->socket < 0)
		die("open raw IGMP socket");
	set_option(mrouter, MRT_INIT, &one, sizeof(one), "MRT_INIT");
	for (size_t i = 0; i < mrouter->vif_count; i++) {
		const struct vifctl vif = {
			.vifc_vifi = (vifi_t)i,
			.vifc_flags = VIFF_USE_IFINDEX,
			.vifc_threshold = mrouter->vifs[i].threshold,
			.vifc_lcl_ifindex = (int)if_nametoindex(mrouter->vifs[i].name),
		};

		set_option(mrouter, MRT_ADD_VIF, &vif, sizeof(vif), mrouter->vifs[i].name);
	}
}

/* -1 when there is no such interface among the vifs. */
static int find_vif(const struct mrouter *mrouter, const char *name)
{
	for (size_t i = 0; i < mrouter->vif_count; i++) {
		if (strcmp(mrouter->vifs[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static size_t split_words(char *line, char **words)
{
	char *rest;
	size_t count = 0;

	for (char *word = strtok_r(line, " ", &rest); word && count < MAX_WORDS; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

/* Incoming interface first. False when one is not a vif. */
static bool read_interfaces(const struct mrouter *mrouter, char **names, size_t count, struct mfcctl *route)
{
	for (size_t i = 0; i < count; i++) {
		int vif = find_vif(mrouter, names[i]);

		if (vif < 0)
			return false;
		if (i == 0)
			route->mfcc_parent = (vifi_t)vif;
		else
			route->mfcc_ttls[vif] = mrouter->vifs[vif].threshold;
	}
	return true;
}

static const char *obey(const struct mrouter *mrouter, char **words, size_t count)
{
	struct mfcctl route = {0};
	bool is_add = count >= 4 && strcmp(words[0], "add") == 0;
	bool is_remove = count == 3 && strcmp(words[0], "remove") == 0;

	if ((!is_add && !is_remove) || !parse_address(words[1], &route.mfcc_origin) ||
	    !parse_address(words[2], &route.mfcc_mcastgrp))
		return "expected: add SOURCE GROUP INCOMING OUTGOING..., or remove SOURCE GROUP";
	if (is_add && !read_interfaces(mrouter, words + 3, count - 3, &route))
		return "no such vif";
	if (setsockopt(mrouter->socket, IPPROTO_IP, is_add ? MRT_ADD_MFC : MRT_DEL_MFC, &route, sizeof(route)) < 0)
		return error_name(errno);
	return NULL;
}

static void handle_line(char *line, void *context)
{
	struct mrouter *mrouter = context;
	char *words[MAX_WORDS];
	size_t count = split_words(line, words);
	const char *problem = NULL;

	if (count == 1 && strcmp(words[0], "stop") == 0)
		mrouter->is_stopping = true;
	else
		problem = obey(mrouter, words, count);
	if (problem)
		printf("{\"event\":\"answer\",\"error\":\"%s\"}\n", problem);
	else
		puts("{\"event\":\"answer\"}");
}

/* Left unread, upcalls would fill the socket, and the kernel complains of each that does not fit. */
static void discard_upcalls(const struct mrouter *mrouter)
{
	char upcall[256];

	while (recv(mrouter->socket, upcall, sizeof(upcall), 0) >= 0)
		;
}

int mroute_main(int argc, char **argv)
{
	static const struct option options[] = {{"vif", required_argument, NULL, 'v'}, {0}};
	static struct mrouter mrouter;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option != 'v')
			return 2;
		add_vif_option(&mrouter, optarg);
	}
	open_mrouter(&mrouter);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("{\"event\":\"ready\"}");
	while (!mrouter.is_stopping) {
		struct pollfd waiting[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = mrouter.socket, .events = POLLIN}};

		if (poll(waiting, 2, -1) < 0 && errno != EINTR)
			die("poll");
		if (waiting[1].revents)
			discard_upcalls(&mrouter);
		if (waiting[0].revents && !read_lines(&mrouter.lines, handle_line, &mrouter))
			break;
	}
	/* First: who reads that it has finished may send at once, and the kernel forwards until the socket is closed. */
	close(mrouter.socket);
	puts("{\"event\":\"finished\"}");
	return 0;
}
