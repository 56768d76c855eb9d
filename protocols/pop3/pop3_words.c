/* pop3_words.c - see pop3_words.h. */
#include "protocols/pop3/pop3_words.h"

static const struct pop3_words german[] = {
	{ "Postern POP3 here", "Hier ist Postern POP3" },
	{ "what we can do", "was wir können" },
	{ "and the password?", "und das Passwort?" },
	{ "%u messages, %llu octets", "%u Nachrichten, %llu Oktette" },
	{ "%u messages", "%u Nachrichten" },
	{ "%u octets", "%u Oktette" },
	{ "the top of it", "der Anfang davon" },
	{ "message %u deleted", "Nachricht %u gelöscht" },
	{ "here", "hier" },
	{ "good-bye", "auf Wiedersehen" },
	{ "good-bye, %u messages deleted", "auf Wiedersehen, %u Nachrichten gelöscht" },
	{ "begin TLS", "TLS beginnt" },
	{ "from now on in UTF-8", "von nun an in UTF-8" },
	{ "this language from now on", "von nun an in dieser Sprache" },
	{ "languages", "Sprachen" },
	{ "we do not speak this language", "diese Sprache sprechen wir nicht" },
	{ "unknown command", "unbekannter Befehl" },
	{ "log in first", "erst anmelden" },
	{ "you are logged in", "die Anmeldung ist schon geschehen" },
	{ "%s takes nothing", "%s steht allein" },
	{ "line too long", "die Zeile ist zu lang" },
	{ "USER wants a name", "USER verlangt einen Namen" },
	{ "USER comes first", "erst kommt USER" },
	{ "a message number is wanted", "die Nummer einer Nachricht fehlt" },
	{ "there is no such message, only %u", "diese Nachricht gibt es nicht, nur %u" },
	{ "message %u is deleted", "Nachricht %u ist gelöscht" },
	{ "one message number is enough", "die Nummer einer Nachricht genügt" },
	{ "TOP wants a message number and a number of lines",
		"TOP verlangt die Nummer einer Nachricht und eine Zahl von Zeilen" },
	{ "AUTH wants a mechanism and perhaps an initial response",
		"AUTH verlangt ein Verfahren und vielleicht eine erste Antwort" },
	{ "no such mechanism here", "dieses Verfahren gibt es hier nicht" },
	{ "that is no message of this mechanism", "das ist keine Nachricht dieses Verfahrens" },
	{ "given up", "abgebrochen" },
	{ "not without encryption, say STLS first", "nicht ohne Verschlüsselung, erst STLS" },
	{ "the connection is encrypted", "die Verbindung ist schon verschlüsselt" },
	{ "not after UTF8", "nicht nach UTF8" },
	{ "there is no certificate here", "hier gibt es kein Zertifikat" },
	{ "[AUTH] wrong name or password", "[AUTH] falscher Name oder falsches Passwort" },
	{ "[SYS/TEMP] no login now, try again", "[SYS/TEMP] die Anmeldung ist zur Zeit nicht möglich" },
	{ "[SYS/TEMP] nothing was deleted, try again", "[SYS/TEMP] es wurde nichts gelöscht" },
	{ "[SYS/TEMP] the maildrop cannot be opened now, try again",
		"[SYS/TEMP] das Postfach lässt sich zur Zeit nicht öffnen" },
	{ "[SYS/TEMP] too many maildrops are in use, try again",
		"[SYS/TEMP] zu viele Postfächer sind zur Zeit in Gebrauch" },
	{ "[SYS/TEMP] the message cannot be read now", "[SYS/TEMP] die Nachricht lässt sich zur Zeit nicht lesen" },
	{ "[IN-USE] another session has the maildrop", "[IN-USE] eine andere Sitzung hat das Postfach" },
	{ "[LOGIN-DELAY] the last login was too short a time ago",
		"[LOGIN-DELAY] seit der letzten Anmeldung ist zu wenig Zeit vergangen" },
	{ "[UTF8] its header is in UTF-8: say UTF8 before the login",
		"[UTF8] ihr Kopf ist in UTF-8: vor der Anmeldung UTF8 sagen" },
	{ 0 },
};

const struct pop3_language pop3_languages[] = {
	{ "en", "English", NULL },
	{ "de", "Deutsch", german },
	{ 0 },
};

const struct pop3_language *pop3_language(struct str tag)
{
	if (str_eq(tag, STR("*")) || str_eq_nocase(tag, STR("i-default")))
		return pop3_languages;
	while (tag.len) {
		ptrdiff_t hyphen = str_rfind(tag, '-');

		for (const struct pop3_language *l = pop3_languages; l->tag; l++)
			if (str_eq_nocase(tag, str_of(l->tag)))
				return l;
		tag = str_cut(tag, 0, hyphen < 0 ? 0 : (size_t)hyphen);
	}
	return NULL;
}

const char *pop3_in(const struct pop3_language *language, const char *english)
{
	for (const struct pop3_words *w = language->words; w && w->english; w++)
		if (!strcmp(w->english, english))
			return w->other;
	return english;
}
