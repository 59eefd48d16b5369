#!/usr/bin/python3
"""Two users with slixmpp and stream management while the server is killed again
and again: one writes numbered messages, the other has to get each exactly
once and in order, by resuming. Then both page through their archives.

Usage: slixmpp_resume.py HOST PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2

Prints "kill" whenever the server should be killed and started again, at once.
Exits with 0 if everything happened, prints what didn't otherwise.
"""

import asyncio
import logging
import sys

import slixmpp
from slixmpp import ClientXMPP, Iq, Message, Presence

STEP = 30  # seconds for any one thing to happen
COUNT = 4000  # messages
KILLS = 4


def done(text):
    print("  slixmpp:", text, flush=True)


class Person(ClientXMPP):
    """A client that comes back whenever its connection is lost."""

    def __init__(self, jid, password, certificate, address):
        super().__init__(jid, password)
        self.ca_certs = certificate
        self.address_of_server = address
        for xep in ("xep_0030", "xep_0198", "xep_0199", "xep_0313"):
            self.register_plugin(xep)
        self.sm = self["xep_0198"]
        self.resumed, self.sessions, self.up, self.over = 0, 0, False, False
        self.started, self.news = asyncio.Event(), asyncio.Event()
        self.got, self.sent = [], []
        self.add_event_handler("session_start", self.session_start)
        self.add_event_handler("sm_enabled", self.sm_enabled)
        self.add_event_handler("session_resumed", self.session_resumed)
        self.add_event_handler("disconnected", self.lost)
        self.add_event_handler("message", self.hear)
        self.add_filter("out_sync", self.keep)

    def enter(self):
        self.connect(self.address_of_server, force_starttls=True)

    def session_start(self, _):
        self.sessions += 1
        self.send_presence()

    def sm_enabled(self, _):
        self.up = True
        self.started.set()

    def lost(self, _):
        self.up = False
        if not self.over:
            self.loop.call_later(0.1, self.enter)

    def keep(self, stanza):
        """Keeps what was sent: the plugin forgets it as it asks to resume."""
        if stanza.name == "enable":
            self.sent = []
        elif isinstance(stanza, (Message, Presence, Iq)):
            self.sent.append(stanza)
        return stanza

    def session_resumed(self, resumed):
        self.resumed += 1
        for stanza in self.sent[resumed["h"]:]:
            self.send(stanza, use_filters=False)
        self.up = True

    def hear(self, message):
        self.got.append(message["body"])
        self.news.set()

    async def until(self, check, what):
        while not check():
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), STEP)
            except asyncio.TimeoutError:
                raise RuntimeError(f"{self.boundjid}: waited in vain for {what}: {len(self.got)} messages, the last "
                                   f"{self.got[-3:]}, {self.resumed} resumptions") from None


async def write(a, b):
    """Writes all messages, some at a time, while there is a stream."""
    for n in range(1, COUNT + 1):
        while not a.up:
            await asyncio.sleep(0.01)
        a.send_message(mto=b.boundjid.bare, mbody=str(n), mtype="chat")
        if n % 10 == 0:
            await asyncio.sleep(0.01)


async def pages(person, other, size, **how):
    """Pages through the archive."""
    bodies, ids = [], set()
    async for m in person["xep_0313"].iterate(with_jid=other.boundjid.bare, rsm={"max": size}, **how):
        result = m["mam_result"]
        assert result["id"] not in ids, "an id came twice"
        ids.add(result["id"])
        bodies.append(result["forwarded"]["stanza"]["body"])
    return bodies


async def scenario(host, port, certificate, jid1, password1, jid2, password2):
    address = (host, int(port))
    a, b = Person(jid1, password1, certificate, address), Person(jid2, password2, certificate, address)
    for p in (a, b):
        p.enter()
        await asyncio.wait_for(p.started.wait(), STEP)
        assert p.sm.enabled_in and p.sm.sm_id, "stream management is not on"
    done(f"{a.boundjid} and {b.boundjid} are in, with streams to resume")
    writing = asyncio.ensure_future(write(a, b))
    for i in range(1, KILLS + 1):
        due = COUNT * i // (KILLS + 1)
        await b.until(lambda: len(b.got) >= due, f"{due} messages")
        print("kill", flush=True)
    await writing
    await b.until(lambda: len(b.got) >= COUNT, "all messages")
    await asyncio.sleep(1)  # whether something comes twice
    want = [str(n) for n in range(1, COUNT + 1)]
    if b.got != want:
        first = next(i for i in range(max(len(b.got), COUNT)) if b.got[i:i + 1] != want[i:i + 1])
        sys.exit(f"{len(b.got)} messages came, not {COUNT}; wrong from the place {first} on: {b.got[first - 2:first + 8]}")
    for p in (a, b):
        if p.resumed < KILLS or p.sessions != 1:
            sys.exit(f"{p.boundjid}: {p.resumed} resumptions of {KILLS} kills, {p.sessions} sessions")
    done(f"{COUNT} messages came once and in order over {KILLS} kills; {a.resumed} and {b.resumed} resumptions")

    for p, other in ((a, b), (b, a)):
        bodies = await asyncio.wait_for(pages(p, other, 100), 2 * STEP)
        if bodies != want:
            sys.exit(f"the archive of {p.boundjid.bare} has {len(bodies)} messages, or another order")
    done(f"both archives have all {COUNT}, page by page")
    # Backwards its iterator ends behind a page that is told to be the last.
    bodies = await asyncio.wait_for(pages(b, a, 20, reverse=True), STEP)
    assert bodies == want[:-21:-1], bodies
    metadata = await b["xep_0313"].get_archive_metadata(timeout=STEP)
    assert metadata["mam_metadata"]["start"]["id"] and metadata["mam_metadata"]["end"]["id"], metadata
    form = await b["xep_0313"].get_fields(timeout=STEP)
    assert "with" in form.get_fields(), form
    done("the last page, the metadata and the form are there")
    for p in (a, b):
        p.over = True
        p.disconnect(wait=2)
    await asyncio.sleep(0.2)


def main():
    if len(sys.argv) != 8:
        sys.exit(__doc__)
    logging.basicConfig(level=logging.CRITICAL)  # that a connection is lost is no news
    print("  slixmpp", slixmpp.__version__, flush=True)
    loop = asyncio.get_event_loop()
    loop.run_until_complete(asyncio.wait_for(scenario(*sys.argv[1:]), 150))


if __name__ == "__main__":
    main()
