"""A small MQTT 3.1.1 client that can publish as fast as a test wants, and collect what it subscribed to.

It exists beside paho because a load of 20,000 acknowledged messages a second is out of paho's reach; what has to be
checked against an independent client uses paho.
"""

import os
import socket
import struct
import threading

SLOWNESS = float(os.environ.get("RXD_TEST_SLOWNESS", 1))

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, DISCONNECT = 0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xE0


def length_of(n):
    out = bytearray()
    while True:
        n, low = divmod(n, 128)
        out.append(low | (0x80 if n else 0))
        if not n:
            return bytes(out)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def packet(kind, body):
    return bytes([kind]) + length_of(len(body)) + body


class MqttClient:
    def __init__(self, port, name=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.settimeout(None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.messages, self.acknowledged, self.sent = [], 0, 0
        self.changed = threading.Condition()
        self.opened, self.granted, self.closed = False, 0, False
        self.socket.sendall(packet(CONNECT, text("MQTT") + b"\x04\x02\x00\x00" + text(name or f"test-{os.urandom(6).hex()}")))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.wait(lambda: self.opened, "CONNACK")

    def wait(self, condition, what, deadline=30 * SLOWNESS):
        with self.changed:
            if not self.changed.wait_for(lambda: self.closed or condition(), deadline) or not condition():
                raise AssertionError(f"the broker gave no {what}")

    def read(self):
        data = b""
        try:
            while chunk := self.socket.recv(1 << 18):
                data = self.handle(data + chunk)
        except OSError:
            pass
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def handle(self, data):
        """Takes the whole packets off the front; answers what is left."""
        at, acknowledged, answers = 0, 0, bytearray()
        while at + 2 <= len(data):
            size, shift, body = 0, 0, at + 1
            while body < len(data):
                size |= (data[body] & 127) << shift
                shift, body = shift + 7, body + 1
                if data[body - 1] < 128:
                    break
            else:
                break
            if body + size > len(data):
                break
            kind = data[at] & 0xF0
            if kind == PUBACK:
                acknowledged += 1
            else:
                self.other(data[at], data[body : body + size], answers)
            at = body + size
        if answers:
            self.socket.sendall(answers)
        with self.changed:
            self.acknowledged += acknowledged
            self.changed.notify_all()
        return data[at:]

    def other(self, head, body, answers):
        if head & 0xF0 == PUBLISH:
            end = 2 + struct.unpack_from("!H", body)[0]
            topic, qos = body[2:end].decode(), head >> 1 & 3
            if qos:
                answers += packet(PUBACK, body[end : end + 2])
            self.messages.append((topic, bytes(body[end + (2 if qos else 0) :]), bool(head & 1)))
        elif head == CONNACK:
            self.opened = body[1] == 0
        elif head == SUBACK:
            self.granted += 1

    def encode(self, topic, payload, qos=1, retain=False):
        self.sent += qos > 0
        number = struct.pack("!H", self.sent % 65535 + 1) if qos else b""
        return packet(PUBLISH | qos << 1 | retain, text(topic) + number + payload)

    def publish(self, topic, payload, qos=1, retain=False):
        self.publish_many([(topic, payload)], qos, retain)

    def publish_many(self, rows, qos=1, retain=False):
        """Sends them all; returns without waiting for the acknowledgements."""
        rows = ((t, p.encode() if isinstance(p, str) else p) for t, p in rows)
        self.socket.sendall(b"".join(self.encode(t, p, qos, retain) for t, p in rows))

    def settle(self, deadline=30 * SLOWNESS):
        """Waits until the broker has acknowledged everything."""
        self.wait(lambda: self.acknowledged == self.sent, "acknowledgement of all", deadline)

    def subscribe(self, topic, qos=1):
        wanted = self.granted + 1
        self.socket.sendall(packet(SUBSCRIBE, b"\x00\x01" + text(topic) + bytes([qos])))
        self.wait(lambda: self.granted == wanted, "SUBACK")

    def close(self):
        try:
            self.socket.sendall(packet(DISCONNECT, b""))
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
        self.reader.join(5)
