// SPDX-License-Identifier: GPL-2.0-only
/*
 * An owner of whose system calls one is overtaken: it has begun, and waits for a page of its arguments, when the socket
 * is handed over, and goes on behind that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int level, name, result;
static char *page;
static long size;

static int die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *call(void *arg)
{
	(void)arg;
	result = setsockopt(9, level, name, page, sizeof(int)) ? errno : 0;
	return NULL;
}

/* A page that is not there until someone who is asked for it says what it holds. */
static int absent_page(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0) {
		puts("missing");
		exit(4);
	}
	size = sysconf(_SC_PAGESIZE);
	page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (unsigned long)page;
	reg.range.len = size;
	if (page == MAP_FAILED || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		die("userfaultfd");
	return fd;
}

static int listener(const char *port)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(port)) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sin6, sizeof(sin6)) || listen(fd, 16))
		die("listen");
	return fd;
}

/*
 * PORT ulp|addrform: the first connection is fd 9; a thread asks for kTLS, or IPv4 addresses; meanwhile the connection is
 * handed to listener l. Says what came of it; closes the connection at a word from standard input, and waits
 */
int main(int argc, char **argv)
{
	struct uffdio_copy copy = { 0 };
	char value[65536] = "tls", c;
	int ear, fd, missing;
	struct uffd_msg msg;
	pthread_t thread;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3)
		return 2;
	missing = absent_page();
	level = strcmp(argv[2], "ulp") ? IPPROTO_IPV6 : IPPROTO_TCP;
	name = level == IPPROTO_TCP ? TCP_ULP : IPV6_ADDRFORM;
	if (level == IPPROTO_IPV6)
		memcpy(value, &(int){ AF_INET }, sizeof(int));
	ear = listener(argv[1]);
	puts("ready");
	fd = accept(ear, NULL, NULL);
	if (fd < 0 || (fd != 9 && (dup2(fd, 9) != 9 || close(fd))))
		die("accept");
	if (pthread_create(&thread, NULL, call, NULL))
		die("thread");
	if (read(missing, &msg, sizeof(msg)) != sizeof(msg) || msg.event != UFFD_EVENT_PAGEFAULT)
		die("fault");
	if (system("sluice conn adopt l fd 9"))
		die("adopt");
	copy.dst = (unsigned long)page;
	copy.src = (unsigned long)value;
	copy.len = size;
	if (ioctl(missing, UFFDIO_COPY, &copy))
		die("copy");
	pthread_join(thread, NULL);
	printf("late %s\n", result ? strerror(result) : "done");
	if (read(0, &c, 1) != 1)
		die("stdin");
	close(9);
	puts("closed");
	pause();
	return 0;
}
