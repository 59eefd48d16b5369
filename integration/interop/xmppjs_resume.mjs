// Two users with xmpp.js and stream management while the server is killed again and
// again: one writes numbered messages, the other has to get each exactly once and
// in order, by resuming with its login (SASL2). The certificate is verified.
//
// Usage: NODE_EXTRA_CA_CERTS=CERTIFICATE node xmppjs_resume.mjs HOST C2S_PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2
//
// Prints "kill" whenever the server should be killed and started again, at once.
// Exits with 0 if everything happened, prints what didn't otherwise.

import { client, xml, jid } from "@xmpp/client";

const [, port, , jid1, password1, jid2, password2] = process.argv.slice(2);
const STEP = 30_000; // milliseconds for any one thing to happen
const COUNT = 4000; // messages
const KILLS = 4;

const done = (text) => console.log("  xmpp.js:", text);
const rest = (ms) => new Promise((wake) => setTimeout(wake, ms));

class Person {
  constructor(address, password, resource) {
    const { local, domain } = jid(address);
    this.bare = address;
    this.got = [];
    this.sent = [];
    this.counts = { online: 0, resumed: 0, failed: 0 };
    this.x = client({ service: `xmpp://localhost:${port}`, domain, resource, username: local, password });
    this.x.reconnect.delay = 100;
    this.x.streamManagement.requestAckDebounce = 20;
    this.x.on("error", () => {}); // that a connection is lost is no news
    this.x.on("online", () => this.counts.online++);
    this.x.streamManagement.on("resumed", () => this.counts.resumed++);
    this.x.streamManagement.on("fail", () => this.counts.failed++);
    this.x.on("nonza", (element) => {
      const resumed = element.name === "success" && element.getChild("resumed");
      if (resumed) this.remember(Number(resumed.attrs.h));
    });
    this.x.on("stanza", (stanza) => {
      if (stanza.is("message") && stanza.getChild("body")) this.got.push(stanza.getChildText("body"));
    });
  }

  send(stanza) {
    this.sent.push(stanza);
    this.x.send(stanza).catch(() => {}); // it will be sent again
  }

  // The client notes what it sends only once that is written, and not at all where
  // the connection ends meanwhile; this puts its queue right before it uses it.
  remember(h) {
    const { streamManagement } = this.x;
    streamManagement.outbound = h;
    streamManagement.outbound_q = this.sent.slice(h).map((stanza) => ({ stanza, stamp: new Date().toISOString() }));
  }

  async until(check, what) {
    for (let end = Date.now() + STEP; !check(); ) {
      if (Date.now() >= end) {
        throw new Error(`${this.bare}: waited in vain for ${what}: ${this.got.length} messages, the last ${this.got.slice(-3)}, ${JSON.stringify(this.counts)}`);
      }
      await rest(20);
    }
  }

  get up() {
    return this.x.status === "online" && this.x.streamManagement.enabled;
  }
}

const a = new Person(jid1, password1, "orchard");
const b = new Person(jid2, password2, "balcony");
for (const p of [a, b]) {
  await p.x.start();
  await p.until(() => p.up && p.x.streamManagement.id, "stream management");
  p.send(xml("presence"));
}
done("both are in, with streams to resume");

async function write() {
  for (let n = 1; n <= COUNT; n++) {
    while (!a.up) await rest(5);
    a.send(xml("message", { to: jid2, type: "chat" }, xml("body", {}, `${n}`)));
    if (n % 10 === 0) await rest(10);
  }
}

const writing = write();
for (let i = 1; i <= KILLS; i++) {
  await b.until(() => b.got.length >= (COUNT * i) / (KILLS + 1), `kill ${i}`);
  console.log("kill");
}
await writing;
await b.until(() => b.got.length >= COUNT, "all messages");
await rest(1000); // whether something comes twice
const wrong = b.got.findIndex((body, i) => body !== `${i + 1}`);
if (b.got.length !== COUNT || wrong >= 0) {
  throw new Error(`${b.got.length} messages came, not ${COUNT}; wrong from ${wrong} on: ${b.got.slice(Math.max(0, wrong - 2), wrong + 8)}`);
}
for (const p of [a, b]) {
  if (p.counts.resumed < KILLS || p.counts.online !== 1 || p.counts.failed) {
    throw new Error(`${p.bare}: ${JSON.stringify(p.counts)} at ${KILLS} kills`);
  }
}
done(`${COUNT} messages came once and in order over ${KILLS} kills; ${a.counts.resumed} and ${b.counts.resumed} resumptions`);
for (const p of [a, b]) {
  p.x.reconnect.stop();
  await p.x.stop();
}
done("closed in order");
