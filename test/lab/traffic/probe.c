// SPDX-License-Identifier: Apache-2.0
/* Probe payload, see probe.h. */
#include "probe.h"

#include <string.h>

/* splitmix64: one multiplication chain per word, any seed will do. */
static uint64_t next_word(uint64_t *state)
{
	uint64_t word = *state += 0x9e3779b97f4a7c15ULL;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9ULL;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebULL;
	return word ^ (word >> 31);
}

/* The length is part of the seed, so that a datagram cut short at a word boundary is damage too. */
static uint64_t pattern_seed(const struct probe_header *header, size_t length)
{
	uint64_t state = header->sequence ^ ((uint64_t)header->stream_id << 32);

	state = next_word(&state) ^ header->sent_ns;
	return next_word(&state) ^ length;
}

void probe_write(uint8_t *payload, size_t length, const struct probe_header *header)
{
	uint64_t state = pattern_seed(header, length);

	memcpy(payload, header, sizeof(*header));
	for (size_t at = sizeof(*header); at < length; at += sizeof(uint64_t)) {
		uint64_t word = next_word(&state);
		size_t left = length - at;

		memcpy(payload + at, &word, left < sizeof(word) ? left : sizeof(word));
	}
}

bool probe_read_header(const uint8_t *payload, size_t length, struct probe_header *header)
{
	if (length < sizeof(*header))
		return false;
	memcpy(header, payload, sizeof(*header));
	return header->magic == PROBE_MAGIC;
}

bool probe_is_intact(const uint8_t *payload, size_t length, const struct probe_header *header)
{
	uint64_t state = pattern_seed(header, length);

	if (length < PROBE_MIN_BYTES)
		return false;
	for (size_t at = sizeof(*header); at < length; at += sizeof(uint64_t)) {
		uint64_t word = next_word(&state);
		size_t left = length - at;

		if (memcmp(payload + at, &word, left < sizeof(word) ? left : sizeof(word)) != 0)
			return false;
	}
	return true;
}
