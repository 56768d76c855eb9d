/* Where the server listens: addresses, the plan from one configuration to the next, and a worker taking connections. */
#include "core/listen.h"
#include "core/accept.h"
#include "core/conn.h"
#include "core/core_settings.h"
#include "core/house.h"
#include "core/log.h"
#include "core/worker.h"
#include "t/scratch.h"
#include "t/tap.h"
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

static unsigned opened, nodelay;

static void on_open(struct worker *w, const struct service *service, int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	(void)w;
	opened++;
	nodelay += !service->local && getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on;
	close(fd);
}

static const struct service smtp = { .role = "smtp", .open = on_open };
static const struct service imaps = { .role = "imaps", .tls = true, .open = on_open };
static const struct service control = { .role = "control", .local = true, .open = on_open };
static const struct service *const services[] = { &smtp, &imaps, &control, NULL };
static const struct settings *const tables[] = { &core_settings, &log_settings, &tls_settings, &listen_settings, NULL };
const struct house house = { .services = services, .settings = tables };

static void test_addresses(void)
{
	static const struct {
		const char *text;
		bool good;
	} rows[] = {
		{ "127.0.0.1:25", true },
		{ "0.0.0.0:65535", true },
		{ "[::1]:25", true },
		{ "[2001:db8::1]:0", true },
		{ "127.0.0.1", false },
		{ "127.0.0.1:", false },
		{ "127.0.0.1:65536", false },
		{ "127.0.0.1:25x", false },
		{ "127.0.0.1.1:25", false },
		{ "localhost:25", false },
		{ "::1:25", false },
		{ "[::1:25", false },
		{ "[127.0.0.1]:25", false },
		{ "[]:25", false },
		{ ":25", false },
		{ "", false },
		{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:25", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok(listen_address(rows[i].text, NULL, NULL) == rows[i].good, "\"%s\" is %s", rows[i].text,
			rows[i].good ? "an address" : "none");
}

/* Addresses with ports that are free now. */
static char addresses[3][32];

static void find_addresses(void)
{
	int fds[3];

	for (int i = 0; i < 3; i++) {
		struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		socklen_t len = sizeof(sa);

		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fds[i], (struct sockaddr *)&sa, len) || getsockname(fds[i], (struct sockaddr *)&sa, &len))
			abort();
		snprintf(addresses[i], sizeof(addresses[i]), "127.0.0.1:%d", ntohs(sa.sin_port));
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static struct conf *conf_on(const char *role, const char *one, const char *two)
{
	struct conf *c = conf_new(tables);
	struct buf why = { 0 };

	if (!conf_set(c, "", NULL, "directory", scratch_path, &why) || !conf_add_title(c, "listen", role, &why) ||
		!conf_set(c, "listen", role, "address", one, &why) ||
		(two && !conf_set(c, "listen", role, "address", two, &why)))
		abort();
	buf_free(&why);
	return c;
}

static bool connects(const char *address)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool good = listen_address(address, &sa, &len) && connect(fd, (struct sockaddr *)&sa, len) == 0;

	close(fd);
	return good;
}

static bool connects_local(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bool good;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/run/control", scratch_path);
	good = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
	close(fd);
	return good;
}

static struct listeners none, first, second;

static void test_plan(int directory, const struct owner *o)
{
	struct conf *one = conf_on("smtp", addresses[0], addresses[1]);
	struct conf *two = conf_on("smtp", addresses[1], addresses[2]);
	struct conf *bad = conf_on("smtp", addresses[2], "192.0.2.1:9");
	struct conf *secure = conf_on("imaps", addresses[2], NULL);
	struct buf why = { 0 };
	struct stat st;
	int kept;

	ok(listen_plan(one, directory, o, &none, &first, &why) == OK && first.count == 3 && connects(addresses[0]) &&
			connects(addresses[1]),
		"the addresses of a configuration are listened on");
	ok(connects_local() && fstatat(directory, "run/control", &st, 0) == 0 && (st.st_mode & 0777) == 0600,
		"so is a local service's socket, for its owner alone");
	kept = first.items[1].fd;
	ok(listen_plan(bad, directory, o, &first, &second, &why) != OK && !second.count && why.end &&
			strstr(buf_data(&why), "192.0.2.1:9"),
		"if one cannot be had there is no plan, and why names it");
	ok(!connects(addresses[2]) && connects(addresses[0]),
		"what was opened for it is closed, what was there is not");
	ok(listen_plan(secure, directory, o, &first, &second, &why) != OK, "a role of TLS needs a certificate");
	ok(listen_plan(two, directory, o, &first, &second, &why) == OK && second.count == 3 &&
			second.items[0].fd == kept && connects(addresses[2]),
		"the next configuration takes over the sockets that it wants too");
	listen_close(&first, &second);
	ok(!connects(addresses[0]) && connects(addresses[1]) && connects_local(), "the others are closed");
	conf_unref(one);
	conf_unref(two);
	conf_unref(bad);
	conf_unref(secure);
	buf_free(&why);
}

static void test_text(void)
{
	struct listeners copy = { 0 };
	struct buf text = { 0 };

	listen_write(&second, &text);
	buf_add_str(&text, STR("smtp 987654 127.0.0.1:1\nnonsense\nnobody 987654 x\nsmtp x y\n"));
	listen_read(&copy, buf_str(&text));
	ok(copy.count == second.count, "a list that another program wrote is read, without what makes no sense");
	for (size_t i = 0; i < copy.count; i++)
		ok(listen_find(&second, &copy.items[i]) && copy.items[i].fd == second.items[i].fd, "%s %s is in it",
			copy.items[i].service->role, copy.items[i].address);
	listen_close(&copy, NULL);
	buf_free(&text);
}

static void turn(struct worker *w, int64_t ms)
{
	timers_shift(w->timers, ms);
	timers_run(w->timers);
	ev_run(w->loop, EVRUN_NOWAIT);
}

static void stays(void *user, enum conn_end why)
{
	(void)user, (void)why;
}

static void test_accept(void)
{
	struct worker w = { .shm = shm_new(2, 0),
		.workers = 2,
		.timers = timers_new(),
		.chores = chores_new(),
		.loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV) };
	struct slot *mine = shm_slot(w.shm, 0), *other = shm_slot(w.shm, 1);
	static const struct conn_events events = { .on_end = stays };
	struct accepts *a = accepts_new(&w);
	struct conn *many[5];
	struct rlimit limit, none_left;
	struct sockaddr_storage sa;
	unsigned before;
	socklen_t len;
	int late;

	w.conns = conns_new(&w);
	mine->state = other->state = SLOT_SERVING;
	for (size_t i = 0; i < second.count; i++)
		accepts_add(a, second.items[i].service, second.items[i].address, second.items[i].fd);
	for (unsigned i = 0; i < 10; i++) /* those of the tests before */
		turn(&w, 0);
	before = opened;
	for (unsigned i = 0; i < 6; i++)
		connects(addresses[1]);
	turn(&w, 0);
	ok(opened - before == 4, "a few are taken in per wake-up: %u of 6", opened - before);
	turn(&w, 0);
	ok(opened - before == 6 && nodelay >= 6, "the rest in the next, with TCP_NODELAY");
	for (unsigned i = 0; i < 5; i++)
		many[i] = conn_new(&w, socket(AF_INET, SOCK_STREAM, 0), &events, NULL);
	connects(addresses[1]);
	turn(&w, 0);
	turn(&w, 10);
	ok(opened - before == 6, "a worker above its share leaves the next ones to others for a moment");
	turn(&w, 10);
	ok(opened - before == 7, "but no longer, if they do not take them");
	for (unsigned i = 0; i < 5; i++)
		conn_free(many[i]);
	mine->lag_us = 50000;
	connects(addresses[1]);
	turn(&w, 0);
	ok(opened - before == 7, "so does one that lags");
	turn(&w, 20);
	other->lag_us = 40000;
	connects(addresses[1]);
	turn(&w, 0);
	ok(opened - before == 9, "but not where the others lag as well");
	getrlimit(RLIMIT_NOFILE, &limit);
	none_left = limit;
	none_left.rlim_cur = (rlim_t)dup(0);
	close((int)none_left.rlim_cur);
	late = socket(AF_INET, SOCK_STREAM, 0);
	listen_address(addresses[1], &sa, &len);
	if (connect(late, (struct sockaddr *)&sa, len) || setrlimit(RLIMIT_NOFILE, &none_left))
		abort();
	log_to(-1);
	turn(&w, 0);
	turn(&w, 50);
	setrlimit(RLIMIT_NOFILE, &limit);
	turn(&w, 0);
	ok(opened - before == 9, "out of descriptors it rests");
	turn(&w, 50);
	ok(opened - before == 10, "and goes on when there are some again");
	close(late);
	accepts_drop(a, &smtp, addresses[1]);
	ok(!connects(addresses[1]) && connects(addresses[2]), "an address that is dropped is closed");
	accepts_free(a);
	ok(!connects(addresses[2]), "and all are when it stops");
	conns_free(w.conns);
	chores_free(w.chores);
	timers_free(w.timers);
	ev_loop_destroy(w.loop);
}

int main(void)
{
	struct buf why = { 0 };
	int directory = scratch_open();
	struct owner o;

	owner_find(&o, "root", &why);
	home_furnish(directory, &o, &why);
	find_addresses();
	test_addresses();
	test_plan(directory, &o);
	test_text();
	test_accept();
	for (size_t i = 0; i < second.count; i++)
		second.items[i].fd = -1; /* closed by accepts_free */
	listen_close(&second, NULL);
	scratch_close(directory);
	return done();
}
