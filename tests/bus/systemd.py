"""A stand-in for systemd on the bus: units that run and end when a test says so."""
import threading

import client
import wire
from wire import ERROR, METHOD_RETURN, SIGNAL, Message, Variant

NAME, MANAGER_PATH = "org.freedesktop.systemd1", "/org/freedesktop/systemd1"
UNIT = "org.freedesktop.systemd1.Unit"


def path_of(unit):
    """As sd_bus_path_encode(3) writes it."""
    return MANAGER_PATH + "/unit/" + "".join(
        letter if letter.isalnum() and letter.isascii() and not (number == 0 and letter.isdigit())
        else f"_{ord(letter):02x}"
        for number, letter in enumerate(unit))


class Systemd:
    """Answers in a thread of its own. silent: nothing is answered, though everything is heard."""

    def __init__(self, bus, units=None):
        self.peer = bus.connect()
        self.units = units or {}    # name -> (ActiveState, invocation)
        self.asked = 0
        self.silent = False
        self.changed = threading.Condition()
        assert self.peer.call(*client.DRIVER, "RequestName", "su", [NAME, 4]) == [1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def start(self, unit, invocation=1, state="active"):
        with self.changed:
            self.units[unit] = (state, bytes([invocation]) * 16)
        self.tell(unit)

    def end(self, unit, state="inactive"):
        with self.changed:
            self.units[unit] = (state, b"")
        self.tell(unit)

    def tell(self, unit):
        fields = {wire.PATH: path_of(unit), wire.INTERFACE: client.PROPERTIES, wire.MEMBER: "PropertiesChanged"}
        self.peer.send(Message(SIGNAL, fields, "sa{sv}as", [UNIT, {"ActiveState": Variant("s", "?")}, []]))

    def answer(self, message):
        if message.member == "Subscribe":
            return Message(METHOD_RETURN, {})
        assert (message.interface, message.member, message.signature) == (client.PROPERTIES, "Get",
                                                                          "ss"), message.fields
        interface, name = message.body
        assert interface == UNIT and name in ("ActiveState", "InvocationID"), message.body
        found = [entry for unit, entry in self.units.items() if path_of(unit) == message.path]
        if not found:
            return Message(ERROR, {wire.ERROR_NAME: NAME + ".NoSuchUnit"}, "s", ["there is none"])
        state, invocation = found[0]
        return Message(METHOD_RETURN, {}, "v", [Variant("s", state) if name == "ActiveState" else
                                                Variant("ay", list(invocation))])

    def serve(self):
        while True:
            try:
                message = self.peer.receive(3600)
            except (client.Gone, OSError):
                return
            if message.kind != wire.METHOD_CALL:
                continue
            with self.changed:
                self.asked += 1
                answer = None if self.silent else self.answer(message)
                self.changed.notify_all()
            if answer:
                answer.fields.update({wire.DESTINATION: message.sender, wire.REPLY_SERIAL: message.serial})
                self.peer.send(answer)

    def wait_asked(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: self.asked >= count, 20), self.asked

    def close(self):
        import socket
        self.peer.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.peer.close()
