// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our XDP program on the devices of XDP listeners: it comes with the first listener of a device and goes with the
 * last one. libxdp's dispatcher lets it live beside other programs; pinned links keep it where it is.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "bpf.h"
#include "bpf/sluice_xdp.skel.h"
#include "xdp.h"

#define OUR_NAME "sluice_xdp"

const char *const xdp_mode_names[] = { "none", "generic", "native", "hardware", NULL };

/* What the libraries had to say last, for the error message. */
static char said[400];

static int keep(const char *format, va_list args)
{
	char line[sizeof(said)];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	if (line[0])
		memcpy(said, line, sizeof(said));
	return 0;
}

static int print_bpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? keep(format, args) : 0;
}

static int print_xdp(enum libxdp_print_level level, const char *format, va_list args)
{
	return level == LIBXDP_WARN ? keep(format, args) : 0;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

/*
 * Links live as long as the file system that they are pinned in. Under "ip netns exec" /sys is another one, and
 * goes with the command: the links belong into that of the machine.
 */
static bool find_bpffs(void)
{
	static const char *const places[] = { "/sys/fs/bpf", "/proc/1/root/sys/fs/bpf" };
	const char *place = getenv("LIBXDP_BPFFS");
	unsigned int i;

	libbpf_set_print(print_bpf);
	libxdp_set_print(print_xdp);
	if (place)
		return is_bpffs(place);
	/* the machine's own first, where it can be seen */
	for (i = sizeof(places) / sizeof(places[0]); i--;) {
		if (is_bpffs(places[i])) {
			setenv("LIBXDP_BPFFS", places[i], 1);
			return true;
		}
	}
	return false;
}

/* The device whose frames a device's messages come in: itself, or what a VLAN lies on. */
static unsigned int lower_of(unsigned int ifindex)
{
	struct vlan_ioctl_args args = { .cmd = GET_VLAN_REALDEV_NAME_CMD };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int lower = ifindex;
	char name[IF_NAMESIZE];

	if (fd < 0)
		return ifindex;
	if (if_indextoname(ifindex, name)) {
		memcpy(args.device1, name, sizeof(name));
		if (!ioctl(fd, SIOCGIFVLAN, &args))
			lower = if_nametoindex(args.u.device2);
	}
	close(fd);
	return lower ? lower : ifindex;
}

static enum xdp_mode mode_name(enum xdp_attach_mode mode)
{
	return mode == XDP_MODE_SKB ? XDP_MODE_IS_GENERIC : mode == XDP_MODE_HW ? XDP_MODE_IS_HARDWARE :
								   XDP_MODE_IS_NATIVE;
}

static bool is_ours(const struct xdp_program *prog)
{
	const char *name = prog ? xdp_program__name(prog) : NULL;

	return name && !strcmp(name, OUR_NAME);
}

/* Our program among those on a device; NULL: it is not there. It lives as long as @mp. */
static struct xdp_program *find_ours(const struct xdp_multiprog *mp)
{
	struct xdp_program *prog = NULL;

	if (xdp_multiprog__is_legacy(mp)) {
		prog = xdp_multiprog__main_prog(mp);
		return is_ours(prog) ? prog : NULL;
	}
	while ((prog = xdp_multiprog__next_prog(prog, mp)))
		if (is_ours(prog))
			return prog;
	return NULL;
}

/* How our program is attached to the device that @ifindex gets its frames from. */
enum xdp_mode xdp_mode_of(unsigned int ifindex)
{
	enum xdp_mode mode = XDP_MODE_NONE;
	struct xdp_multiprog *mp;

	find_bpffs();
	mp = xdp_multiprog__get_from_ifindex(lower_of(ifindex));
	if (libxdp_get_error(mp))
		return mode;
	if (find_ours(mp))
		mode = mode_name(xdp_multiprog__attach_mode(mp));
	xdp_multiprog__close(mp);
	return mode;
}

/* Without libxdp's dispatcher: alone on the device, if nobody else is there. */
static int put_alone(struct cli *c, struct sluice_xdp_bpf *skel, unsigned int ifindex)
{
	static const __u32 modes[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };
	int ret = sluice_xdp_bpf__load(skel);
	unsigned int i;

	if (ret)
		return fail(c, ret, "the kernel does not take the XDP program: %s. Its kfunc needs the module's BTF"
			    " (/sys/kernel/btf/sluice), made if the kernel's vmlinux was there when it was built", said);
	for (i = 0; i < 2; i++) {
		ret = bpf_xdp_attach(ifindex, bpf_program__fd(skel->progs.sluice_xdp),
				     modes[i] | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
		if (!ret)
			return 0;
	}
	return fail(c, ret, "cannot attach to the device: %s", ret == -EBUSY || ret == -EEXIST ?
		    "another XDP program is there, and not under libxdp's dispatcher" : strerror(-ret));
}

static int put_beside(struct sluice_xdp_bpf *skel, unsigned int ifindex)
{
	static const enum xdp_attach_mode modes[] = { XDP_MODE_NATIVE, XDP_MODE_SKB };
	struct xdp_multiprog *mp = xdp_multiprog__get_from_ifindex(ifindex);
	struct xdp_program *prog;
	unsigned int i;
	int ret = 0;

	prog = xdp_program__from_bpf_obj(skel->obj, "xdp");
	ret = libxdp_get_error(prog);
	if (ret)
		goto out;
	if (!libxdp_get_error(mp)) {
		/* others are there: in their mode or not at all */
		ret = xdp_program__attach(prog, ifindex, xdp_multiprog__attach_mode(mp), 0);
	} else {
		for (i = 0; i < 2; i++) {
			ret = xdp_program__attach(prog, ifindex, modes[i], 0);
			if (!ret)
				break;
		}
	}
	xdp_program__close(prog);
out:
	if (!libxdp_get_error(mp))
		xdp_multiprog__close(mp);
	return ret;
}

/* Attach our program to what @ifindex gets its frames from, unless it is there. */
int xdp_put(struct cli *c, unsigned int ifindex)
{
	unsigned int lower = lower_of(ifindex);
	struct sluice_xdp_bpf *skel;
	bool pins = find_bpffs();
	int ret = -ENOENT;

	if (xdp_mode_of(lower) != XDP_MODE_NONE)
		return 0;
	skel = sluice_xdp_bpf__open();
	if (!skel)
		return fail(c, -errno, "cannot open the XDP program: %s", said);
	if (pins)
		ret = put_beside(skel, lower);
	sluice_xdp_bpf__destroy(skel);
	if (!ret)
		return 0;
	skel = sluice_xdp_bpf__open();
	if (!skel)
		return fail(c, -errno, "cannot open the XDP program: %s", said);
	ret = put_alone(c, skel, lower);
	sluice_xdp_bpf__destroy(skel);
	if (!ret)
		fprintf(stderr, "sluice: the XDP program is alone on its device: %s\n", pins ? said :
			"no bpf file system to pin the dispatcher's links in (mount -t bpf bpf /sys/fs/bpf)");
	return ret;
}

/* Detach our program from what @ifindex gets its frames from; others stay. */
int xdp_take(struct cli *c, unsigned int ifindex)
{
	unsigned int lower = lower_of(ifindex);
	enum xdp_attach_mode mode;
	struct xdp_multiprog *mp;
	struct xdp_program *prog;
	int ret = 0;

	find_bpffs();
	mp = xdp_multiprog__get_from_ifindex(lower);
	if (libxdp_get_error(mp))
		return 0;
	mode = xdp_multiprog__attach_mode(mp);
	prog = find_ours(mp);
	if (prog && xdp_multiprog__is_legacy(mp))
		ret = bpf_xdp_detach(lower, mode == XDP_MODE_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE, NULL);
	else if (prog && xdp_multiprog__program_count(mp) == 1)
		ret = xdp_multiprog__detach(mp);
	else if (prog)
		ret = xdp_program__detach(prog, lower, mode, 0);
	xdp_multiprog__close(mp);
	return ret ? fail(c, ret, "cannot detach the XDP program: %s", said[0] ? said : strerror(-ret)) : 0;
}

/* Does any XDP listener get its frames from @lower? */
static int still_used(struct cli *c, unsigned int lower, bool *used)
{
	struct objects o = { .set = &set_listener };
	const struct listener *l;
	uint32_t i;
	int ret = kernel_dump(c, SLUICE_CMD_LISTENER_GET, NULL, &o);

	*used = false;
	for (i = 0; !ret && i < o.items.n; i++) {
		l = (const struct listener *)o.items.items + i;
		if (l->xdp && !l->closed && lower_of(l->ifindex) == lower)
			*used = true;
	}
	objects_free(&o);
	return ret;
}

static int del(struct cli *c, struct listener *l)
{
	struct listener was = { 0 };
	bool used;
	int ret;

	ret = c->dump ? 0 : kernel_do(c, SLUICE_CMD_LISTENER_GET, l, &was);
	if (!ret)
		ret = kernel_do(c, SLUICE_CMD_LISTENER_DEL, l, NULL);
	if (!ret && was.xdp && !was.closed) {
		ret = still_used(c, lower_of(was.ifindex), &used);
		if (!ret && !used)
			ret = xdp_take(c, was.ifindex);
	}
	obj_free(&set_listener, &was);
	return ret;
}

/*
 * Attach the program of a listener that there is. If somebody has deleted it meanwhile, or unloaded the module, nobody else
 * takes the program off again, which holds the module.
 */
static int put(struct cli *c, unsigned int ifindex)
{
	bool used;
	int ret = xdp_put(c, ifindex);

	if (ret)
		return ret;
	ret = still_used(c, lower_of(ifindex), &used);
	if (ret || used)
		return ret;
	xdp_take(c, ifindex);
	return fail(c, -ENOENT, "the listener was deleted while its program was being attached");
}

/* Attach the program again: the device may have come back as another one. */
static int put_again(struct cli *c, const struct listener *l)
{
	struct listener now = { 0 };
	int ret = kernel_do(c, SLUICE_CMD_LISTENER_GET, l, &now);

	if (!ret && now.xdp && !now.closed)
		ret = put(c, now.ifindex);
	obj_free(&set_listener, &now);
	return ret;
}

/* Send it with the program that it names, loaded for as long as the kernel takes to hold it. */
static int send_with_framer(struct cli *c, uint8_t cmd, struct listener *l)
{
	struct bpf_object *obj = NULL;
	int ret;

	if (!is_given(l, SLUICE_A_LISTENER_FRAMER_NAME) || is_given(l, SLUICE_A_LISTENER_FRAMER_FD) || c->dump)
		return kernel_do(c, cmd, l, NULL);
	ret = bpf_load_named(c, (const char *)l->framer_name.data, &obj);
	if (ret < 0)
		return ret;
	l->framer_fd = ret;
	l->given |= GIVEN(SLUICE_A_LISTENER_FRAMER_FD);
	ret = kernel_do(c, cmd, l, NULL);
	l->given &= ~GIVEN(SLUICE_A_LISTENER_FRAMER_FD);
	bpf_object__close(obj);
	return ret;
}

/* Add, change or delete a listener, and see to what it needs on its device and of programs. */
int listener_send(struct cli *c, uint8_t cmd, struct listener *l)
{
	struct listener name = { .given = GIVEN(SLUICE_A_LISTENER_NAME) };
	char why[sizeof(c->err)];
	int ret;

	strcpy(name.name, l->name);
	if (cmd == SLUICE_CMD_LISTENER_DEL)
		return del(c, &name);
	ret = send_with_framer(c, cmd, l);
	if (!ret && cmd == SLUICE_CMD_LISTENER_SET && !c->dump)
		return put_again(c, &name);
	if (ret || cmd != SLUICE_CMD_LISTENER_NEW || !l->xdp || c->dump)
		return ret;
	ret = put(c, l->ifindex);
	if (ret) {
		strcpy(why, c->err);
		del(c, &name);
		return fail(c, ret, "%s", why);
	}
	return 0;
}
