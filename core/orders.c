/* orders.c - see orders.h. */
#include "core/orders.h"
#include "core/log.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
	uint32_t kind, e;
	uint64_t number;
	int64_t value;
};

union control { /* room for one descriptor, aligned for its header */
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr header;
};

enum err orders_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return err_errno("make a pair of sockets");
	return OK;
}

bool order_send(int socket, const struct order *o)
{
	struct head head = { o->kind, o->e, o->number, o->value };
	struct iovec parts[2] = { { &head, sizeof(head) }, { (void *)o->text.p, o->text.len } };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };
	union control control;
	ssize_t sent;

	if (parts[1].iov_len > ORDER_TEXT_MAX)
		parts[1].iov_len = ORDER_TEXT_MAX;
	if (o->fd >= 0) {
		memset(&control, 0, sizeof(control));
		m.msg_control = &control;
		m.msg_controllen = sizeof(control.bytes);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &o->fd, sizeof(int));
	}
	do
		sent = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

static int descriptor_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(int));
	return fd;
}

enum order_came order_receive(int socket, struct order *o, char *bytes)
{
	for (;;) {
		struct head head;
		struct iovec parts[2] = { { &head, sizeof(head) }, { bytes, ORDER_TEXT_MAX } };
		union control control;
		struct msghdr m = { .msg_iov = parts,
			.msg_iovlen = 2,
			.msg_control = &control,
			.msg_controllen = sizeof(control.bytes) };
		ssize_t len = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return errno == EAGAIN ? ORDER_NONE : ORDER_GONE;
		if (!len)
			return ORDER_GONE;
		o->fd = descriptor_of(&m);
		if ((size_t)len < sizeof(head) || head.kind < ORDER_LISTEN || head.kind > ORDER_ASK_STOP ||
			head.e >= ERR_KINDS) {
			log_error("core", NULL, "an order that is none bytes=%zd", len);
			if (o->fd >= 0)
				close(o->fd);
			continue;
		}
		o->kind = head.kind;
		o->e = head.e;
		o->number = head.number;
		o->value = head.value;
		o->text = (struct str){ bytes, (size_t)len - sizeof(head) };
		return ORDER_CAME;
	}
}
