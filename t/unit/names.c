/* The names of changes: remembered, forgotten, and never more than there is room for. */
#include "storage/journal/names.h"
#include "t/tap.h"

#define ROOM (NAME_BYTES + NAME_ANSWER_MAX + 100 * NAME_BYTES)

static struct name name_of(uint64_t life, uint64_t number)
{
	return (struct name){ life, number };
}

static void count(void *user, struct name name, struct str answer)
{
	uint64_t *next = user;

	(void)answer;
	*next = name.number == *next ? *next + 1 : 0;
}

static void test_known(void)
{
	struct names *n = names_new(ROOM);
	struct str answer;
	uint64_t next = 5;

	ok(!names_find(n, name_of(1, 1), &answer), "an unknown name is unknown");
	names_add(n, name_of(1, 1), STR("uid 7"));
	names_add(n, name_of(2, 1), STR(""));
	ok(names_find(n, name_of(1, 1), &answer) && str_eq(answer, STR("uid 7")), "a name is known with its answer");
	ok(names_find(n, name_of(2, 1), &answer) && !answer.len, "an answer may be empty");
	ok(!names_find(n, name_of(1, 2), &answer), "another number is another name");
	names_add(n, name_of(1, 1), STR("uid 8"));
	ok(names_find(n, name_of(1, 1), &answer) && str_eq(answer, STR("uid 8")) && names_count(n) == 2,
		"the same name again replaces the answer");
	names_forget(n, name_of(1, 1));
	names_forget(n, name_of(1, 1));
	ok(!names_find(n, name_of(1, 1), &answer) && names_count(n) == 1, "a forgotten name is unknown, also twice");
	for (uint64_t i = 5; i < 50; i++)
		names_add(n, name_of(i % 2 ? 3 : 4, i), STR("x"));
	names_forget(n, name_of(2, 1));
	names_each(n, count, &next);
	ok(next == 50, "they are told oldest first");
	names_forget_life(n, 3);
	ok(!names_find(n, name_of(3, 7), &answer) && names_find(n, name_of(4, 8), &answer) && names_count(n) == 22,
		"a life's end forgets its names and no others");
	names_free(n);
}

static void test_room(void)
{
	static char answer[NAME_ANSWER_MAX];
	struct names *n = names_new(ROOM);
	size_t most = ROOM / NAME_BYTES, dropped = 0;
	struct str found;

	for (uint64_t i = 0; i < most; i++)
		dropped += names_add(n, name_of(9, i), STR(""));
	ok(!dropped && names_count(n) == most, "names are kept while there is room");
	ok(names_add(n, name_of(9, most), STR("")) == 1 && !names_find(n, name_of(9, 0), &found) &&
			names_find(n, name_of(9, 1), &found),
		"one more drops the oldest");
	ok(names_add(n, name_of(9, most), STR("")) == 0, "the same once more drops none");
	ok(names_add(n, name_of(8, 0), (struct str){ answer, sizeof(answer) }) > 1000 &&
			names_find(n, name_of(8, 0), &found) && found.len == sizeof(answer),
		"a long answer drops as many as it needs");
	ok(names_find(n, name_of(9, most), &found), "and not the newest");
	names_clear(n);
	ok(names_count(n) == 0, "a cleared table is empty");
	names_free(n);
}

int main(void)
{
	test_known();
	test_room();
	return done();
}
