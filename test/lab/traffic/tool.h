/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every sub-command of xmtraffic needs: option values, clocks, command lines from stdin, fatal errors.
 * Protocol between xmtraffic and the lab: the first line on stdout is {"event":"ready"}; every line read from stdin gets exactly
 * one {"event":"answer",...} line, in order; {"event":"finished",...} comes last. Nothing else is written to stdout.
 */
#ifndef XMTRAFFIC_TOOL_H
#define XMTRAFFIC_TOOL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL
#define LINE_MAX_BYTES 65536

/* Lines of stdin, cut out of whatever pieces the pipe delivers. */
struct line_reader {
	size_t used;
	char bytes[LINE_MAX_BYTES];
};

typedef void (*line_handler)(char *line, void *context);

/* Prints "xmtraffic: <what>: <errno name>" (no errno when it is 0) and exits with 1. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

/* Name of an errno, never NULL. */
const char *error_name(int error);

uint64_t monotonic_ns(void);

/* What to add to a CLOCK_REALTIME stamp to have it as CLOCK_MONOTONIC. */
int64_t realtime_to_monotonic_ns(void);

/* Decimal number within the limits, else the program ends naming the option. */
uint64_t number_option(const char *option, const char *text, uint64_t minimum, uint64_t maximum);

struct in_addr address_option(const char *option, const char *text);
unsigned int interface_option(const char *option, const char *name);

/* True when the text is a dotted quad. */
bool parse_address(const char *text, struct in_addr *address);

/*
 * Reads what stdin has and hands over every complete line without its end. False at end of file.
 * A line longer than the buffer is fatal: the lab and this tool are built from one tree.
 */
bool read_lines(struct line_reader *reader, line_handler handle, void *context);

int send_main(int argc, char **argv);
int receive_main(int argc, char **argv);
int inject_main(int argc, char **argv);
int mroute_main(int argc, char **argv);
int report_main(int argc, char **argv);
int zap_main(int argc, char **argv);

#endif
