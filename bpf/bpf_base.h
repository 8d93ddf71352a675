/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Kernel and libbpf headers every program file needs, and the few shorthands built on them. */
#ifndef XMCAST_BPF_BASE_H
#define XMCAST_BPF_BASE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NULL ((void *)0)
#define NSEC_PER_SEC 1000000000ULL

#endif
