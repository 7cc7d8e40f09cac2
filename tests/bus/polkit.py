"""A stand-in for polkit that checks every type and value of what it is asked, and answers what a test wants."""
import threading

import client
import wire
from wire import ERROR, METHOD_RETURN, Message, Variant

NAME, PATH, AUTHORITY = ("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                         "org.freedesktop.PolicyKit1.Authority")
YES, NO, CHALLENGE = (True, False, {}), (False, False, {}), (False, True, {})


class Question:
    """One question, checked as polkit itself does not: it drops what it does not expect."""

    def __init__(self, message):
        self.message = message
        assert (message.path, message.interface, message.signature) == (PATH, AUTHORITY,
                                                                        "(sa{sv})sa{ss}us"), message.fields
        (kind, about), self.action, self.details, self.flags, self.cancellation = message.body
        assert kind == "system-bus-name" and list(about) == ["name"] and about["name"].signature == "s", message.body
        self.caller = about["name"].value
        assert self.caller.startswith(":") and self.flags in (0, 1) and self.cancellation
        assert all(isinstance(value, str) for value in self.details.values())


class Polkit:
    """Answers in a thread of its own. answer: a function of the question; what it returns is sent, None is no
    answer."""

    def __init__(self, bus, answer=lambda question: NO):
        self.peer = bus.connect()
        self.answer = answer
        self.questions, self.cancelled, self.problems = [], [], []
        self.changed = threading.Condition()
        assert self.peer.call(*client.DRIVER, "RequestName", "su", [NAME, 4]) == [1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def reply(self, question, result):
        message = question.message
        fields = {wire.DESTINATION: message.sender, wire.REPLY_SERIAL: message.serial}
        if isinstance(result, str):
            self.peer.send(Message(ERROR, {**fields, wire.ERROR_NAME: result}, "s", ["a test says so"]))
        elif isinstance(result, Message):
            result.fields.update(fields)
            self.peer.send(result)
        else:
            self.peer.send(Message(METHOD_RETURN, fields, "(bba{ss})", [result]))

    def serve(self):
        while True:
            try:
                message = self.peer.receive(3600)
            except (client.Gone, OSError):
                return
            if message.kind != wire.METHOD_CALL:
                continue
            try:
                if message.member == "CancelCheckAuthorization":
                    with self.changed:
                        self.cancelled.append(message.body[0])
                        self.changed.notify_all()
                    continue
                question = Question(message)
                result = self.answer(question)
                if result is not None:
                    self.reply(question, result)
                with self.changed:
                    self.questions.append(question)
                    self.changed.notify_all()
            except Exception as problem:  # it is the test's, which looks
                self.problems.append(problem)

    def wait(self, count):
        """The questions so far, as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.questions) >= count or self.problems, 20), self.questions
        assert not self.problems, self.problems
        return self.questions

    def wait_cancelled(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.cancelled) >= count, 40), self.cancelled
        return self.cancelled

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        import socket
        self.peer.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(10)
        self.peer.close()
        if not raised[0]:
            assert not self.problems, self.problems


def garbage(signature, *body):
    """A reply of another shape."""
    return Message(METHOD_RETURN, {}, signature, body)


def odd_answers():
    """Answers that are no yes, whatever they look like."""
    return [NO, CHALLENGE, "org.freedesktop.PolicyKit1.Error.Failed", "org.freedesktop.DBus.Error.AccessDenied",
            garbage(""),
            garbage("b", True), garbage("bba{ss}", True, False, {}), garbage("(bb)", (True, True)),
            garbage("(uba{ss})", (1, True, {})), garbage("(bba{sv})", (True, True, {"a": Variant("s", "b")})),
            garbage("((bba{ss}))", ((True, False, {}),)), garbage("s", "yes"), garbage("v", Variant("b", True))]
