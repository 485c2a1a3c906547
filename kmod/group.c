// SPDX-License-Identifier: GPL-2.0-only
/* Groups: configuration, classes, and the set of rings that take requests. */
#include <linux/random.h>
#include <net/genetlink.h>

#include "nl.h"
#include "policy.h"
#include "sluice.h"

#define BACKLOG_DEFAULT	      4096
#define BACKLOG_BYTES_DEFAULT (16ULL << 20)
#define MAX_RINGS_DEFAULT     64
#define KEY_LEN_MAX	      64
#define STALL_NS_DEFAULT      (10ULL * NSEC_PER_SEC)

struct sluice_group *sluice_group_find(struct sluice_net *sn, const char *name)
{
	struct sluice_group *g;

	lockdep_assert_held(&sluice_mutex);
	list_for_each_entry(g, &sn->groups, list)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

static void u32_from(struct nlattr *a, u32 *to)
{
	if (a)
		*to = nla_get_u32(a);
}

static void u64_from(struct nlattr *a, u64 *to)
{
	if (a)
		*to = nla_get_u64(a);
}

static int conf_key(struct sluice_group_conf *c, struct nlattr **tb, struct netlink_ext_ack *extack)
{
	u32 type = c->key.type,
	    offset = c->key.type == SLUICE_KEY_TOKEN ? c->key.token.offset : c->key.offset;
	u32 len = c->key.len, index = c->key.token.index, delim = c->key.token.delim;

	u32_from(tb[SLUICE_A_GROUP_KEY], &type);
	u32_from(tb[SLUICE_A_GROUP_KEY_OFFSET], &offset);
	u32_from(tb[SLUICE_A_GROUP_KEY_LEN], &len);
	u32_from(tb[SLUICE_A_GROUP_KEY_INDEX], &index);
	u32_from(tb[SLUICE_A_GROUP_KEY_DELIM], &delim);
	memset(&c->key, 0, sizeof(c->key));
	c->key.type = type;
	if (type == SLUICE_KEY_BYTES) {
		if (!len || len > KEY_LEN_MAX || offset + len > SLUICE_DEPTH_MAX) {
			NL_SET_ERR_MSG(extack,
				       "key bytes: 1 to 64 within the first 512 of a message");
			return -EINVAL;
		}
		c->key.offset = offset;
		c->key.len = len;
	} else if (type == SLUICE_KEY_TOKEN) {
		if (offset >= SLUICE_DEPTH_MAX) {
			NL_SET_ERR_MSG(extack,
				       "key token: starts within the first 512 bytes of a message");
			return -EINVAL;
		}
		c->key.token.offset = offset;
		c->key.token.index = index;
		c->key.token.delim = delim;
	}
	c->key_depth = sluice_key_depth(&c->key);
	return 0;
}

static int conf_owner(struct sluice_group_conf *c, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	if (tb[SLUICE_A_GROUP_OWNER_UID]) {
		c->uid = make_kuid(current_user_ns(), nla_get_u32(tb[SLUICE_A_GROUP_OWNER_UID]));
		if (!uid_valid(c->uid)) {
			NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_GROUP_OWNER_UID],
					    "no such uid in this user namespace");
			return -EINVAL;
		}
	}
	if (tb[SLUICE_A_GROUP_OWNER_GID]) {
		c->gid = make_kgid(current_user_ns(), nla_get_u32(tb[SLUICE_A_GROUP_OWNER_GID]));
		if (!gid_valid(c->gid)) {
			NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_GROUP_OWNER_GID],
					    "no such gid in this user namespace");
			return -EINVAL;
		}
		c->has_gid = true;
	}
	return 0;
}

static int conf_times(const struct sluice_policy *p, const struct nlattr *at,
		      struct netlink_ext_ack *extack)
{
	if (p->target <= SLUICE_HOLD_NS_MAX && p->interval <= SLUICE_HOLD_NS_MAX)
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, at, "target and interval are at most an hour");
	return -ERANGE;
}

static void conf_default(struct sluice_group_conf *c)
{
	c->key.token.delim = ' ';
	c->backlog = BACKLOG_DEFAULT;
	c->backlog_bytes = BACKLOG_BYTES_DEFAULT;
	c->hold_ns = NSEC_PER_SEC;
	c->max_rings = MAX_RINGS_DEFAULT;
	c->stall_ns = STALL_NS_DEFAULT;
	c->uid = make_kuid(current_user_ns(), 0);
	if (!uid_valid(c->uid))
		c->uid = GLOBAL_ROOT_UID;
}

static void class_free(struct sluice_class *class)
{
	if (!class)
		return;
	free_percpu(class->cnt);
	free_percpu(class->hist);
	kfree(class);
}

/**
 * sluice_group_class_get() - find a class by name, or add it
 * @g: group; sluice_mutex is held
 * @name: 1 to 31 bytes
 * @extack: why not
 *
 * Return: the class, which lives as long as the group; ERR_PTR(-ENOSPC), ERR_PTR(-ENOMEM).
 */
struct sluice_class *sluice_group_class_get(struct sluice_group *g, const char *name,
					    struct netlink_ext_ack *extack)
{
	struct sluice_class *class;
	u32 i;

	for (i = 0; i < g->nclasses; i++)
		if (!strcmp(g->class[i]->name, name))
			return g->class[i];
	if (g->nclasses == SLUICE_CLASSES_MAX) {
		NL_SET_ERR_MSG(extack, "the group has its 16 classes: use one of them");
		return ERR_PTR(-ENOSPC);
	}
	class = kzalloc(sizeof(*class), GFP_KERNEL_ACCOUNT);
	if (!class)
		return ERR_PTR(-ENOMEM);
	class->group = g;
	class->id = g->nclasses;
	strscpy(class->name, name, sizeof(class->name));
	class->cnt = alloc_percpu_gfp(struct sluice_counters, GFP_KERNEL_ACCOUNT);
	class->hist = alloc_percpu_gfp(struct sluice_hists, GFP_KERNEL_ACCOUNT);
	if (!class->cnt || !class->hist) {
		class_free(class);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock_bh(&g->lock);
	g->class[g->nclasses++] = class;
	spin_unlock_bh(&g->lock);
	return class;
}

/*
 * What becomes of the classes that a command made: they stay if it was done, else they go. Classes
 * are appended, so they are the last ones. No request is of a class that goes, and who looks at the
 * classes of a group without a request holds its lock.
 */
static void drafts(struct sluice_group *g, bool keep)
{
	struct sluice_class *class;
	u32 i = g->nclasses;

	while (i && g->class[i - 1]->draft) {
		class = g->class[--i];
		class->draft = false;
		if (keep)
			continue;
		spin_lock_bh(&g->lock);
		g->class[i] = NULL;
		g->nclasses = i;
		spin_unlock_bh(&g->lock);
		class_free(class);
	}
}

/**
 * sluice_group_drafts() - the same for a rule set, whose classes may be of several groups
 * @sn: namespace; sluice_mutex is held
 * @keep: the set was installed
 */
void sluice_group_drafts(struct sluice_net *sn, bool keep)
{
	struct sluice_group *g;

	lockdep_assert_held(&sluice_mutex);
	list_for_each_entry(g, &sn->groups, list)
		drafts(g, keep);
}

/* Options of one class, a nest "class". */
static int conf_class(struct sluice_group *g, struct sluice_group_conf *c,
		      const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[SLUICE_A_CLASS_MAX + 1];
	struct sluice_policy *p;
	u32 shed, nclasses = g->nclasses;
	struct sluice_class *class;
	int err;

	err = nla_parse_nested(tb, SLUICE_A_CLASS_MAX, nest, sluice_class_policy, extack);
	if (!err)
		err = sluice_nl_name_check(tb[SLUICE_A_CLASS_NAME], extack);
	if (err)
		return err;
	class = sluice_group_class_get(g, nla_data(tb[SLUICE_A_CLASS_NAME]), extack);
	if (IS_ERR(class))
		return PTR_ERR(class);
	class->draft |= g->nclasses > nclasses;
	p = &c->class_policy[class->id];
	shed = p->shed;
	u64_from(tb[SLUICE_A_CLASS_TARGET_NS], &p->target);
	u64_from(tb[SLUICE_A_CLASS_INTERVAL_NS], &p->interval);
	u32_from(tb[SLUICE_A_CLASS_CAP], &p->cap);
	u32_from(tb[SLUICE_A_CLASS_SHED], &shed);
	p->shed = shed;
	return conf_times(p, nest, extack);
}

/* What the queue discipline is told: of the group, and of classes. */
static int conf_overload(struct sluice_group *g, struct sluice_group_conf *c, struct nlattr **tb,
			 const struct nlmsghdr *nlh, struct netlink_ext_ack *extack)
{
	const struct nlattr *attr;
	int rem, err;

	u64_from(tb[SLUICE_A_GROUP_TARGET_NS], &c->policy.target);
	u64_from(tb[SLUICE_A_GROUP_INTERVAL_NS], &c->policy.interval);
	if (tb[SLUICE_A_GROUP_ORDER])
		c->policy.fifo = nla_get_u32(tb[SLUICE_A_GROUP_ORDER]) == SLUICE_ORDER_FIFO;
	err = conf_times(&c->policy, tb[SLUICE_A_GROUP_TARGET_NS], extack);
	nlmsg_for_each_attr(attr, nlh, GENL_HDRLEN, rem)
		if (!err && nla_type(attr) == SLUICE_A_GROUP_CLASS_CONF)
			err = conf_class(g, c, attr, extack);
	return err;
}

/**
 * sluice_group_configure() - set options; what @tb does not name stays
 * @g: group; sluice_mutex is held
 * @tb: attributes
 * @nlh: the message they came in, for those that repeat
 * @extack: why not
 *
 * Requests that wait already are not measured against lowered limits.
 *
 * Context: may sleep. Return: 0 or -errno, nothing changed then.
 */
int sluice_group_configure(struct sluice_group *g, struct nlattr **tb, const struct nlmsghdr *nlh,
			   struct netlink_ext_ack *extack)
{
	struct sluice_group_conf *old =
		rcu_dereference_protected(g->conf, lockdep_is_held(&sluice_mutex));
	struct sluice_group_conf *c;
	struct sluice_ring *ring;
	int err;

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	if (old)
		*c = *old;
	else
		conf_default(c);
	u32_from(tb[SLUICE_A_GROUP_STEERING], &c->steering);
	u32_from(tb[SLUICE_A_GROUP_WINDOW], &c->window);
	u32_from(tb[SLUICE_A_GROUP_BACKLOG], &c->backlog);
	u64_from(tb[SLUICE_A_GROUP_BACKLOG_BYTES], &c->backlog_bytes);
	u32_from(tb[SLUICE_A_GROUP_NO_CONSUMER], &c->no_consumer);
	u64_from(tb[SLUICE_A_GROUP_HOLD_NS], &c->hold_ns);
	u32_from(tb[SLUICE_A_GROUP_CRASH], &c->crash);
	u32_from(tb[SLUICE_A_GROUP_MAX_RINGS], &c->max_rings);
	u64_from(tb[SLUICE_A_GROUP_STALL_NS], &c->stall_ns);
	err = -ERANGE;
	if (c->stall_ns > SLUICE_HOLD_NS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_GROUP_STALL_NS],
				    "stall time is over an hour");
		goto err;
	}
	if (c->hold_ns > SLUICE_HOLD_NS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_GROUP_HOLD_NS],
				    "hold time is over an hour");
		goto err;
	}
	err = conf_key(c, tb, extack);
	if (err)
		goto err;
	err = conf_owner(c, tb, extack);
	if (err)
		goto err;
	err = conf_overload(g, c, tb, nlh, extack);
	if (err)
		goto err;
	drafts(g, true);
	rcu_assign_pointer(g->conf, c);
	list_for_each_entry(ring, &g->members, member)
		sluice_ring_window_set(ring, c->window);
	local_bh_disable();
	sluice_limits_refresh(g);
	local_bh_enable();
	if (old) {
		sluice_watch_change(g, old->stall_ns);
		kfree_rcu(old, rcu);
		sluice_backlog_run(g);
	}
	return 0;
err:
	drafts(g, false);
	kfree(c);
	return err;
}

static void group_free(struct sluice_group *g)
{
	u32 i;

	sluice_queue_fini(&g->backlog.q);
	for (i = 0; i < g->nclasses; i++)
		class_free(g->class[i]);
	kfree(rcu_dereference_protected(g->rings, true));
	kfree(rcu_dereference_protected(g->conf, true));
	kfree(g);
}

struct sluice_group *sluice_group_create(struct sluice_net *sn, struct nlattr **tb,
					 const struct nlmsghdr *nlh, struct netlink_ext_ack *extack)
{
	const char *name = nla_data(tb[SLUICE_A_GROUP_NAME]);
	struct sluice_class *class;
	struct sluice_rings *none;
	struct sluice_group *g;
	int err;

	if (sluice_group_find(sn, name)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_GROUP_NAME], "a group of this name exists");
		return ERR_PTR(-EEXIST);
	}
	g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);
	if (!g)
		return ERR_PTR(-ENOMEM);
	g->sn = sn;
	strscpy(g->name, name, sizeof(g->name));
	INIT_LIST_HEAD(&g->members);
	g->seed = get_random_u32();
	sluice_watch_init(g);
	err = sluice_backlog_init(g);
	if (err)
		goto err;
	none = kzalloc(sizeof(*none), GFP_KERNEL_ACCOUNT);
	err = -ENOMEM;
	if (!none)
		goto err;
	RCU_INIT_POINTER(g->rings, none);
	class = sluice_group_class_get(g, "default", extack);
	err = PTR_ERR_OR_ZERO(class);
	if (err)
		goto err;
	err = sluice_group_configure(g, tb, nlh, extack);
	if (err)
		goto err;
	g->id = ++sn->next_id;
	list_add_tail(&g->list, &sn->groups);
	return g;
err:
	group_free(g);
	return ERR_PTR(err);
}

/**
 * sluice_group_destroy() - free a group that nothing refers to
 * @g: users is 0; sluice_mutex is held
 *
 * Without rules and rings no request of it is in flight but what its backlog holds: of a listener
 * that lives on, whose rule was removed, or of a ring that left. Those are rejected; the sweep has
 * ended before.
 *
 * Context: may sleep.
 */
void sluice_group_destroy(struct sluice_group *g)
{
	WARN_ON_ONCE(g->users);
	list_del(&g->list);
	synchronize_rcu();
	sluice_watch_fini(g);
	sluice_backlog_fini(g);
	synchronize_rcu();
	group_free(g);
}

static int rings_swap(struct sluice_group *g, struct sluice_ring *add, struct sluice_ring *remove)
{
	struct sluice_rings *old =
		rcu_dereference_protected(g->rings, lockdep_is_held(&sluice_mutex));
	struct sluice_rings *set;
	u32 i;

	set = kzalloc(struct_size(set, ring, old->n + 1),
		      GFP_KERNEL_ACCOUNT | (remove ? __GFP_NOFAIL : 0));
	if (!set)
		return -ENOMEM;
	for (i = 0; i < old->n; i++)
		if (old->ring[i] != remove)
			set->ring[set->n++] = old->ring[i];
	if (add)
		set->ring[set->n++] = add;
	rcu_assign_pointer(g->rings, set);
	kfree_rcu(old, rcu);
	return 0;
}

/* Let a ring take requests. Context: may sleep, sluice_mutex is held. Return: 0 or -ENOMEM. */
int sluice_group_rings_add(struct sluice_group *g, struct sluice_ring *ring)
{
	return rings_swap(g, ring, NULL);
}

/* The reverse; sections that began before may still offer it requests. Cannot fail. */
void sluice_group_rings_remove(struct sluice_group *g, struct sluice_ring *ring)
{
	rings_swap(g, NULL, ring);
}
