// Two users with xmpp.js, one by STARTTLS, the other by direct TLS: SASL2 with bind and
// stream management in it, wrong and right passwords, tokens, subscription, chat, what waits while one is away, disco, a cut and
// its reconnect, a conflict, orderly ends. The certificate is verified.
//
// Usage: NODE_EXTRA_CA_CERTS=CERTIFICATE node xmppjs_client.mjs C2S_PORT C2S_TLS_PORT JID1 PASSWORD1 JID2 PASSWORD2
//
// Exits with 0 if everything happened, prints what didn't otherwise.

import { client, xml, jid } from "@xmpp/client";

const [starttls, tls, jid1, password1, jid2, password2] = process.argv.slice(2);
const STEP = 15_000; // milliseconds for any one thing to happen
const ROSTER = "jabber:iq:roster";

// The two devices that there are; the second client of an address is on the same.
const agents = { [jid1]: "d4565fa7-4d72-4749-b3d3-740edbf87770", [jid2]: "11111111-2222-4333-8444-555555555555" };

const done = (text) => console.log("  xmpp.js:", text);

// A Person notes what its client receives; until waits for something among it.
class Person {
  constructor(address, password, service, resource, mechanism) {
    const { local, domain } = jid(address);
    const credentials = mechanism
      ? (authenticate) => authenticate({ username: local, password }, mechanism)
      : { username: local, password };
    this.bare = address;
    this.seen = [];
    const userAgent = xml("user-agent", { id: agents[address] }, xml("software", {}, "xmpp.js"));
    this.x = client({ service, domain, resource, credentials, username: local, userAgent });
    this.logins = []; // mechanisms
    this.x.on("send", (element) => element.name === "authenticate" && this.logins.push(element.attrs.mechanism));
    this.x.on("error", (err) => this.note("error", err));
    this.x.on("online", (address) => this.note("online", address));
    this.x.on("stanza", (stanza) => this.note(stanza.name, stanza));
    this.x.on("nonza", (element) => this.note(element.name, element));
    this.x.iqCallee.set(ROSTER, "query", () => true);
  }

  note(what, value) {
    this.seen.push([what, value]);
    this.wake?.();
  }

  async until(what, check = () => true) {
    const end = Date.now() + STEP;
    for (;;) {
      const i = this.seen.findIndex(([w, v]) => w === what && check(v));
      if (i >= 0) return this.seen.splice(i, 1)[0][1];
      if (Date.now() >= end) {
        throw new Error(`${this.bare}: no ${what}; seen: ${this.seen.map(([w, v]) => `${w} ${v}`).join("\n")}`);
      }
      await new Promise((wake) => {
        this.wake = wake;
        setTimeout(wake, 200);
      });
    }
  }

  presence(attributes = {}, ...children) {
    return this.x.send(xml("presence", attributes, ...children));
  }

  chat(to, text) {
    return this.x.send(xml("message", { to, type: "chat" }, xml("body", {}, text)));
  }

  heard(text) {
    return this.until("message", (m) => m.getChildText("body") === text);
  }

  sees(from, type) {
    return this.until("presence", (p) => p.attrs.type === type && (p.attrs.from === from || jid(p.attrs.from).bare().toString() === from));
  }

  async roster() {
    return (await this.x.iqCaller.get(xml("query", { xmlns: ROSTER }))).getChildren("item");
  }
}

const doors = { STARTTLS: `xmpp://localhost:${starttls}`, TLS: `xmpps://localhost:${tls}` };

function expect(right, what) {
  if (!right) throw new Error(`expected ${what}`);
}

// Every mechanism of the client through both doors, after a wrong password.
for (const [door, service] of Object.entries(doors)) {
  for (const mechanism of ["PLAIN", "SCRAM-SHA-1"]) {
    const wrong = new Person(jid1, "not-the-password", service, "orchard", mechanism);
    wrong.x.reconnect.stop();
    const err = await wrong.x.start().catch((err) => err);
    expect(err?.condition === "not-authorized", `not-authorized, not ${err}`);
    await wrong.x.stop().catch(() => {});
    const right = new Person(jid1, password1, service, "orchard", mechanism);
    const address = await right.x.start();
    expect(address.toString().startsWith(`${jid1}/orchard/`), `a resource with the tag, not ${address}`);
    expect(right.logins.join() === mechanism, `a login by SASL2, not ${right.logins}`);
    await right.x.stop();
    done(`${door}, ${mechanism}: refused with a wrong password, in with the right one`);
  }
}

const a = new Person(jid1, password1, doors.STARTTLS, "orchard");
const b = new Person(jid2, password2, doors.TLS); // the server makes the resource
await a.x.start();
await b.x.start();
const fullA = a.x.jid.toString();
const fullB = b.x.jid.toString();
for (const p of [a, b]) {
  expect((await p.roster()).length === 0, "an empty roster");
  await p.presence();
  await p.sees(p.x.jid.toString());
}

for (const [asks, grants] of [[a, b], [b, a]]) {
  await asks.presence({ to: grants.bare, type: "subscribe" });
  await grants.sees(asks.bare, "subscribe");
  await grants.presence({ to: asks.bare, type: "subscribed" });
  await asks.sees(grants.bare, "subscribed");
  await asks.sees(grants.x.jid.toString());
}
await a.x.iqCaller.set(xml("query", { xmlns: ROSTER }, xml("item", { jid: jid2, name: "Julia & <co>" }, xml("group", {}, "Verona ☂"))));
await a.until("iq", (iq) => iq.getChild("query", ROSTER)?.getChild("item")?.attrs.name === "Julia & <co>");
const [item] = await a.roster();
expect(item.attrs.subscription === "both" && item.getChildText("group") === "Verona ☂", `the item as set, not ${item}`);
done("each sees the other; a name and a group are kept");

await a.chat(jid2, "Art thou not Romeo, & a <Montague>? ☂");
expect((await b.heard("Art thou not Romeo, & a <Montague>? ☂")).attrs.from === fullA, "the sender's full JID");
await b.chat(fullA, "Neither, fair saint");
await a.heard("Neither, fair saint");
done("messages both ways");

const info = await a.x.iqCaller.get(xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }), jid(jid1).domain);
expect(info.getChildren("feature").some((f) => f.attrs.var === "urn:xmpp:ping"), "ping among the features");
await a.x.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), jid(jid1).domain);
await a.x.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), fullB);
const version = await a.x.iqCaller.get(xml("query", { xmlns: "jabber:iq:version" }), jid(jid1).domain);
const refused = await a.x.iqCaller.get(xml("query", { xmlns: "urn:example:nobody" })).catch((err) => err);
expect(refused.condition === "service-unavailable", `service-unavailable, not ${refused}`);
done(`the server is ${version.getChildText("name")}; it and the other client answer pings`);

// Cut without a word: the client comes back by itself and resumes its stream; the
// other sees nothing of it.
const resumed = new Promise((is) => a.x.streamManagement.once("resumed", is));
a.x.socket.socket.destroy();
await b.chat(jid1, "are you there?");
await resumed;
expect(a.logins.at(-1) === "HT-SHA-256-NONE" && a.x.jid.toString() === fullA, `a login by token, not ${a.logins}`);
await a.heard("are you there?");
await b.chat(jid1, "welcome back");
await a.heard("welcome back");
expect(!b.seen.some(([what, p]) => what === "presence" && p.attrs.type === "unavailable"), "no unavailable presence");
done("cut, it resumed with a token and was heard again");

// A second one on the same device replaces the first (XEP-0386 §3.2).
a.x.reconnect.stop();
const second = new Person(jid1, password1, doors.TLS, "orchard");
expect((await second.x.start()).toString() === fullA, "the same full JID");
await a.until("error", (err) => err.condition === "conflict");
await second.presence();
await second.sees(fullA);
done("a conflict ended the first and not the second");

await b.x.stop();
await second.sees(fullB, "unavailable");
await second.chat(jid2, "for later 1");
await second.chat(jid2, "for later 2");
await second.x.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), jid(jid1).domain);
await b.x.start();
await b.presence();
const [later1, later2] = [await b.heard("for later 1"), await b.heard("for later 2")];
expect(later1.getChild("delay", "urn:xmpp:delay")?.attrs.stamp && later2.getChild("delay", "urn:xmpp:delay"), "delay stamps");
done("what was said meanwhile waited");

await second.presence({ type: "unavailable" });
await b.sees(fullA, "unavailable");
await second.x.stop();
await b.x.stop();
await a.x.stop().catch(() => {});
done("closed in order");
