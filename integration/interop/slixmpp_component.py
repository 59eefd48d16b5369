#!/usr/bin/python3
"""A component and a user with slixmpp: the component connects by its secret, is
found by service discovery, tells its version, echoes a message and sees directed
presence come and go.

Usage: slixmpp_component.py HOST PORT CERTIFICATE JID PASSWORD COMPONENT-PORT DOMAIN SECRET

Exits with 0 if everything happened, prints what didn't otherwise.
"""

import asyncio
import sys

from slixmpp import ComponentXMPP

from slixmpp_client import STEP, Person, done, log_in


class Echo(ComponentXMPP):
    """Answers each message with its own body, and notes presence."""

    def __init__(self, domain, secret, host, port):
        super().__init__(domain, secret, host, port)
        for xep in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(xep)
        self["xep_0092"].software_name = "echo"
        self["xep_0092"].version = "1"
        self.ready = asyncio.Event()
        self.seen = asyncio.Queue()
        self.add_event_handler("session_start", lambda _: self.ready.set())
        self.add_event_handler("message", self.echo)
        for event in ("presence_available", "presence_unavailable"):
            self.add_event_handler(event, lambda p, e=event: self.seen.put_nowait((e, str(p["from"]))))

    @staticmethod
    def echo(message):
        if message["type"] != "error":
            message.reply(message["body"]).send()


async def scenario(host, port, certificate, jid, password, component_port, domain, secret):
    echo = Echo(domain, secret, host, component_port)
    echo.connect()
    await asyncio.wait_for(echo.ready.wait(), STEP)
    done(f"{domain} is connected")
    user = Person(jid, password, certificate)
    await log_in(user, (host, port), "starttls")
    user.send_presence()
    items = await user["xep_0030"].get_items(jid=user.boundjid.domain, timeout=STEP)
    assert domain in [i[0] for i in items["disco_items"]["items"]], items
    version = await user["xep_0092"].get_version(domain, timeout=STEP)
    assert version["software_version"]["name"] == "echo", version
    info = await echo["xep_0030"].get_info(jid=user.boundjid.domain, ifrom=domain, timeout=STEP)
    assert "urn:xmpp:ping" in info["disco_info"]["features"], info
    done("both find each other by service discovery")
    user.send_message(mto=f"anybody@{domain}", mbody="Wherefore?", mtype="chat")
    back = await user.until("message", lambda m: m["body"] == "Wherefore?")
    assert back["from"] == f"anybody@{domain}", back
    done("a message came back")
    user.send_presence(pto=f"room@{domain}/x")
    event, who = await asyncio.wait_for(echo.seen.get(), STEP)
    assert (event, who) == ("presence_available", str(user.boundjid)), (event, who)
    full = str(user.boundjid)
    await user.disconnect()
    while (event, who) != ("presence_unavailable", full):
        event, who = await asyncio.wait_for(echo.seen.get(), STEP)
    done("presence came and went")
    await echo.disconnect()


def main():
    host, port, certificate, jid, password, component_port, domain, secret = sys.argv[1:]
    asyncio.get_event_loop().run_until_complete(
        scenario(host, int(port), certificate, jid, password, int(component_port), domain, secret))


if __name__ == "__main__":
    main()
