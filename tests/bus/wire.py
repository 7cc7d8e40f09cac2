"""D-Bus messages as bytes: marshalling by signature, in either endianness, as far as tests need it."""
import struct

METHOD_CALL, METHOD_RETURN, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY, NO_AUTO_START, INTERACTIVE = 1, 2, 4
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE, UNIX_FDS = range(1, 10)

FIXED = {"y": ("B", 1), "b": ("I", 4), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8),
         "t": ("Q", 8), "d": ("d", 8), "h": ("I", 4)}


class Variant:
    """A value with its signature."""

    def __init__(self, signature, value):
        self.signature, self.value = signature, value

    def __repr__(self):
        return f"Variant({self.signature!r}, {self.value!r})"


def single(signature, at=0):
    """Where the single complete type that begins at an index ends."""
    if signature[at] == "a":
        return single(signature, at + 1)
    if signature[at] in "({":
        end = at + 1
        while signature[end] not in ")}":
            end = single(signature, end)
        return end + 1
    return at + 1


def split(signature):
    types, at = [], 0
    while at < len(signature):
        end = single(signature, at)
        types.append(signature[at:end])
        at = end
    return types


def alignment(kind):
    if kind in FIXED:
        return FIXED[kind][1]
    return {"s": 4, "o": 4, "g": 1, "v": 1, "a": 4, "(": 8, "{": 8}[kind]


class Writer:
    def __init__(self, endian="<"):
        self.endian, self.data = endian, bytearray()

    def align(self, size):
        self.data += b"\0" * (-len(self.data) % size)

    def number(self, kind, value):
        code, size = FIXED[kind]
        self.align(size)
        self.data += struct.pack(self.endian + code, value)

    def write(self, signature, values):
        for kind, value in zip(split(signature), values, strict=True):
            self.one(kind, value)

    def one(self, kind, value):
        if kind in FIXED:
            self.number(kind, value)
        elif kind in "so":
            text = value if isinstance(value, bytes) else value.encode()
            self.number("u", len(text))
            self.data += text + b"\0"
        elif kind == "g":
            self.data += bytes([len(value)]) + value.encode() + b"\0"
        elif kind == "v":
            self.one("g", value.signature)
            self.one(value.signature, value.value)
        elif kind[0] == "a":
            self.array(kind[1:], value)
        else:
            self.align(8)
            self.write(kind[1:-1], value)

    def array(self, item, values):
        self.number("u", 0)
        place = len(self.data) - 4
        self.align(alignment(item[0]))
        begin = len(self.data)
        if item == "y":
            self.data += bytes(values)
        else:
            for value in (values.items() if item[0] == "{" else values):
                self.one(item, value)
        self.data[place:place + 4] = struct.pack(self.endian + "I", len(self.data) - begin)


class Reader:
    def __init__(self, data, endian="<", at=0):
        self.data, self.endian, self.at = data, endian, at

    def align(self, size):
        self.at += -self.at % size

    def number(self, kind):
        code, size = FIXED[kind]
        self.align(size)
        value, = struct.unpack_from(self.endian + code, self.data, self.at)
        self.at += size
        return bool(value) if kind == "b" else value

    def read(self, signature):
        return [self.one(kind) for kind in split(signature)]

    def text(self, length):
        text = bytes(self.data[self.at:self.at + length]).decode()
        self.at += length + 1
        return text

    def one(self, kind):
        if kind in FIXED:
            return self.number(kind)
        if kind in "so":
            return self.text(self.number("u"))
        if kind == "g":
            self.at += 1
            return self.text(self.data[self.at - 1])
        if kind == "v":
            signature = self.one("g")
            return Variant(signature, self.one(signature))
        if kind[0] == "a":
            return self.array(kind[1:])
        self.align(8)
        return tuple(self.read(kind[1:-1]))

    def array(self, item):
        length = self.number("u")
        self.align(alignment(item[0]))
        end, values = self.at + length, []
        while self.at < end:
            values.append(self.one(item))
        return dict(values) if item[0] == "{" else values


class Message:
    def __init__(self, kind, fields, signature="", body=(), flags=0, serial=0):
        self.kind, self.fields, self.signature, self.body = kind, fields, signature, body
        self.flags, self.serial, self.fds = flags, serial, []

    def __getattr__(self, name):
        number = {"path": PATH, "interface": INTERFACE, "member": MEMBER, "error": ERROR_NAME, "sender": SENDER,
                  "reply_serial": REPLY_SERIAL, "destination": DESTINATION}.get(name)
        if number is None:
            raise AttributeError(name)
        return self.fields.get(number)


FIELD_TYPES = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", REPLY_SERIAL: "u", DESTINATION: "s",
               SENDER: "s",
               SIGNATURE: "g", UNIX_FDS: "u"}


def encode(message, endian="<"):
    body = Writer(endian)
    body.write(message.signature, message.body)
    fields = dict(message.fields)
    if message.signature:
        fields[SIGNATURE] = message.signature
    if message.fds:
        fields[UNIX_FDS] = len(message.fds)
    head = Writer(endian)
    head.write("yyyyuua(yv)", [ord("l" if endian == "<" else "B"), message.kind, message.flags, 1, len(body.data),
                               message.serial,
                               [(number, Variant(FIELD_TYPES[number], value)) for number, value in fields.items()]])
    head.align(8)
    return bytes(head.data + body.data)


def size_of(data):
    """The bytes of the message that data begins with; None: that can't be told yet."""
    if len(data) < 16:
        return None
    endian = "<" if data[0] == ord("l") else ">"
    body, = struct.unpack_from(endian + "I", data, 4)
    fields, = struct.unpack_from(endian + "I", data, 12)
    return 16 + fields + (-fields % 8) + body


def decode(data):
    endian = "<" if data[0] == ord("l") else ">"
    _, kind, flags, _, _, serial, fields = Reader(data, endian).read("yyyyuua(yv)")
    fields = {number: variant.value for number, variant in fields}
    fields_length, = struct.unpack_from(endian + "I", data, 12)
    begin = 16 + fields_length + (-fields_length % 8)
    signature = fields.pop(SIGNATURE, "")
    body = Reader(memoryview(data)[begin:], endian).read(signature)
    return Message(kind, fields, signature, body, flags, serial)


def plain(value):
    """Without the signatures of variants."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    return value
