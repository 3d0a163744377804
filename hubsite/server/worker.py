"""A gunicorn worker: the threaded one, with remembered answers given by its event loop.

The loop collects each request's head, so a slow client holds no thread; what the memo does not
have goes on to a thread and to the application, unchanged. Works with any WSGI application; the
hub runs as well, only slower, under any other WSGI server.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connections
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from hubsite.server.bodies import SMALL_BYTES, Awaited, Spout, is_left_unread
from hubsite.server.database import Watch
from hubsite.server.exchange import answer
from hubsite.server.memo import MAX_HEAD_BYTES, Memo, Taken
from hubsite.server.poller import Poller

HEAD_WITHIN_S = 30.0
SWEEP_EVERY_S = 1.0
ACCEPTS_AT_ONCE = 16
SILENCE = struct.pack("ll", 60, 0)  # a body that stalls so long gives its thread back
UNREAD = object()
END_OF_HEAD = b"\r\n\r\n"
LOOP_BYTES = 128 * 1024  # of a request's head and short body; no honest head is longer
LINGER_S = 2.0
LINGER_BYTES = 1024 * 1024
SHORT_BYTES = 5 * 1024 * 1024  # the longest manifest, and some more
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,5})[ \t]*\r\n", re.IGNORECASE)


class Connection(TConn):  # type: ignore[misc]  # gunicorn is untyped
    """A connection; `origin` is the client's address, `early` are bytes the loop has read, and
    `taken` is what the memo may keep of the answer that is being made."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.origin = address_bytes(client)
        self.early = b""
        self.taken: Taken | None = None
        self.deadline = 0.0
        self.lingering: int | None = None  # bytes to take before the connection is closed


class RegistryWorker(ThreadWorker):  # type: ignore[misc]
    """Connections wait in the loop, in `waiting`, and visit a thread only with a whole head."""

    alive: bool
    poller: Any
    memo: Memo

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: dict[Connection, None] = {}
        self._heard: list[Connection] = []
        self._swept_at = self._notified_at = 0.0
        self._stamp: Any = None

    def init_process(self) -> None:
        """As the threaded worker, with connections to the database of its own."""
        connections.close_all()
        super().init_process()

    def run(self) -> None:
        """With a poller of our own, put in place before anything is registered."""
        self.memo = Memo(Watch(), settings.HUB.web_memory_mib * 1024 * 1024)
        self.poller.close()
        self.poller = Poller()
        super().run()
        self.memo.close()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """One turn of the loop. Every request of a turn came before the stamp is read."""
        ready = self.poller.wait(timeout)
        self._stamp = UNREAD if self.alive else None
        self._heard = []
        for callback, fileobj in ready:
            callback(fileobj)
        self._stamp = UNREAD if self.alive else None
        for conn in self._heard:
            self._consider(conn)

    def notify(self) -> None:
        """Tell the arbiter that we are alive, but not a thousand times a second."""
        now = time.monotonic()
        if now - self._notified_at >= SWEEP_EVERY_S / 2:
            self._notified_at = now
            super().notify()

    def accept(self, listener: Any) -> None:
        """Take what waits at the listener; a connection without data costs no thread."""
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, client = listener.accept()
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                    return
                raise
            self.nr_conns += 1
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, SILENCE)
            conn = Connection(self.cfg, sock, client, listener.getsockname())
            self._watch(conn, HEAD_WITHIN_S)

    def finish_request(self, conn: Any, future: Future[bool]) -> None:
        """Back in the loop after a thread has answered; it has closed what must not go on."""
        taken, conn.taken = conn.taken, None
        try:
            again = False if future.cancelled() else future.result()
        except Exception:
            self.log.exception("Error handling a connection")
            again = False
            conn.close()
        if not again:
            self._linger(conn)
            return
        if taken is not None:
            self.memo.keep(taken)
        conn.sock.setblocking(False)
        conn.early = conn.parser.unreader.take_buffered()
        self._watch(conn, self.cfg.keepalive if self.alive else STOP_KEEPALIVE_LINGER)
        if conn.early:
            self._stamp = UNREAD if self.alive else None  # it may have come after the last reading
            self._consider(conn)

    def _linger(self, conn: Connection) -> None:
        """Say that nothing more comes, and take what is under way (RFC 9112, 9.6), in the loop."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        conn.lingering = to_take(conn)
        self._watch(conn, LINGER_S)

    def _take(self, conn: Connection, size: int) -> None:
        """Bytes nobody wants; after enough of them they stay in the kernel, which slows the client
        down until it has read its answer. Closing now would take the answer from it."""
        assert conn.lingering is not None
        conn.lingering -= size
        if conn.lingering < 0:
            self.poller.unregister(conn.sock)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """In a thread: one request through the application; False closes the connection."""
        environ: dict[str, Any] = {}
        resp = None
        awaited = Awaited.of(req, conn.sock)
        spout = Spout.of(req, conn.sock, awaited)
        try:
            self.cfg.pre_request(self, req)
            began = datetime.now()
            resp, environ = wsgi.create(req, conn.sock, conn.client, conn.server, self.cfg)
            environ["wsgi.multithread"] = True
            environ["hub.spout"] = spout
            self._count(resp)
            if len(self.waiting) >= self.max_keepalived:
                resp.force_close()

            def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
                if is_left_unread(req, awaited):
                    resp.force_close()
                return resp.start_response(status, headers, exc_info)

            try:
                answer(self.wsgi, environ, start_response, resp, conn.taken)
            finally:
                self.log.access(resp, req, environ, datetime.now() - began)
            return not resp.should_close()
        except OSError:
            raise
        except (Exception, SystemExit):
            if resp and resp.headers_sent:
                # A second answer on the same connection would corrupt the first.
                self.log.exception("Error handling request")
                util.close_graceful(conn.sock)
                raise StopIteration from None
            raise
        finally:
            if spout is not None:
                spout.close()
            try:
                self.cfg.post_request(self, req, environ, resp)
            except Exception:
                self.log.exception("Exception in post_request hook")

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that waited too long for their next request, or all."""
        now = time.monotonic()
        if not force and now - self._swept_at < SWEEP_EVERY_S:
            return
        self._swept_at = now
        for conn in [c for c in self.waiting if force or c.deadline <= now]:
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self.waiting:
            conn.deadline = min(conn.deadline, deadline)

    def _count(self, resp: Any) -> None:
        self.nr += 1
        if self.nr >= self.max_requests and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
        if not self.alive or not self.cfg.keepalive:
            resp.force_close()

    def _watch(self, conn: Connection, seconds: float) -> None:
        conn.deadline = time.monotonic() + seconds
        self.waiting[conn] = None
        self.poller.register(conn.sock, 0, conn_callback(self, conn))

    def _unwatch(self, conn: Connection) -> None:
        del self.waiting[conn]
        if conn.lingering is None or conn.lingering >= 0:
            self.poller.unregister(conn.sock)

    def _drop(self, conn: Connection) -> None:
        self._unwatch(conn)
        self.nr_conns -= 1
        conn.close()

    def on_readable(self, conn: Connection) -> None:
        """Read what there is; it is considered after everything of this turn has been read."""
        try:
            data = conn.sock.recv(MAX_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data and END_OF_HEAD in conn.early and conn.lingering is None:
            self._hand_on(conn)  # the rest of a short body does not come; it is told so
            return
        if not data:
            self._drop(conn)
            return
        if conn.lingering is not None:
            self._take(conn, len(data))
            return
        if not conn.early:
            conn.deadline = min(conn.deadline, time.monotonic() + HEAD_WITHIN_S)
        conn.early += data
        self._heard.append(conn)

    def _consider(self, conn: Connection) -> None:
        head = conn.early
        key = self.memo.key(conn.origin, head) if self._stamp is not None else None
        if key is not None and self._stamp is UNREAD:
            self._stamp = self.memo.stamp()
        if key is not None and self._stamp is not None:
            found = self.memo.find(key, self._stamp)
            if found is not None:
                conn.early = b""
                self._send(conn, found)
                return
        if not is_ready(head) and head[:1].isalpha():
            return  # what begins otherwise is no HTTP: clients try TLS first, and are told at once
        if key is not None and self._stamp is not None:
            conn.taken = Taken(key, self._stamp)
        self._hand_on(conn)

    def _hand_on(self, conn: Connection) -> None:
        self._unwatch(conn)
        data, conn.early = conn.early, b""
        conn.init()
        conn.parser.unreader.unread(data)
        conn.data_ready = True
        self.enqueue_req(conn)

    def _send(self, conn: Connection, found: bytes) -> None:
        """An answer from memory; what the socket does not take at once goes out in a thread."""
        try:
            sent = conn.sock.send(found)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(conn)
            return
        self.nr += 1
        if sent == len(found):
            conn.deadline = time.monotonic() + self.cfg.keepalive
            return
        self._unwatch(conn)
        conn.init()
        rest = self.tpool.submit(send_rest, conn, found[sent:])
        rest.add_done_callback(
            lambda future: self.method_queue.defer(self.finish_request, conn, future)
        )


def to_take(conn: Connection) -> int:
    """How many bytes of a refused body to take: all if it is short, so that also clients that
    write to the end before they read get their answer."""
    body = getattr(getattr(conn.parser, "mesg", None), "body", None)
    left = getattr(getattr(body, "reader", None), "length", 0) or 0
    return left if LINGER_BYTES < left <= SHORT_BYTES else LINGER_BYTES


def is_ready(head: bytes) -> bool:
    """Whether a thread would not have to wait: the head is here, and a short body, too."""
    end = head.find(END_OF_HEAD)
    if end < 0:
        return len(head) >= LOOP_BYTES
    length = _LENGTH.search(head, 0, end + 2)
    if length is None or b"\r\nexpect:" in head[:end].lower():
        return True
    return int(length[1]) > SMALL_BYTES or len(head) - end - len(END_OF_HEAD) >= int(length[1])


def address_bytes(client: Any) -> bytes:
    """An address in 16 bytes or fewer; clients on a Unix socket are all one."""
    if not isinstance(client, tuple):
        return b""
    return socket.inet_pton(
        socket.AF_INET6 if ":" in client[0] else socket.AF_INET, client[0].partition("%")[0]
    )


def conn_callback(worker: RegistryWorker, conn: Connection) -> Any:
    """What the poller calls when there is something to read."""
    return lambda _: worker.on_readable(conn)


def send_rest(conn: Connection, data: bytes) -> bool:
    """In a thread: block until the client has taken everything."""
    try:
        conn.sock.setblocking(True)
        conn.sock.sendall(data)
    except OSError:
        conn.close()
        return False
    return True
