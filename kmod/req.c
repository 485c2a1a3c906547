// SPDX-License-Identifier: GPL-2.0-only
/* Requests: their memory, and what is done with their bytes by the kind they are of. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/udp.h>

#include "ids.h"
#include "pool.h"
#include "udp.h"
#include "xdp.h"

#define KEEP 64 /* free requests per CPU */

static struct sluice_pool pool;

/* Memory for a request, not cleared. Context: bottom halves disabled. Return: it, or NULL. */
struct sluice_req *sluice_req_alloc(void)
{
	return sluice_pool_get(&pool);
}

/**
 * sluice_req_keep() - make a request fit to outlive the section it was received in
 * @req: of sluice_req_alloc(); it has its datagram, or a reference; a frame is the driver's and is
 *       copied
 *
 * Context: section. Return: false without memory: the frame is still the driver's then.
 */
bool sluice_req_keep(struct sluice_req *req)
{
	struct xdp_frame *f;

	if (req->kind != SLUICE_REQ_KIND_XDP)
		return true;
	f = sluice_xdp_frame_copy(req->frame, req->off + req->len);
	if (unlikely(!f))
		return false;
	req->frame = f;
	return true;
}

/**
 * sluice_req_free() - let go of a request whose outcome is counted
 * @req: in no list or slot
 * @served: its bytes were used up, for whoever watches drops of packets
 *
 * Context: bottom halves disabled.
 */
void sluice_req_free(struct sluice_req *req, bool served)
{
	if (unlikely(req->tag))
		sluice_ids_leave(req);
	switch (req->kind) {
	case SLUICE_REQ_KIND_TCP:
		sluice_conn_req_end(req);
		break;
	case SLUICE_REQ_KIND_XDP:
		if (req->frame && !req->borrowed)
			sluice_xdp_frame_free(req->frame);
		break;
	default:
		if (!req->skb)
			break;
		/* many are let go of in a row: their heads go back in bulk */
		if (served)
			napi_consume_skb(req->skb, 1);
		else
			kfree_skb(req->skb);
	}
	if (!req->borrowed)
		sluice_pool_put(&pool, req);
}

/* Let go of a request whose bytes stay the stack's. Context: bottom halves disabled. */
void sluice_req_pass(struct sluice_req *req)
{
	if (req->kind == SLUICE_REQ_KIND_UDP)
		req->skb = NULL;
	sluice_req_free(req, true);
}

static u32 udp_flow(const struct sk_buff *skb, u32 seed)
{
	u32 ports = *(const u32 *)udp_hdr(skb); /* source and destination */

	if (skb->protocol == htons(ETH_P_IP))
		return jhash_3words((__force u32)ip_hdr(skb)->saddr,
				    (__force u32)ip_hdr(skb)->daddr, ports, seed);
	return jhash_2words(jhash2((const u32 *)&ipv6_hdr(skb)->saddr, 8, seed), ports, seed);
}

/* Hash of the addresses and ports that a request came with. Context: as its bytes are there. */
u32 sluice_req_flow(const struct sluice_req *req, u32 seed)
{
	if (req->kind == SLUICE_REQ_KIND_XDP)
		return sluice_xdp_flow(req, seed);
	if (req->kind == SLUICE_REQ_KIND_TCP)
		return sluice_conn_flow(req->conn, seed);
	return udp_flow(req->skb, seed);
}

/* The first @len bytes of the message, at most req->len. Context: any. Return: 0 or -EFAULT. */
int sluice_req_copy(const struct sluice_req *req, void *to, u32 len)
{
	if (req->kind == SLUICE_REQ_KIND_TCP) {
		sluice_copy(to, req->bytes->data + req->at, len);
		return 0;
	}
	if (req->kind == SLUICE_REQ_KIND_XDP) {
		sluice_copy(to, req->frame->data + req->off, len);
		return 0;
	}
	if (likely(req->off + len <= skb_headlen(req->skb))) {
		sluice_copy(to, req->skb->data + req->off, len);
		return 0;
	}
	return skb_copy_bits(req->skb, req->off, to, len);
}

/**
 * sluice_req_reply() - send a reply
 * @req: request; its bytes may be gone afterwards if @last
 * @ring: ring whose tx_lock is held and whose consumer answers; NULL: nobody counts the outcome
 * @data: reply; may be memory that a consumer changes meanwhile: it is read once
 * @len: bytes of it
 * @last: no further reply follows for this request
 *
 * Context: section. Return: 0; -errno: it was not sent, -EPIPE: its connection
 * has ended; -EINPROGRESS, with @ring and @last: it is
 * sent, counted and ended by sluice_req_flush(), which the section must call.
 */
int sluice_req_reply(struct sluice_req *req, struct sluice_ring *ring, const void *data, u32 len,
		     bool last)
{
	if (req->kind == SLUICE_REQ_KIND_TCP)
		return sluice_conn_reply(req, ring, data, len, last);
	if (req->kind == SLUICE_REQ_KIND_XDP)
		return sluice_xdp_reply(req, ring, data, len, last);
	return sluice_udp_reply(req, ring, data, len, last);
}

/*
 * A request is going to wait: let it hold no more memory than it needs. Context: bottom halves
 * disabled; the lock of a group or ring may be held.
 */
void sluice_req_unshare(struct sluice_req *req)
{
	if (req->kind == SLUICE_REQ_KIND_TCP)
		sluice_conn_unshare(req);
	else if (req->kind == SLUICE_REQ_KIND_XDP)
		sluice_xdp_unshare(req);
	else if (unlikely(req->shared))
		sluice_udp_unshare(req);
}

/* Send, and count, the replies that this section has gathered for @ring. Context: section. */
void sluice_req_flush(struct sluice_ring *ring)
{
	sluice_udp_flush(ring);
	sluice_xdp_flush();
}

/* See sluice_req_detach(); nobody else sees @skb. Context: section. */
void sluice_skb_detach(struct sk_buff *skb)
{
	skb_orphan(skb);
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb->dev = NULL;
}

/* Hash of the address it came from, to tell clients apart. Context: any. */
u32 sluice_req_source(const struct sluice_req *req, u32 seed)
{
	const struct sk_buff *skb;

	if (req->kind == SLUICE_REQ_KIND_XDP)
		return sluice_xdp_source(req, seed);
	if (req->kind == SLUICE_REQ_KIND_TCP)
		return sluice_conn_source(req->conn, seed);
	skb = req->skb;
	if (skb->protocol == htons(ETH_P_IP))
		return jhash_1word((__force u32)ip_hdr(skb)->saddr, seed);
	return jhash2((const u32 *)&ipv6_hdr(skb)->saddr, 4, seed);
}

/* Who sent it. Context: any, while its bytes are there. */
void sluice_req_from(const struct sluice_req *req, struct sluice_from *from)
{
	const struct sk_buff *skb;

	memset(from, 0, sizeof(*from));
	if (req->kind == SLUICE_REQ_KIND_XDP) {
		sluice_xdp_from(req, from);
		return;
	}
	if (req->kind == SLUICE_REQ_KIND_TCP) {
		sluice_conn_from(req->conn, from);
		return;
	}
	skb = req->skb;
	from->port = udp_hdr(skb)->source;
	if (skb->protocol == htons(ETH_P_IP)) {
		from->family = 4;
		memcpy(from->addr, &ip_hdr(skb)->saddr, 4);
	} else {
		from->family = 6;
		memcpy(from->addr, &ipv6_hdr(skb)->saddr, 16);
	}
}

int sluice_req_cache_init(void)
{
	int err = sluice_ids_cache_init();

	if (err)
		return err;
	err = sluice_pool_init(&pool, "sluice_req", sizeof(struct sluice_req), SMP_CACHE_BYTES,
			       KEEP);
	if (err)
		sluice_req_cache_fini();
	return err;
}

/* All requests have ended, and no section of ours runs any more. */
void sluice_req_cache_fini(void)
{
	sluice_pool_fini(&pool);
	sluice_ids_cache_fini();
}
