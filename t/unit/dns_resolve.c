/* The resolver in a worker's loop, and a name server in the same loop that answers as the test wants it to. */
#include "core/counter.h"
#include "core/house.h"
#include "core/log.h"
#include "core/worker.h"
#include "dns/hosts.h"
#include "dns/message.h"
#include "dns/resolve_inside.h"
#include "t/tap.h"
#include <arpa/inet.h>
#include <ev.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct call_type no_types[] = { { 0 } };
static const struct call_type *const tables[] = { no_types, NULL };
static const struct settings *const settings[] = { &dns_settings, NULL };
const struct house house = { .calls = tables, .settings = settings };

#define PATIENCE_MS 20000

/* --- the name server ----------------------------------------------------------------------------------------------- */

static struct server {
	int fd;
	struct ev_io io;
	unsigned asked;
	bool silent;
	unsigned rcode;
	uint32_t ttl_s;
	char last[DNS_QUERY_MAX]; /* the name that was asked for, in small letters */
} server;

/* One A record for any question of that type, by a pointer to its name; nothing else is there. */
static void on_question(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	char message[1024] = { 0 };
	ssize_t len = recvfrom(server.fd, message, sizeof(message) - 64, 0, (struct sockaddr *)&from, &from_len);
	size_t end = DNS_HEADER_BYTES;
	struct dns_name name;
	struct buf text = { 0 };

	(void)loop, (void)io, (void)events;
	if (len < 0)
		return;
	server.asked++;
	dns_name_take((struct str){ message, (size_t)len }, &end, &name);
	dns_name_print(&name, &text);
	snprintf(server.last, sizeof(server.last), STR_FMT, STR_ARG(buf_str(&text)));
	buf_free(&text);
	if (server.silent)
		return;
	message[2] |= (char)0x80;
	message[3] = (char)(0x80 | server.rcode);
	message[11] = 0;
	if (message[end + 1] == DNS_A && !server.rcode) {
		message[7] = 1;
		memcpy(message + end + 4, "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\xc0\0\2\1", 16);
		message[end + 13] = (char)server.ttl_s;
		end += 16;
	}
	sendto(server.fd, message, end + 4, 0, (struct sockaddr *)&from, from_len);
}

static void server_open(struct ev_loop *loop, char text[32])
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(here);

	server.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (bind(server.fd, (struct sockaddr *)&here, len) || getsockname(server.fd, (struct sockaddr *)&here, &len))
		abort();
	snprintf(text, 32, "127.0.0.1:%u", ntohs(here.sin_port));
	ev_io_init(&server.io, on_question, server.fd, EV_READ);
	ev_io_start(loop, &server.io);
}

/* --- the worker ---------------------------------------------------------------------------------------------------- */

static struct worker w;

static void begin(void)
{
	struct buf why = { 0 };
	char address[32];

	w = (struct worker){ .shm = shm_new(1, counter_count()), .workers = 1 };
	w.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	w.timers = timers_new();
	w.calls = calls_new(&w);
	server_open(w.loop, address);
	w.conf = conf_new(settings);
	conf_set(w.conf, "dns", NULL, "servers", address, &why);
	conf_set(w.conf, "dns", NULL, "timeout", "30s", &why);
	buf_free(&why);
	dns_start(&w);
	server.ttl_s = 60;
}

static void end(void)
{
	dns_stop(&w);
	ev_io_stop(w.loop, &server.io);
	close(server.fd);
	calls_free(w.calls);
	timers_free(w.timers);
	conf_unref(w.conf);
	ev_loop_destroy(w.loop);
	server = (struct server){ 0 };
}

static void turn(void)
{
	timers_turn(w.timers);
	timers_run(w.timers);
	calls_turn(w.calls);
	ev_run(w.loop, EVRUN_NOWAIT);
}

static void turns(int count)
{
	while (count--)
		turn();
}

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define until(condition)                                                                                               \
	for (int64_t until_ms = clock_ms() + PATIENCE_MS; !(condition) && clock_ms() < until_ms;)                      \
	turn()

/* --- asking -------------------------------------------------------------------------------------------------------- */

static struct told {
	unsigned count;
	enum dns_outcome outcome;
	size_t records;
	uint32_t ttl_s;
	bool inside; /* told while it was being asked */
	struct call *more;
} told;
static bool asking;

static void note(void *user, const struct dns_answer *a)
{
	struct told *t = user;

	t->count++;
	t->outcome = a->outcome;
	t->records = a->count;
	t->ttl_s = a->ttl_s;
	t->inside |= asking;
}

static struct call *ask(const char *name, enum dns_type type, int64_t deadline_ms)
{
	struct call *c;

	asking = true;
	c = dns_ask(&w, str_of(name), type, deadline_ms, note, &told);
	asking = false;
	return c;
}

static bool answered(unsigned count, enum dns_outcome outcome)
{
	until(told.count >= count);
	turns(3);
	return told.count == count && told.outcome == outcome && !told.inside;
}

static void test_turns(void)
{
	begin();
	told = (struct told){ 0 };
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(1, DNS_FOUND) && told.records == 1 && told.ttl_s == 60, "an answer comes in a later turn");
	ok(!strcmp(server.last, "a.test"), "the name was asked for");
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(2, DNS_FOUND) && server.asked == 1, "so does one from the cache, and nobody is asked");
	ask("a..test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(3, DNS_BAD_NAME) && server.asked == 1, "and that a name is none");
	server.rcode = DNS_RCODE_SERVER;
	ask("b.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(4, DNS_FAILED) && server.asked == 2, "and that the server cannot tell");
	end();
}

static void test_clock(void)
{
	begin();
	told = (struct told){ 0 };
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	answered(1, DNS_FOUND);
	timers_shift(w.timers, 50000);
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(2, DNS_FOUND) && told.ttl_s <= 10 && server.asked == 1,
		"from the cache with what is left of its time");
	timers_shift(w.timers, 10001);
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(3, DNS_FOUND) && told.ttl_s == 60 && server.asked == 2, "then it is asked for again");
	end();
}

static void test_sharing(void)
{
	struct call *calls[20];

	begin();
	told = (struct told){ 0 };
	server.silent = true;
	for (int i = 0; i < 20; i++)
		calls[i] = ask(i & 1 ? "A.test" : "a.test.", DNS_A, DNS_DEADLINE_MS);
	ask("a.test", DNS_AAAA, DNS_DEADLINE_MS);
	until(server.asked == 2);
	ok(server.asked == 2, "twenty who ask the same share a question, another type is another");
	for (int i = 0; i < 10; i++)
		call_cancel(calls[i]);
	turns(3);
	ok(told.count == 0, "who cancels hears no more");
	server.silent = false;
	timers_shift(w.timers, 29000);
	ok(answered(0, DNS_FOUND), "the others wait");
	timers_shift(w.timers, 1001);
	ok(answered(11, DNS_SILENT), "until their time is over, and hear of silence");
	end();
}

static void test_late(void)
{
	begin();
	told = (struct told){ 0 };
	server.silent = true;
	ask("a.test", DNS_A, 1000);
	ask("a.test", DNS_A, 50000);
	until(server.asked == 1);
	timers_shift(w.timers, 1001);
	ok(answered(1, DNS_SILENT), "each has a deadline of his own");
	server.silent = false;
	timers_shift(w.timers, 29000);
	ok(answered(2, DNS_FOUND) && server.asked == 2, "the other one has the answer of the next try");
	end();
}

static void test_cancelling(void)
{
	struct call *c, *untold;

	begin();
	told = (struct told){ 0 };
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	answered(1, DNS_FOUND);
	call_cancel(ask("a.test", DNS_A, DNS_DEADLINE_MS));
	turns(5);
	ok(told.count == 1, "an answer of the cache can be cancelled before it is told");
	server.silent = true;
	c = ask("b.test", DNS_A, DNS_DEADLINE_MS);
	until(server.asked == 2);
	call_cancel(c);
	ok(w.dns->under_way == 0, "the last one who cancels ends the question");
	c = ask("c.test", DNS_A, DNS_DEADLINE_MS);
	untold = ask("a..", DNS_A, DNS_DEADLINE_MS);
	call_cancel(dns_ask_addresses(&w, STR("d.test"), DNS_IPV4 | DNS_IPV6, DNS_DEADLINE_MS, NULL, NULL));
	call_cancel(dns_ask_mail(&w, STR("d.test"), DNS_DEADLINE_MS, NULL, NULL));
	dns_stop(&w);
	turns(5);
	ok(told.count == 1, "nobody is told anything after the stop");
	call_cancel(c);
	call_cancel(untold);
	ok(true, "who waited then may still cancel");
	end();
}

static void ask_more(void *user, const struct dns_answer *a)
{
	struct told *t = user;

	(void)a;
	if (++t->count < 5)
		dns_ask(&w, STR("a.test"), t->count & 1 ? DNS_A : DNS_AAAA, DNS_DEADLINE_MS, ask_more, t);
	call_cancel(t->more);
	t->more = NULL;
}

static void test_asking_when_told(void)
{
	begin();
	told = (struct told){ 0 };
	dns_ask(&w, STR("a.test"), DNS_A, DNS_DEADLINE_MS, ask_more, &told);
	told.more = dns_ask(&w, STR("a.test"), DNS_A, DNS_DEADLINE_MS, note, &told);
	until(told.count == 5);
	turns(5);
	ok(told.count == 5, "who is told, in the order of asking, may ask again and cancel another");
	end();
}

static void test_many(void)
{
	char name[32];

	begin();
	told = (struct told){ 0 };
	server.silent = true;
	for (int i = 0; i < QUESTIONS_MAX + 50; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		ask(name, DNS_A, 100000);
	}
	until(server.asked == QUESTIONS_MAX);
	turns(10);
	ok(server.asked == QUESTIONS_MAX, "only so many are on their way, the others stand in line");
	server.silent = false;
	timers_shift(w.timers, 30001); /* all are asked again, one after the other those in line */
	ok(answered(QUESTIONS_MAX + 50, DNS_FOUND) && w.dns->under_way == 0, "and have their turn");
	end();
}

static void test_too_many(void)
{
	static struct call *calls[DNS_ASKS_MAX];

	begin();
	told = (struct told){ 0 };
	server.silent = true;
	for (int i = 0; i < DNS_ASKS_MAX; i++)
		calls[i] = ask("a.test", DNS_A, 100000);
	ask("a.test", DNS_A, 100000);
	ok(answered(1, DNS_FAILED), "who comes when far too many wait is told at once");
	for (int i = 0; i < DNS_ASKS_MAX; i++)
		call_cancel(calls[i]);
	end();
}

static void test_gone(void)
{
	begin();
	told = (struct told){ 0 };
	ev_io_stop(w.loop, &server.io);
	close(server.fd);
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(1, DNS_SILENT), "where no server is, that is told at once");
	end();
}

static void test_reload(void)
{
	struct call *c;

	begin();
	told = (struct told){ 0 };
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	answered(1, DNS_FOUND);
	server.silent = true;
	c = ask("b.test", DNS_A, DNS_DEADLINE_MS);
	until(server.asked == 2);
	dns_reload(&w);
	server.silent = false;
	ask("a.test", DNS_A, DNS_DEADLINE_MS);
	ok(answered(2, DNS_FOUND) && server.asked == 3, "a reload empties the cache");
	ok(w.dns->under_way == 1, "what is under way goes on");
	call_cancel(c);
	end();
}

/* --- servers ------------------------------------------------------------------------------------------------------- */

static void test_resolv_conf(void)
{
	char path[] = "/tmp/resolv-XXXXXX";
	int fd = mkstemp(path);
	const struct dns_conf conf = { .resolv_conf = path };
	struct dns_servers *s;
	static const char text[] =
		"# nameserver 192.0.2.9\nsearch example.test\nnameserver 192.0.2.1\n"
		"nameserver\t2001:db8::1 # with words behind\nnameserver fe80::1%eth0\nnameserver x\n"
		"nameserver";

	if (write(fd, text, sizeof(text) - 1) < 0)
		abort();
	close(fd);
	s = dns_servers_new(&conf);
	ok(s->count == 2 && !strcmp(s->items[0].text, "192.0.2.1:53") && !strcmp(s->items[1].text, "[2001:db8::1]:53"),
		"the servers of resolv.conf");
	dns_servers_unref(s);
	unlink(path);
	s = dns_servers_new(&conf);
	ok(s->count == 1 && !strcmp(s->items[0].text, "127.0.0.1:53"), "this machine, if there is no such file");
	ok(!s->items[0].trusted, "which is not trusted unasked");
	dns_servers_unref(s);
}

static void test_order(void)
{
	const char *const three[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3" };
	const struct dns_conf conf = { .servers = { three, 3 } };
	struct dns_servers *s = dns_servers_new(&conf);

	ok(dns_servers_next(s, 0, 0) == 0 && dns_servers_next(s, 1, 0) == 1 && dns_servers_next(s, 7, 0) == -1,
		"servers are asked in their order, each once");
	for (int i = 0; i < DNS_SILENCES_DEAD - 1; i++)
		dns_server_silent(&s->items[0], 1000);
	ok(dns_servers_next(s, 0, 1000) == 0, "silence is forgiven");
	dns_server_silent(&s->items[0], 1000);
	ok(dns_servers_next(s, 0, 1000) == 1 && dns_servers_next(s, 6, 1000) == 0, "too much of it, and it comes last");
	for (int i = 0; i < DNS_SILENCES_DEAD; i++)
		dns_server_silent(&s->items[1], 2000);
	ok(dns_servers_next(s, 4, 2000) == 0, "of two dead the one that is so for longer");
	ok(dns_servers_next(s, 0, 1000 + DNS_DEAD_MS) == 0, "after a while it is in its place again");
	dns_server_silent(&s->items[0], 40000);
	ok(dns_servers_next(s, 0, 40000) == 1 + 0, "one more silence is enough then");
	dns_server_answered(&s->items[0]);
	ok(dns_servers_next(s, 0, 40000) == 0, "an answer makes up for it all");
	dns_servers_unref(s);
}

int main(void)
{
	log_set_levels("error");
	test_turns();
	test_clock();
	test_sharing();
	test_late();
	test_cancelling();
	test_asking_when_told();
	test_many();
	test_too_many();
	test_gone();
	test_reload();
	test_resolv_conf();
	test_order();
	return done();
}
