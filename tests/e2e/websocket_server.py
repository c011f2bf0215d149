"""WebSocket servers for tests: one that is well behaved, and one that says whatever bytes a test wants."""

import asyncio
import base64
import contextlib
import hashlib
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import websockets

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def certificate(folder):
    """A self-signed certificate for localhost: (certificate, key)."""
    cert, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return cert, key


class Server:
    """Keeps what came (`received`, `headers`), and sends to all who are connected. It can be stopped and started again on
    the same port."""

    def __init__(self, tls=None, subprotocols=None, greeting=()):
        self.received, self.headers, self.connections, self.accepted = [], [], set(), 0
        self.tls, self.subprotocols, self.greeting, self.port = tls, subprotocols, greeting, 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def start(self):
        self.run(self.listen())
        return self

    async def listen(self):
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
        self.server = await websockets.serve(
            self.serve, "127.0.0.1", self.port, ssl=context, subprotocols=self.subprotocols, ping_interval=None, close_timeout=1
        )
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, connection, *_):
        self.accepted += 1
        self.headers.append({name.lower(): value for name, value in connection.request_headers.raw_items()})
        self.connections.add(connection)
        with contextlib.suppress(websockets.ConnectionClosed):
            for text in self.greeting:
                await connection.send(text)
            async for message in connection:
                self.received.append(message)
        self.connections.discard(connection)

    def send(self, *messages):
        async def all_of_them():
            for connection in list(self.connections):
                for message in messages:
                    await connection.send(message)
        self.run(all_of_them())

    def drop(self):
        """Ends every connection, but takes new ones."""
        async def end():
            for connection in list(self.connections):
                await connection.close(1012, "restarting")
        self.run(end())

    def stop(self):
        async def end():
            self.server.close()
            await self.server.wait_closed()
        self.run(end())

    def close(self):
        with contextlib.suppress(Exception):
            self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(20)
        self.loop.close()


def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(4096)
        if not more:
            raise OSError("the client left")
        request += more
    return request.decode("latin-1")


def handshake(connection):
    request = read_request(connection)
    key = next(line.split(":", 1)[1].strip() for line in request.split("\r\n") if line.lower().startswith("sec-websocket-key:"))
    accept = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
    connection.sendall(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
    )
    return request


class RawServer:
    """Runs `talk(connection)` in a thread for each connection, and closes it then."""

    def __init__(self, talk):
        self.talk, self.accepted = talk, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.accepted += 1
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with contextlib.suppress(OSError), connection:
            self.talk(connection)

    def close(self):
        self.listener.close()
