# SPDX-License-Identifier: GPL-2.0-only
# The built-in handlers; linked into sluiced, see daemon/build.mk.

HANDLER_OBJS := handlers/echo.o handlers/option.o handlers/kv.o handlers/kv_cluster.o handlers/kv_session.o \
	handlers/kv_proto.o handlers/kv_meta.o handlers/kv_resp.o handlers/kv_execute.o handlers/kv_stats.o handlers/kv_store.o handlers/kv_chunk.o core/match.o
