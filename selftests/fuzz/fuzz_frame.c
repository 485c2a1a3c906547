// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of core/frame.c: a stream is cut in the same places, in whatever pieces it arrives. */
#include "../../kmod/core/frame.h"
#include "fuzz.h"

/* Where the first message ends, fed in pieces of up to @step bytes; @fed is set to the bytes that took. */
static int cut(const struct sluice_frame *f, const u8 *data, u32 len, u32 step, u32 *fed)
{
	struct sluice_frame_state s = { 0 };
	int ret = 0;
	u32 n;

	for (*fed = 0; *fed < len && !ret; *fed += n) {
		n = len - *fed < step ? len - *fed : step;
		ret = sluice_frame_feed(f, &s, data + *fed, n);
	}
	return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct choices c = { .data = data, .left = size };
	struct sluice_frame f = {
		.type = pick(&c, 5), .width = pick(&c, 10), .little = pick(&c, 2), .whole = pick(&c, 2),
		.delim = pick(&c, 256), .offset = pick(&c, 300), .max = pick(&c, 65536),
	};
	u32 at = 0, step = 1 + pick(&c, 40), whole_fed, fed;
	const char *why = NULL;
	int whole, pieces, quick;
	u8 *stream;

	if (sluice_frame_check(&f, &why)) {
		MUST(why);
		return 0;
	}
	size = c.left;
	stream = exact_copy(c.data, size);
	while (at < size) {
		whole = cut(&f, stream + at, size - at, size, &whole_fed);
		pieces = cut(&f, stream + at, size - at, step, &fed);
		MUST(whole == pieces);
		quick = sluice_frame_quick(&f, stream + at, size - at);
		MUST(!quick || quick == whole);
		MUST(whole >= 0 || whole == -EMSGSIZE || whole == -EPROTO);
		MUST(whole <= 0 || (u32)whole <= f.max);
		if (whole <= 0)
			break;
		at += whole;
	}
	free(stream);
	return 0;
}
