// SPDX-License-Identifier: GPL-2.0-only
/* Single values between text and memory: numbers with units, times, byte strings with escapes, addresses. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 },
	{ "min", 60000000000 }, { "h", 3600000000000 }, { NULL, 0 }
};

static const struct unit size_units[] = {
	{ "", 1 }, { "B", 1 }, { "k", 1 << 10 }, { "K", 1 << 10 }, { "KiB", 1 << 10 }, { "M", 1 << 20 },
	{ "MiB", 1 << 20 }, { "G", 1 << 30 }, { "GiB", 1 << 30 }, { NULL, 0 }
};

/* A number in base 10, or 16 after 0x; nothing before or after it. */
int parse_u64(const char *text, uint64_t max, uint64_t *value)
{
	int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	unsigned long long v;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, base);
	if (errno || *end || v > max || (base == 16 && !text[2]))
		return -EINVAL;
	*value = v;
	return 0;
}

/* Digits with an optional fraction, then one of the units. */
static int parse_unit(const char *text, const struct unit *units, uint64_t *value)
{
	uint64_t whole = 0, part = 0, scale = 1;
	const struct unit *u;
	unsigned __int128 v;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, *text - '0', &whole))
			return -ERANGE;
	if (*text == '.') {
		if (!isdigit((unsigned char)*++text))
			return -EINVAL;
		for (; isdigit((unsigned char)*text); text++) {
			if (scale >= 1000000000)
				return -EINVAL;
			part = part * 10 + *text - '0';
			scale *= 10;
		}
	}
	for (u = units; u->name; u++)
		if (!strcmp(u->name, text))
			break;
	if (!u->name)
		return -EINVAL;
	if ((part * (unsigned __int128)u->factor) % scale)
		return -EINVAL;
	v = (unsigned __int128)whole * u->factor + part * (unsigned __int128)u->factor / scale;
	if (v >> 64)
		return -ERANGE;
	*value = v;
	return 0;
}

int parse_ns(const char *text, uint64_t *ns)
{
	if (!strcmp(text, "0")) {
		*ns = 0;
		return 0;
	}
	return parse_unit(text, time_units, ns);
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_unit(text, size_units, bytes);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Pairs of digits, with spaces, colons or dots between them if one likes. */
static int parse_hex(const char *text, uint8_t *out, uint32_t *len)
{
	int high, low;

	for (*len = 0; *text; text += 2) {
		while (*text && strchr(" :.", *text))
			text++;
		if (!*text)
			break;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		out[(*len)++] = high << 4 | low;
	}
	return 0;
}

/* One byte of escaped text; moves @text behind it. Return the byte or -EINVAL. */
static int next_byte(const char **text)
{
	static const char from[] = "nrt0s\\\",'";
	static const char to[] = "\n\r\t\0 \\\",'";
	const char *p = *text;
	const char *at;

	if (*p != '\\') {
		*text = p + 1;
		return (unsigned char)*p;
	}
	if (p[1] == 'x') {
		int high = hex_digit(p[2]);
		int low = high < 0 ? -1 : hex_digit(p[3]);

		*text = p + 4;
		return low < 0 ? -EINVAL : high << 4 | low;
	}
	at = p[1] ? strchr(from, p[1]) : NULL;
	if (!at)
		return -EINVAL;
	*text = p + 2;
	return (unsigned char)to[at - from];
}

static int parse_text(const char *text, const char *end, uint8_t *out, uint32_t *len)
{
	int c;

	for (*len = 0; text < end; out[(*len)++] = c) {
		c = next_byte(&text);
		if (c < 0 || text > end)
			return -EINVAL;
	}
	return 0;
}

static int parse_bytes_n(const char *text, size_t n, struct blob *out)
{
	uint8_t *data = malloc(n + 1);
	int ret;

	if (!data)
		return -ENOMEM;
	if (!strncmp(text, "hex:", 4) && !text[n])
		ret = parse_hex(text + 4, data, &out->len);
	else if (!strncmp(text, "text:", 5))
		ret = parse_text(text + 5, text + n, data, &out->len);
	else
		ret = parse_text(text, text + n, data, &out->len);
	if (ret) {
		free(data);
		return ret;
	}
	data[out->len] = 0;
	free(out->data);
	out->data = data;
	return 0;
}

/* hex:..., text:..., or text; text may hold \n \r \t \0 \s \, \\ \" \xHH. */
int parse_bytes(const char *text, struct blob *out)
{
	return parse_bytes_n(text, strlen(text), out);
}

/* Words with commas between them, each as parse_bytes() has it; a comma in a word is written \, or \x2c. */
int parse_words(const char *text, struct vec *words)
{
	const char *end;
	struct blob *b;
	int ret;

	do {
		for (end = text; *end && *end != ','; end++)
			if (*end == '\\' && end[1])
				end++;
		b = vec_add(words, sizeof(*b));
		if (!b)
			return -ENOMEM;
		if (!strncmp(text, "hex:", 4) && *end) {
			char *copy = strndup(text, end - text);

			ret = copy ? parse_bytes(copy, b) : -ENOMEM;
			free(copy);
		} else {
			ret = parse_bytes_n(text, end - text, b);
		}
		if (ret)
			return ret;
		text = end + 1;
	} while (*end);
	return 0;
}

/* One byte: itself, escaped, as hex:HH, or one of the words space and tab. */
int parse_char(const char *text, uint32_t *c)
{
	struct blob b = { 0 };
	int ret;

	if (!strcmp(text, "space") || !strcmp(text, "tab")) {
		*c = text[0] == 's' ? ' ' : '\t';
		return 0;
	}
	if (text[0] != '\\' && strncmp(text, "hex:", 4) && strlen(text) != 1)
		return -EINVAL;
	ret = parse_bytes(text, &b);
	if (!ret && b.len != 1)
		ret = -EINVAL;
	if (!ret)
		*c = b.data[0];
	free(b.data);
	return ret;
}

int parse_addr(const char *text, struct addr *addr)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = strchr(text, ':') ? 16 : 4;
	if (inet_pton(addr->len == 4 ? AF_INET : AF_INET6, text, addr->bytes) == 1)
		return 0;
	addr->len = 0;
	return -EINVAL;
}

/* 1.2.3.4:5, [::1]:5, *:5 (any IPv4 address), [::]:5 */
int parse_addr_port(const char *text, struct addr *addr, uint16_t *port)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	uint64_t p;
	size_t len;

	if (!colon || parse_u64(colon + 1, 65535, &p) || !p)
		return -EINVAL;
	len = colon - text;
	if (text[0] == '[') {
		if (len < 2 || text[len - 1] != ']' || !memchr(text, ':', len))
			return -EINVAL;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return -EINVAL;
	}
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = 0;
	*port = p;
	return parse_addr(strcmp(host, "*") ? host : "0.0.0.0", addr);
}

int check_name(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

	return len && len < NAME_LEN && !name[len] ? 0 : -EINVAL;
}

uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* In the largest unit that leaves a whole number, so that nothing is lost. */
void format_ns(char *buf, size_t size, uint64_t ns)
{
	static const struct unit units[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
	unsigned int i;

	if (!ns) {
		snprintf(buf, size, "0");
		return;
	}
	for (i = 0; ns % units[i].factor; i++)
		;
	snprintf(buf, size, "%" PRIu64 "%s", ns / units[i].factor, units[i].name);
}

void format_size(char *buf, size_t size, uint64_t bytes)
{
	static const struct unit units[] = { { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 } };
	unsigned int i;

	for (i = 0; i < 3 && (!bytes || bytes % units[i].factor); i++)
		;
	snprintf(buf, size, "%" PRIu64 "%s", bytes / units[i].factor, units[i].name);
}

void format_addr(char *buf, size_t size, const struct addr *addr)
{
	if (!addr->len || !inet_ntop(addr->len == 4 ? AF_INET : AF_INET6, addr->bytes, buf, size))
		snprintf(buf, size, "?");
}

void format_char(char *buf, size_t size, uint32_t c)
{
	if (c == ' ')
		snprintf(buf, size, "space");
	else if (c == '\t')
		snprintf(buf, size, "tab");
	else if (c < 0x7f && isgraph(c) && c != '\\' && c != '"')
		snprintf(buf, size, "%c", c);
	else
		snprintf(buf, size, "\\x%02x", c & 0xff);
}

/* Text that parse_bytes() reads back; bytes of @also are escaped too. NULL: no memory. */
char *format_bytes(const struct blob *b, const char *also)
{
	char *text = malloc(4 * (size_t)b->len + 6), *p = text;
	uint32_t i;

	if (!text)
		return NULL;
	if ((b->len >= 4 && !memcmp(b->data, "hex:", 4)) || (b->len >= 5 && !memcmp(b->data, "text:", 5)))
		p = stpcpy(p, "text:");
	for (i = 0; i < b->len; i++) {
		uint8_t c = b->data[i];

		if (c == '\\' || c == '"')
			p += sprintf(p, "\\%c", c);
		else if (c == '\r' || c == '\n')
			p += sprintf(p, "\\%c", c == '\r' ? 'r' : 'n');
		else if (c < ' ' || c >= 0x7f || (also && strchr(also, c)))
			p += sprintf(p, "\\x%02x", c);
		else
			*p++ = c;
	}
	*p = 0;
	return text;
}

/* A word as a file, or a shell inside double quotes, would have it. */
void print_word(FILE *f, const char *text)
{
	bool plain = text[0] && !strpbrk(text, " \t\"'#{};&|<>()$`*?~!\\");

	if (plain)
		fputs(text, f);
	else
		fprintf(f, "\"%s\"", text);
}
