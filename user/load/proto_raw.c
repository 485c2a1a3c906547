// SPDX-License-Identifier: GPL-2.0-only
/* Protocol `raw`: a prefix, a request id in decimal digits, padding; the reply is expected to carry the id. */
#include <arpa/inet.h>
#include <stdio.h>

#include "load/load.h"

#define NONCE_DIGITS	6
#define SEQ_DIGITS	10
#define HEADER		4	/* --framing length: bytes of the message, big-endian */
#define ID_DIGITS	(NONCE_DIGITS + SEQ_DIGITS)

static void put_digits(u8 *p, u32 n, u32 digits)
{
	while (digits) {
		p[--digits] = (u8)('0' + n % 10);
		n /= 10;
	}
}

static bool get_digits(const u8 *p, u32 digits, u64 *n)
{
	for (*n = 0; digits; digits--, p++) {
		if (*p < '0' || *p > '9')
			return false;
		*n = *n * 10 + (*p - '0');
	}
	return true;
}

static bool get_id(const struct options *opt, const u8 *buf, u32 len, u32 at, u32 *seq)
{
	u64 nonce, n;

	if (len < ID_DIGITS || at > len - ID_DIGITS)
		return false;
	if (!get_digits(buf + at, NONCE_DIGITS, &nonce) || nonce != opt->nonce)
		return false;
	if (!get_digits(buf + at + NONCE_DIGITS, SEQ_DIGITS, &n) || n > U32_MAX)
		return false;
	*seq = (u32)n;
	return true;
}

static bool starts_refused(const struct options *opt, const u8 *buf, u32 len)
{
	return starts(buf, len, opt->refused, opt->refused_len);
}

static bool raw_check_options(struct options *opt, char *error, size_t room)
{
	if (opt->size < opt->prefix_len + ID_DIGITS) {
		snprintf(error, room, "--size %llu has no room for the prefix and a request id: give at least %u",
			 (unsigned long long)opt->size, opt->prefix_len + ID_DIGITS);
		return false;
	}
	if (!opt->tcp && opt->framing != FRAMING_UNSET) {
		snprintf(error, room, "--framing is for streams, a datagram needs none: give --transport tcp");
		return false;
	}
	if (opt->framing == FRAMING_LINE && memchr(opt->prefix_bytes, '\n', opt->prefix_len)) {
		snprintf(error, room, "--prefix has a newline, which ends a message: use --framing length");
		return false;
	}
	if (opt->framing == FRAMING_UNSET)
		opt->framing = FRAMING_LENGTH;
	return true;
}

static u32 raw_request_max(const struct options *opt)
{
	return HEADER + (u32)opt->size + 1;
}

/* Padding is letters that depend on the id, so that a reply with another request's bytes is noticed. */
static u8 padding(u32 seq, u32 i)
{
	return (u8)('a' + (seq + i) % 26);
}

static u32 raw_build(struct worker *w, struct flight *f, u8 *buf)
{
	const struct options *opt = w->opt;
	u32 header = opt->tcp && opt->framing == FRAMING_LENGTH ? HEADER : 0;
	u32 size = htonl((u32)opt->size);
	u32 at = opt->prefix_len;
	u32 i;

	memcpy(buf, &size, header);
	buf += header;
	memcpy(buf, opt->prefix_bytes, at);
	put_digits(buf + at, opt->nonce, NONCE_DIGITS);
	put_digits(buf + at + NONCE_DIGITS, f->seq, SEQ_DIGITS);
	for (i = at + ID_DIGITS; i < opt->size; i++)
		buf[i] = padding(f->seq, i);
	if (opt->tcp && opt->framing == FRAMING_LINE)
		buf[i++] = '\n';
	return header + i;
}

static enum cut_result raw_cut(const struct options *opt, const u8 *buf, u32 len, struct cut *reply)
{
	const u8 *end;
	u32 size;

	if (opt->framing == FRAMING_LINE) {
		end = memchr(buf, '\n', len);
		reply->at = 0;
		reply->len = end ? (u32)(end - buf) : 0;
		reply->total = reply->len + 1;
		return end ? CUT_DONE : CUT_MORE;
	}
	if (len < HEADER)
		return CUT_MORE;
	memcpy(&size, buf, HEADER);
	reply->at = HEADER;
	reply->len = ntohl(size);
	if (reply->len > stream_reply_max(opt) - HEADER)
		return CUT_BAD;
	reply->total = HEADER + reply->len;
	return len < reply->total ? CUT_MORE : CUT_DONE;
}

/* The id stands where the request had it, or right after a refusal's text. */
static bool raw_identify(const struct options *opt, const u8 *buf, u32 len, u32 *seq, u32 *mask)
{
	*mask = U32_MAX;
	if (starts_refused(opt, buf, len) && get_id(opt, buf, len, opt->refused_len, seq))
		return true;
	return get_id(opt, buf, len, opt->prefix_len, seq);
}

static enum verdict raw_judge(struct worker *w, struct flight *f, const u8 *buf, u32 len)
{
	const struct options *opt = w->opt;
	u32 at = opt->prefix_len + ID_DIGITS;
	u32 i;

	if (starts_refused(opt, buf, len) || (len > at && starts_refused(opt, buf + at, len - at)))
		return VERDICT_REFUSED;
	if (opt->check == CHECK_ID)
		return VERDICT_ANSWERED;
	if (len != opt->size || memcmp(buf, opt->prefix_bytes, opt->prefix_len))
		return VERDICT_WRONG;
	for (i = at; i < len; i++) {
		if (buf[i] != padding(f->seq, i))
			return VERDICT_WRONG;
	}
	return VERDICT_ANSWERED;
}

const struct proto proto_raw = {
	.name = "raw",
	.udp = true,
	.check_options = raw_check_options,
	.build = raw_build,
	.identify = raw_identify,
	.cut = raw_cut,
	.judge = raw_judge,
	.request_max = raw_request_max,
};
