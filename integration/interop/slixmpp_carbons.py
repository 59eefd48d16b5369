#!/usr/bin/python3
"""Two devices of one user with slixmpp, and somebody else: each device sees by
copies what the other sends and gets, once and in order, until it turns them off.

Usage: slixmpp_carbons.py HOST PORT CERTIFICATE JID1 PASSWORD1 JID2 PASSWORD2

Exits with 0 if everything happened, prints what didn't otherwise.
"""

import asyncio
import logging
import sys

import slixmpp
from slixmpp import ClientXMPP

STEP = 20  # seconds for any one thing to happen
COUNT = 100  # messages each way


def done(text):
    print("  slixmpp:", text, flush=True)


class Device(ClientXMPP):
    """A client that notes the bodies that come, and how."""

    def __init__(self, jid, password, certificate, priority):
        super().__init__(jid, password)
        self.ca_certs = certificate
        self.priority = priority
        for xep in ("xep_0030", "xep_0199", "xep_0280"):
            self.register_plugin(xep)
        self.heard, self.news, self.started = [], asyncio.Event(), asyncio.Event()
        self.add_event_handler("session_start", self.session_start)
        self.add_event_handler("message", lambda m: self.hear("message", m))
        self.add_event_handler("carbon_received", lambda m: self.hear("received", m["carbon_received"], m))
        self.add_event_handler("carbon_sent", lambda m: self.hear("sent", m["carbon_sent"], m))

    def session_start(self, _):
        self.send_presence(ppriority=self.priority)
        self.started.set()

    def hear(self, how, message, wrapped_in=None):
        if wrapped_in is not None and wrapped_in["from"] != self.boundjid.bare:
            raise RuntimeError(f"a copy from {wrapped_in['from']}")
        if message["body"]:
            self.heard.append((how, message["body"]))
            self.news.set()

    async def until(self, count):
        while len(self.heard) < count:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), STEP)
            except asyncio.TimeoutError:
                raise RuntimeError(f"{self.boundjid} heard {len(self.heard)} of {count}: {self.heard[-3:]}") from None


async def run(host, port, certificate, jid1, password1, jid2, password2):
    laptop = Device(jid1 + "/laptop", password1, certificate, 5)
    phone = Device(jid1 + "/phone", password1, certificate, 0)
    other = Device(jid2 + "/desk", password2, certificate, 0)
    for device in (laptop, phone, other):
        device.connect((host, int(port)), force_starttls=True)
        await asyncio.wait_for(device.started.wait(), STEP)
    features = (await laptop["xep_0030"].get_info(jid=laptop.boundjid.domain))["disco_info"]["features"]
    if "urn:xmpp:carbons:2" not in features:
        raise RuntimeError(f"carbons aren't announced: {features}")
    for device in (laptop, phone):
        await device["xep_0280"].enable()
    done("both devices have carbons on")

    for i in range(COUNT):
        other.send_message(mto=jid1, mbody=f"to {i}", mtype="chat")
    await laptop.until(COUNT)
    await phone.until(COUNT)
    for i in range(COUNT):
        laptop.send_message(mto=other.boundjid.full, mbody=f"from {i}", mtype="chat")
    await other.until(COUNT)
    await phone.until(2 * COUNT)
    want = [("received", f"to {i}") for i in range(COUNT)] + [("sent", f"from {i}") for i in range(COUNT)]
    if phone.heard != want:
        raise RuntimeError(f"the phone heard {phone.heard}")
    if laptop.heard != [("message", f"to {i}") for i in range(COUNT)]:
        raise RuntimeError(f"the laptop heard {laptop.heard}")
    done(f"the phone heard {2 * COUNT} messages by copies, once and in order")

    await phone["xep_0280"].disable()
    other.send_message(mto=jid1, mbody="last", mtype="chat")
    await laptop.until(COUNT + 1)
    await phone["xep_0199"].ping(jid=phone.boundjid.domain)
    if len(phone.heard) != 2 * COUNT:
        raise RuntimeError("a copy came after they were turned off")
    done("none comes after they were turned off")
    for device in (laptop, phone, other):
        device.disconnect()
        await asyncio.wait_for(device.disconnected, STEP)


def main():
    logging.basicConfig(level=logging.ERROR)
    try:
        asyncio.get_event_loop().run_until_complete(run(*sys.argv[1:8]))
    except Exception as e:
        sys.exit(f"  slixmpp {slixmpp.__version__}: {type(e).__name__}: {e}")


if __name__ == "__main__":
    main()
