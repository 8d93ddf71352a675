/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The datagram payload by which loss, repetition and damage are told apart. A header in host byte order (sender and receiver are
 * one machine), then a pattern that follows from every field of the header: a change of any byte after the magic is noticed.
 */
#ifndef XMTRAFFIC_PROBE_H
#define XMTRAFFIC_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_MAGIC 0x584d4331u
/* Header and one word of pattern, without which the header would be unprotected. */
#define PROBE_MIN_BYTES 32
#define PROBE_MAX_BYTES 65507

struct probe_header {
	uint32_t magic;
	/* Never 0 from a sender of the lab; 0 stands for "no probe" in the statistics. */
	uint32_t stream_id;
	uint64_t sequence;
	/* CLOCK_MONOTONIC when the datagram was handed to the kernel. */
	uint64_t sent_ns;
};

/* Writes a whole payload of `length` bytes, at least PROBE_MIN_BYTES. */
void probe_write(uint8_t *payload, size_t length, const struct probe_header *header);

/* Reads the header alone. False when the bytes are too few or not a probe. */
bool probe_read_header(const uint8_t *payload, size_t length, struct probe_header *header);

/* True when the whole payload is what a sender wrote for this header. */
bool probe_is_intact(const uint8_t *payload, size_t length, const struct probe_header *header);

#endif
