#!/usr/bin/python3
"""Two users with slixmpp: each logs in, they subscribe to each other, see each
other, chat, and ask the server what it is.

Usage: slixmpp_client.py HOST PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2 starttls|tls

Exits with 0 if everything happened, prints what didn't otherwise.
"""

import asyncio
import logging
import sys

import slixmpp
from slixmpp import ClientXMPP

STEP = 20  # seconds for any one thing to happen


class Person(ClientXMPP):
    """A client that notes what it sees as futures that the scenario waits for."""

    def __init__(self, jid, password, certificate):
        super().__init__(jid, password)
        self.ca_certs = certificate
        self.auto_authorize = None
        self.auto_subscribe = False
        for xep in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(xep)
        self.seen = asyncio.Queue()
        for event in ("session_start", "failed_auth", "presence_subscribe", "presence_subscribed", "presence_available",
                      "presence_dnd", "presence_unavailable", "message", "roster_update", "connection_failed"):
            self.add_event_handler(event, lambda stanza, e=event: self.seen.put_nowait((e, stanza)))
        self.kept = []

    async def until(self, event, check=lambda stanza: True):
        """Waits for an event; what else happens meanwhile is kept for later."""
        for i, (e, stanza) in enumerate(self.kept):
            if e == event and check(stanza):
                del self.kept[i]
                return stanza
        while True:
            try:
                e, stanza = await asyncio.wait_for(self.seen.get(), STEP)
            except asyncio.TimeoutError:
                raise RuntimeError(f"{self.boundjid}: no {event}; seen: {self.kept}") from None
            if e == event and check(stanza):
                return stanza
            self.kept.append((e, stanza))


def done(text):
    print("  slixmpp:", text, flush=True)


async def log_in(person, address, security):
    person.connect(address, use_ssl=security == "tls", force_starttls=security != "tls",
                   disable_starttls=security == "tls")
    await person.until("session_start")
    done(f"{person.boundjid} logged in by {person['feature_mechanisms'].mech.name}")
    await person.get_roster()
    person.send_presence()
    await person.until("presence_available", lambda p: p["from"] == person.boundjid)


async def befriend(a, b):
    """a asks, b grants."""
    a.send_presence(pto=b.boundjid.bare, ptype="subscribe")
    await b.until("presence_subscribe", lambda p: p["from"].bare == a.boundjid.bare)
    b.send_presence(pto=a.boundjid.bare, ptype="subscribed")
    await a.until("presence_subscribed", lambda p: p["from"].bare == b.boundjid.bare)
    await a.until("presence_available", lambda p: p["from"] == b.boundjid)
    done(f"{a.boundjid.bare} sees {b.boundjid.bare}")


async def talk(a, b, text):
    a.send_message(mto=b.boundjid.bare, mbody=text, mtype="chat")
    m = await b.until("message", lambda m: m["body"] == text)
    assert m["from"] == a.boundjid and m["type"] == "chat", m
    done(f"{b.boundjid} got {text!r}")


def said(iq, contact, key):
    """What a roster push or result says of a contact, or None."""
    return iq["roster"]["items"].get(contact.boundjid.bare, {}).get(key)


async def scenario(host, port, certificate, jid1, password1, jid2, password2, security):
    address = (host, int(port))
    a, b = Person(jid1, password1, certificate), Person(jid2, password2, certificate)
    await log_in(a, address, security)
    await log_in(b, address, security)

    await befriend(a, b)
    await befriend(b, a)
    for me, other in ((a, b), (b, a)):
        await me.until("roster_update", lambda iq: said(iq, other, "subscription") == "both")
        await me.get_roster()  # by version: what it has is current
        assert me.client_roster[other.boundjid.bare]["subscription"] == "both", me.client_roster
    done("both rosters say both")

    await a.update_roster(b.boundjid.bare, name="Friend", groups=["Verona", "Ünïcode <&>"])
    await a.until("roster_update", lambda iq: said(iq, b, "name") == "Friend")
    item = a.client_roster[b.boundjid.bare]
    assert item["name"] == "Friend" and sorted(item["groups"]) == ["Verona", "Ünïcode <&>"], item
    done("a name and groups are kept")

    await talk(a, b, "Art thou not Romeo, & a <Montague>? ☂")
    await talk(b, a, "Neither, fair saint")

    a.send_presence(pshow="dnd", pstatus="sighing")
    await b.until("presence_dnd", lambda p: p["from"] == a.boundjid and p["status"] == "sighing")
    done("a changed presence is seen")

    domain = a.boundjid.domain
    info = await a["xep_0030"].get_info(jid=domain, timeout=STEP)
    assert any(i[0] == "server" for i in info["disco_info"]["identities"]), info
    features = info["disco_info"]["features"]
    assert "urn:xmpp:ping" in features and "http://jabber.org/protocol/disco#info" in features, features
    await a["xep_0030"].get_items(jid=domain, timeout=STEP)
    version = await a["xep_0092"].get_version(domain, timeout=STEP)
    await a["xep_0199"].ping(domain, timeout=STEP)
    done(f"the server is {version['software_version']['name']} with {len(features)} features")
    peer = await a["xep_0030"].get_info(jid=b.boundjid, timeout=STEP)
    assert peer["disco_info"]["identities"], peer
    done("a request to the other's client is answered by it")

    a.disconnect(wait=2)
    await b.until("presence_unavailable", lambda p: p["from"] == a.boundjid)
    done("an end is seen")
    b.disconnect(wait=2)
    await asyncio.sleep(0.2)


def main():
    if len(sys.argv) != 9:
        sys.exit(__doc__)
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # its tasks at exit are no news
    print("  slixmpp", slixmpp.__version__, flush=True)
    loop = asyncio.get_event_loop()
    loop.run_until_complete(asyncio.wait_for(scenario(*sys.argv[1:]), 120))


if __name__ == "__main__":
    main()
