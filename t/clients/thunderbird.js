// thunderbird.js - what thunderbird.py does inside Thunderbird: the calls that its windows make for a user.

const imap = MailServices.accounts.getAccount("account1").incomingServer;
const root = imap.rootFolder;

async function until(what, good) {
	const end = Date.now() + 90000;
	for (;;) {
		const got = await good();
		if (got)
			return got;
		if (Date.now() > end)
			throw new Error("never came: " + what);
		await new Promise(done => setTimeout(done, 50));
	}
}

// Runs start(listener), which tells the listener of its end.
function listened(start) {
	return new Promise((done, failed) => {
		const end = status => Components.isSuccessCode(status) ? done() : failed(new Error("status " + status.toString(16)));
		start({
			QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener", "nsIMsgSendListener"]),
			OnStartRunningUrl() {}, OnStopRunningUrl(url, status) { end(status); },
			onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() {}, onStopCopy(status) { end(status); },
			onStartSending() {}, onStatus() {}, onGetDraftFolderURI() {}, onSendNotPerformed() { end(-1); },
			onTransportSecurityError(id, status) { end(status); }, onStopSending(id, status) { end(status); },
		});
	});
}

function child(folder, name) {
	return folder.subFolders.find(inside => inside.name == name);
}

const withUse = use => root.getFolderWithFlags(Ci.nsMsgFolderFlags[use]);
const inbox = () => withUse("Inbox");
const subjects = folder => [...folder.messages].map(header => header.mime2DecodedSubject);
const message = (folder, subject) => [...folder.messages].find(header => header.mime2DecodedSubject == subject);

function update(folder) {
	return listened(listener => folder.QueryInterface(Ci.nsIMsgImapMailFolder).updateFolderWithListener(null, listener));
}

// Trusts the certificate on these ports and remembers the password, as a user would be asked to.
async function setUp(certificate, ports, names, password) {
	const trust = Cc["@mozilla.org/security/certoverride;1"].getService(Ci.nsICertOverrideService);
	const certificates = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
	for (const port of ports)
		trust.rememberValidityOverride("localhost", port, {}, certificates.constructX509FromBase64(certificate), true);
	for (const [scheme, name] of names) {
		const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
		login.init(scheme + "://localhost", null, scheme + "://localhost", name, password, "", "");
		await Services.logins.addLoginAsync(login);
	}
}

async function openInbox() {
	await listened(listener => MailServices.imap.discoverAllFolders(root, listener, null));
	await update(await until("INBOX", inbox));
	return subjects(inbox());
}

async function read(folder, subject) {
	const {MsgHdrToMimeMessage} = ChromeUtils.importESModule("resource:///modules/gloda/MimeMessage.sys.mjs");
	const header = message(folder, subject);
	const mime = await new Promise(done => MsgHdrToMimeMessage(header, null, (_, found) => done(found), true));
	folder.markMessagesRead([header], true);
	return {
		author: header.mime2DecodedAuthor,
		text: mime.coerceBodyToPlaintext(folder),
		attachments: mime.allAttachments.map(part => [part.name, part.contentType, part.size]),
	};
}

async function answer(header, text) {
	const {MessageSend} = ChromeUtils.importESModule("resource:///modules/MessageSend.sys.mjs");
	const identity = MailServices.accounts.defaultAccount.defaultIdentity;
	const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);

	fields.from = identity.email;
	fields.to = header.author;
	fields.subject = "Re: " + header.mime2DecodedSubject;
	fields.references = "<" + header.messageId + ">";
	await listened(listener => new MessageSend().createAndSendMessage(null, identity, "account1", fields, false, false,
		Ci.nsIMsgSend.nsMsgDeliverNow, null, "text/plain", text, null, null, listener, "", "", Ci.nsIMsgCompType.Reply));
	header.folder.addMessageDispositionState(header, Ci.nsIMsgFolder.nsMsgDispositionState_Replied);
}

async function makeFolder(above, name) {
	above.createSubfolder(name, null);
	return until(name, () => child(above, name));
}

function copy(from, header, to, moves) {
	return listened(listener => MailServices.copy.copyMessages(from, [header], to, moves, listener, null, false));
}

// To the trash, or for good.
function remove(header, forGood) {
	return listened(listener => header.folder.deleteMessages([header], null, forGood, true, listener, false));
}

async function takeByPop3() {
	const server = MailServices.accounts.getAccount("account3").incomingServer;
	const here = server.rootMsgFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
	await listened(listener => MailServices.pop3.GetNewMail(null, listener, here, server));
	return subjects(here);
}
