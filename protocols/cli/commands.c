/* commands.c - see commands.h: what the commands are called and what --help says. */
#include "protocols/cli/commands.h"

const struct command cli_commands[] = {
	{ "check", "[FILE]",
		"Tells whether a configuration file is right: every error as file:line: reason, and exit status 1. If "
		"a server "
		"runs on the file's directory, tells what a reload would change.",
		check_run },
	{ "status", "[--json]",
		"Shows the server and each worker: process, loop lag, connections, lanes, journal, certificate.",
		status_run },
	{ "stats", "[--json]", "Shows what the server counted since it started.", stats_run },
	{ "who", "[--json]", "Lists the sessions: who is connected from where, since when, doing what.", who_run },
	{ "kick", "USER@DOMAIN\nADDRESS[/BITS]\nSESSION",
		"Ends the sessions of an account, from an address or network, or the one of this id as `who` shows "
		"it, with the "
		"good-bye of its protocol, and tells how many. They may come back.",
		kick_run },
	{ "reload", "",
		"Has the server read its configuration again and tells what changed. If anything in the file is wrong, "
		"tells that, "
		"and nothing changes. No session is dropped.",
		reload_run },
	{ "stop", "", "Has the server finish what it is doing and stop, and waits until it has.", stop_run },
	{ "clock", "+TIME",
		"Moves the clock of a scratch server forward: +500ms, +1801s, +30m, +2h or +1d. Other servers refuse.",
		clock_run },
	{ "lag", "TIME",
		"Has the workers of a scratch server act as if what comes waited so long for them, until they are told "
		"0s. "
		"Other servers refuse.",
		lag_run },
	{ "resolve", "[--json] NAME [TYPE]\n[--json] ADDRESS",
		"Asks the running server what the DNS tells it. TYPE is A, AAAA, MX, TXT, SRV, NAPTR, PTR or TLSA; or "
		"ADDRESSES: all of a host's; or MAIL, the default: the hosts that take a domain's mail, as they are "
		"tried. Of an address it tells the name. Exit status 1: nothing was found.",
		resolve_run },
	{ "route", "[--from SENDER] [--login] [--json] ADDRESS",
		"Tells what an address means to the running server: each step, then what it comes to, and where mail "
		"for others goes next. --from names who writes; --login asks whom it means as a login name. Exit "
		"status 1: none of it would be taken.",
		route_run },
	{ "queue",
		"list [--json] [--limit N] [WHICH]\n"
		"show [--json] ID\n"
		"stats [--json] [--destination DESTINATION]\n"
		"retry [--json] [WHICH]\n"
		"hold|release|delete|bounce [--json] WHICH|--all\n"
		"move [--json] HOST:PORT WHICH|--all",
		"Shows what waits to leave and steers it. WHICH is any number of ids, or of --to ADDRESS|DOMAIN, "
		"--from ADDRESS|DOMAIN (<> for reports), --older TIME, --destination DESTINATION as stats shows it, "
		"and --held, which must all fit. retry tries now, hold keeps until release, delete removes without a "
		"word to the sender, bounce sends back, move has another host take it. They tell how many recipients "
		"they concerned; those being tried just then are left alone. stats tells of each destination how much "
		"waits, for how long, when it is tried next and what was answered last.",
		queue_run },
	{ "trace", "[--since TIME] [--json] [--log FILE] ID\n[--since TIME] [--json] [--log FILE] ADDRESS",
		"Follows a message through reception, routing, queue, delivery and mailbox: what the log has about it, "
		"in plain words, and what the running server knows of it now. ID is one of the log or of the queue; "
		"with an ADDRESS it is all mail from or to that; a Message-ID is one, too. Looks through the "
		"configuration's log file, and "
		"FILE.1, FILE.2 ... beside it, also while no server runs.",
		trace_run },
	{ "fsck", "[--repair] [--json] USER@DOMAIN\n[--repair] [--json] --all",
		"Looks an account or the whole store over while the server serves: mailboxes against what the index "
		"knows, state files, settings, the queue, what is left over or set aside, modes. Each problem is a "
		"line with "
		"account, mailbox, UID and file, and what --repair does about it: makes an index anew, writes a "
		"mailbox's files anew with the old ones set aside, removes what was left half made, corrects modes. "
		"Nothing is thrown away. Exit status 1: there are problems left.",
		fsck_run },
	{ "index", "rebuild [--json] USER@DOMAIN\nrebuild [--json] --all",
		"Forgets what the index knows of an account's mailboxes, or of all, and makes it anew from their "
		"files, one mailbox after the other, while the server serves. UIDs stay, sessions go on.",
		index_run },
	{ "backup", "[--json] [--copy] [--account USER@DOMAIN] DIR",
		"Takes a consistent copy of the store into DIR, which is made, or is empty, while the server goes on: "
		"all "
		"that was acknowledged before is in it. Where DIR is on the store's file system, files of mail are "
		"hard "
		"links, which take no room; elsewhere they are copies, and with --copy everywhere: for where other "
		"programs (mutt, Pine) write to mailboxes of the store in place, which would change a link too. With "
		"--account it is one account's. A backup is "
		"whole when it has a file `manifest`. A server may be started on a copy of DIR (cp -a), not on DIR "
		"itself.",
		backup_run },
	{ "restore",
		"[--json] [--merge | --to USER@DOMAIN] DIR USER@DOMAIN\n"
		"[--json] [--replace | --to NAME] DIR USER@DOMAIN MAILBOX\n"
		"[--json] [--to NAME] DIR USER@DOMAIN MAILBOX UID",
		"Brings back an account, a mailbox or a message from the backup in DIR, with UIDs, flags and dates, "
		"while "
		"the server goes on. An account must have been deleted, or gets another name by --to; with --merge it "
		"may be there, and mailboxes that it has come back below Restored/. So does a mailbox that is there, "
		"unless --to names another or --replace says that the present one goes. A message is appended to its "
		"mailbox, or that of --to, with a new UID.",
		restore_run },
	{ "domain", "add DOMAIN\ndelete DOMAIN\nlist",
		"Makes, deletes or lists the domains whose mail is kept here. Also works while no server runs. A "
		"domain with accounts or other names is not deleted.",
		domain_run },
	{ "account",
		"add USER@DOMAIN [--admin] [--password TEXT | --password-stdin | --hash HASH]\n"
		"passwd USER@DOMAIN [--password TEXT | --password-stdin | --hash HASH]\n"
		"delete USER@DOMAIN [--quick]\n"
		"quota USER@DOMAIN [BYTES|none|domain [MESSAGES|none|domain]]\n"
		"list [DOMAIN]\n"
		"add --batch",
		"Makes, changes, deletes or lists accounts. Also works while no server runs. Without a password on the "
		"command line it is asked for; --password-stdin takes a line of standard input. --hash takes a "
		"crypt(3) hash of "
		"another system as it is, such as '$6$...'; it is renewed at the first login. --admin makes an "
		"administrator. "
		"--batch takes USER@DOMAIN and a password from each line of standard input. delete removes all mail "
		"too. passwd and delete end the account's sessions; delete tells which names "
		"still point to it, unless --quick is said. quota tells what an account holds and may hold, and sets "
		"it: a number such "
		"as 500M or 2G, none for no limit, domain for what the configuration says of its domain.",
		account_run },
	{ "settle", "USER@DOMAIN",
		"Has the running server write every mailbox of an account anew, without what was expunged and with all "
		"flags in the mailbox files themselves. Sessions are not disturbed.",
		settle_run },
	{ "mailbox", "convert USER@DOMAIN MAILBOX mdir|mbox",
		"Has the running server give a mailbox another form: an mdir, a folder with a file for each message, "
		"which suits large messages, or an mbox, one file. UIDs, flags and keywords stay, and sessions are not "
		"disturbed; changes wait until it is done. Programs that deliver into the mbox themselves must be told "
		"first. Copies of the store by tar, rsync or cp should not be made meanwhile.",
		mailbox_run },
	{ "alias",
		"add NAME@DOMAIN ACCOUNT@DOMAIN\n"
		"set NAME@DOMAIN ACCOUNT@DOMAIN\n"
		"delete NAME@DOMAIN\n"
		"show NAME@DOMAIN\n"
		"list [DOMAIN]",
		"Makes, changes, deletes, shows or lists aliases: other names of one account here, by which it gets "
		"mail and logs in. Also works while no server runs. Deleting an account leaves its aliases, which then "
		"stand for nobody.",
		alias_run },
	{ "forwarder",
		"add NAME@DOMAIN ADDRESS...\n"
		"set NAME@DOMAIN ADDRESS...\n"
		"delete NAME@DOMAIN\n"
		"show NAME@DOMAIN\n"
		"list [DOMAIN]",
		"Makes, changes, deletes, shows or lists forwarders: names whose mail goes to addresses anywhere. Also "
		"works while no server runs.",
		forwarder_run },
	{ "group",
		"add NAME@DOMAIN [--owner ADDRESS] [--members-only] [--skip-author] [--stdin] [MEMBER...]\n"
		"set NAME@DOMAIN [--owner ADDRESS] [--members-only] [--skip-author]\n"
		"member-add NAME@DOMAIN [--stdin] [MEMBER...]\n"
		"member-delete NAME@DOMAIN [--stdin] [MEMBER...]\n"
		"delete NAME@DOMAIN\n"
		"show NAME@DOMAIN\n"
		"list [DOMAIN]",
		"Makes, changes, deletes, shows or lists groups: names whose mail goes to members anywhere. Also works "
		"while no server runs. --owner names who gets the bounces of the group's mail; with --members-only "
		"nobody but its members and the owner, logged in, may write to it; with --skip-author who writes gets "
		"no copy. set "
		"gives a group these rules instead of those it has. --stdin takes members from standard input too, a "
		"line each.",
		group_run },
	{ 0 },
};
