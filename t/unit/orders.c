/* Orders go from process to process whole, with their descriptor, or not at all. */
#include "core/orders.h"
#include "core/log.h"
#include "t/tap.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[ORDER_TEXT_MAX];

static void test_simple(void)
{
	struct order o;
	int ends[2];

	ok(orders_pair(ends) == OK, "there is a pair of sockets");
	ok(order_receive(ends[0], &o, bytes) == ORDER_NONE, "nothing came yet");
	order_send(ends[1], &ORDER(ORDER_CLOCK, .number = 7, .value = -5));
	order_send(ends[1], &ORDER(ORDER_TELL, .number = UINT64_MAX, .e = ERR_DENIED, .text = STR("two\nlines")));
	ok(order_receive(ends[0], &o, bytes) == ORDER_CAME && o.kind == ORDER_CLOCK && o.number == 7 && o.value == -5 &&
			o.fd < 0 && !o.text.len,
		"an order comes as it was sent");
	ok(order_receive(ends[0], &o, bytes) == ORDER_CAME && o.kind == ORDER_TELL && o.e == ERR_DENIED &&
			o.number == UINT64_MAX && str_eq(o.text, STR("two\nlines")),
		"the next one too, and its text");
	close(ends[1]);
	ok(order_receive(ends[0], &o, bytes) == ORDER_GONE, "the end of the other side is heard");
	ok(!order_send(ends[0], &ORDER(ORDER_STOP)), "and nothing can be sent to it");
	close(ends[0]);
}

static void test_descriptor(void)
{
	struct order o;
	int ends[2], pipes[2];
	char c = 0;

	orders_pair(ends);
	if (pipe2(pipes, O_CLOEXEC))
		abort();
	order_send(ends[1], &ORDER_WITH(ORDER_LOG, pipes[1]));
	close(pipes[1]);
	ok(order_receive(ends[0], &o, bytes) == ORDER_CAME && o.fd >= 0 && write(o.fd, "x", 1) == 1 &&
			read(pipes[0], &c, 1) == 1 && c == 'x',
		"a descriptor comes with its order");
	ok(fcntl(o.fd, F_GETFD) & FD_CLOEXEC, "and is closed on exec");
	close(o.fd);
	close(pipes[0]);
	close(ends[0]);
	close(ends[1]);
}

static void test_limits(void)
{
	static char text[ORDER_TEXT_MAX + 100];
	struct order o;
	int ends[2];
	unsigned sent = 0, came = 0;

	orders_pair(ends);
	memset(text, 'x', sizeof(text));
	order_send(ends[1], &ORDER(ORDER_TELL, .text = { text, sizeof(text) }));
	ok(order_receive(ends[0], &o, bytes) == ORDER_CAME && o.text.len == ORDER_TEXT_MAX, "a long text is cut");
	while (sent < 100000 && order_send(ends[1], &ORDER(ORDER_CLOCK, .value = sent)))
		sent++;
	while (order_receive(ends[0], &o, bytes) == ORDER_CAME && o.value == (int64_t)came)
		came++;
	ok(sent > 50 && sent < 100000 && came == sent, "who takes nothing in is seen: %u orders fit", sent);
	log_to(-1);
	send(ends[1], "junk", 4, 0);
	send(ends[1], text, 100, 0);
	order_send(ends[1], &ORDER(ORDER_STOP));
	ok(order_receive(ends[0], &o, bytes) == ORDER_CAME && o.kind == ORDER_STOP,
		"what makes no sense is passed over");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	test_simple();
	test_descriptor();
	test_limits();
	return done();
}
