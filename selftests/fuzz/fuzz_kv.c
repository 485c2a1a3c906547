// SPDX-License-Identifier: GPL-2.0-only
/* Owns the fuzzing of the memcached protocol on one shard: whatever is said, the store stays whole. */
#include "handlers/kv_cluster.h"
#include "handlers/kv_proto.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kv_cluster_config config = {
		.shards = 1, .memory = 1 << 20, .item_max = 8192, .response_max = 1 << 16, .now = 1700000000,
	};
	struct kv_cluster *cluster;
	struct kv_session session;
	char *exact = (char *)exact_copy(data, size);

	MUST(!kv_cluster_create(&cluster, &config));
	MUST(!kv_session_init(&session, kv_cluster_shard(cluster, 0), &kv_text, NULL));
	kv_session_start(&session, exact, size);
	MUST(kv_session_run(&session));
	MUST(session.pos <= size || session.closed || session.incomplete);
	MUST(!kv_store_verify(kv_shard_store(kv_cluster_shard(cluster, 0))));
	kv_session_fini(&session);
	kv_cluster_destroy(cluster);
	free(exact);
	return 0;
}
