// SPDX-License-Identifier: GPL-2.0-only
/* A listener's own socket: its address as asked for, and binding to it. */
#include <linux/in6.h>
#include <linux/net.h>
#include <net/ipv6.h>

#include "sluice.h"

static int check_address(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct nlattr *addr = tb[SLUICE_A_LISTENER_ADDR];

	if (!addr || !tb[SLUICE_A_LISTENER_PORT]) {
		NL_SET_ERR_MSG(extack,
			       "give an address and a port, or the fd of a bound socket");
		return -EINVAL;
	}
	if (nla_len(addr) != 4 && nla_len(addr) != 16) {
		NL_SET_ERR_MSG_ATTR(extack, addr, "address is 4 or 16 bytes");
		return -EINVAL;
	}
	if (nla_len(addr) == 4 && tb[SLUICE_A_LISTENER_V6ONLY]) {
		NL_SET_ERR_MSG_ATTR(extack, tb[SLUICE_A_LISTENER_V6ONLY],
				    "v6only goes with an IPv6 address");
		return -EINVAL;
	}
	return 0;
}

/**
 * sluice_bind_address() - read where a listener is to be bound
 * @l: listener being made
 * @tb: its attributes
 * @extack: why not
 *
 * Return: 0 or -EINVAL.
 */
int sluice_bind_address(struct sluice_listener *l, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	int err = check_address(tb, extack);

	if (err)
		return err;
	l->addr_len = nla_len(tb[SLUICE_A_LISTENER_ADDR]);
	memcpy(l->addr, nla_data(tb[SLUICE_A_LISTENER_ADDR]), l->addr_len);
	l->port = nla_get_u16(tb[SLUICE_A_LISTENER_PORT]);
	l->v6only = tb[SLUICE_A_LISTENER_V6ONLY];
	if (tb[SLUICE_A_LISTENER_IFINDEX])
		l->ifindex = nla_get_u32(tb[SLUICE_A_LISTENER_IFINDEX]);
	return 0;
}

/* Note where an adopted socket is bound, for dumps and replies. */
void sluice_listener_read_address(struct sluice_listener *l)
{
	const struct sock *sk = l->sk;

	l->port = inet_sk(sk)->inet_num;
	l->ifindex = sk->sk_bound_dev_if;
	if (sk->sk_family == AF_INET) {
		l->addr_len = 4;
		memcpy(l->addr, &inet_sk(sk)->inet_rcv_saddr, 4);
	} else {
		l->addr_len = 16;
		memcpy(l->addr, &sk->sk_v6_rcv_saddr, 16);
		l->v6only = ipv6_only_sock(sk);
	}
}

static int bind_socket(struct socket *sock, const struct sluice_listener *l)
{
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(l->port)};
	struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_port = htons(l->port)};

	if (l->addr_len == 4) {
		memcpy(&a4.sin_addr, l->addr, 4);
		return sluice_kernel_bind(sock, &a4, sizeof(a4));
	}
	memcpy(&a6.sin6_addr, l->addr, 16);
	if (ipv6_addr_type(&a6.sin6_addr) & IPV6_ADDR_LINKLOCAL)
		a6.sin6_scope_id = l->ifindex;
	return sluice_kernel_bind(sock, &a6, sizeof(a6));
}

static void bind_refused(int err, struct netlink_ext_ack *extack)
{
	if (err == -EADDRINUSE)
		NL_SET_ERR_MSG(extack,
			       "address and port are taken: by a socket, or another listener");
	else if (err == -EADDRNOTAVAIL)
		NL_SET_ERR_MSG(extack, "the address is not one of this namespace's");
	else if (err == -EINVAL)
		NL_SET_ERR_MSG(extack, "a link-local address needs a device");
}

/**
 * sluice_bind_device() - what comes before sluice_bind(): IPv6 alone, one device alone
 * @l: listener, its address was read
 * @sock: socket of the right family
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_bind_device(struct sluice_listener *l, struct socket *sock,
		       struct netlink_ext_ack *extack)
{
	int err = 0;
	bool there;

	if (l->addr_len == 16 && l->v6only)
		err = ip6_sock_set_v6only(sock->sk);
	if (err || !l->ifindex)
		return err;
	/* a socket may be bound to any number */
	rcu_read_lock();
	there = dev_get_by_index_rcu(sock_net(sock->sk), l->ifindex);
	rcu_read_unlock();
	if (!there) {
		NL_SET_ERR_MSG(extack, "no such device");
		return -ENODEV;
	}
	return sock_bindtoindex(sock->sk, l->ifindex, true);
}

/**
 * sluice_bind() - bind a kernel socket to its listener's address
 * @l: listener, its address was read
 * @sock: socket of the right family
 * @extack: why not
 *
 * Context: may sleep. Return: 0 or -errno.
 */
int sluice_bind(const struct sluice_listener *l, struct socket *sock,
		struct netlink_ext_ack *extack)
{
	int err = bind_socket(sock, l);

	bind_refused(err, extack);
	return err;
}
