# SPDX-License-Identifier: MIT
"""The guest's serial line, shared: QEMU writes what the guest says to a file, which whoever is attached
sees, too; what these and the session type goes to the guest through a FIFO, as fast as it is taken.

Both ways matter to a recording. A file takes every byte at once; a socket now and then does not, and
QEMU's next attempt is in no log ("Missing character write event"). And the guest's UART holds 16 bytes,
more would be lost: so typing is done in handfuls, and each waits until the one before was echoed.
"""
import contextlib
import os
import select
import socket
import threading
import time

PROMPT = b"vitrine> "
HANDFUL = 8
ECHO = 2  # seconds after which a handful counts as read, echo or not
POLL = 0.01


class Console(threading.Thread):
    """Lives as long as QEMU (process). fifo: from prepare(), QEMU's standard input."""

    def __init__(self, process, log, fifo, attach):
        super().__init__(daemon=True)
        self.process, self.output = process, open(log, "rb", buffering=0)
        self.input = os.open(fifo, os.O_RDWR)
        self.clients, self.listeners = [], []
        self.waiting, self.owed, self.sent_at = b"", 0, 0.0
        self.said, self.news, self.ended = b"", threading.Condition(), False
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(attach)
        self.server.listen()

    @staticmethod
    def prepare(fifo, attach):
        for path in (fifo, attach):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        os.mkfifo(fifo)

    def run(self):
        while not self.ended:
            ended = self.process.poll() is not None  # before the last look at the file
            self.hear(self.output.read())
            for source in select.select([self.server, *self.clients], [], [], POLL)[0]:
                if source is self.server:
                    self.admit(self.server.accept()[0])
                else:
                    self.take(source)
            self.feed()
            self.ended = ended
        with self.news:
            self.news.notify_all()
        for stream in (*self.clients, self.server):
            stream.close()

    def admit(self, client):
        client.setblocking(False)
        self.clients.append(client)
        self.listeners.append(client)

    def hear(self, data):
        """Who does not listen any more may have typed before it left; who listens too slowly, a terminal
        that is scrolled back, holds up nobody."""
        if not data:
            return
        for client in list(self.listeners):
            try:
                client.sendall(data)
            except OSError:
                self.listeners.remove(client)
        with self.news:
            self.said += data
            self.owed -= len(data)
            self.news.notify_all()

    def take(self, client):
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        if not data:
            self.clients.remove(client)
            if client in self.listeners:
                self.listeners.remove(client)
            client.close()
        with self.news:
            self.waiting += data

    def feed(self):
        with self.news:
            if not self.waiting or (self.owed > 0 and time.monotonic() < self.sent_at + ECHO):
                return
            handful, self.waiting = self.waiting[:HANDFUL], self.waiting[HANDFUL:]
            self.owed, self.sent_at = len(handful), time.monotonic()
        os.write(self.input, handful)

    def type(self, text):
        with self.news:
            self.waiting += text.encode()

    def position(self):
        with self.news:
            return len(self.said)

    def wait_for_prompt(self, position, seconds):
        """Until the prompt is the last thing said after a position: what was said, and whether it is."""
        with self.news:
            self.news.wait_for(lambda: self.ended or self.said[position:].endswith(PROMPT), seconds)
            said = self.said[position:]
            return said, said.endswith(PROMPT)
