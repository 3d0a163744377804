"""Requests that one reader may take for one and another for two. Each hides a request in itself."""

from __future__ import annotations

HIDDEN = b"GET /token/keys HTTP/1.1\r\nHost: hidden\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LAST = b"0\r\n\r\n"


class Corpus:
    """Heads to `target`, with `credential` lines in each; HOST stands for the hub's."""

    def __init__(self, target: bytes, credential: bytes = b"") -> None:
        self.target = target
        self.credential = credential
        self.post = b"POST " + target + b" HTTP/1.1\r\n"
        self.get = b"GET " + target + b" HTTP/1.1\r\n"

    def all(self) -> dict[str, bytes]:
        """By name; each must end in one answer at most."""
        return {
            **self.lengths_and_encodings(),
            **self.encodings(),
            **self.lengths(),
            **self.doubled(),
            **self.lines(),
            **self.first_lines(),
            **self.chunks(),
            **self.covered(),
            **self.promises(),
        }

    def make(self, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
        head = line + b"Host: HOST\r\n" + self.credential + b"".join(headers)
        return head + b"\r\n" + body

    def lengths_and_encodings(self) -> dict[str, bytes]:
        """Two ways to say where the body ends."""
        return {
            f"length and encoding {n}": self.make(self.post, *headers, body=LAST + HIDDEN)
            for n, headers in enumerate((
                (b"Content-Length: 5\r\n", CHUNKED),
                (CHUNKED, b"Content-Length: 5\r\n"),
                (b"content-length: 5\r\n", b"TRANSFER-ENCODING: chunked\r\n"),
                (b"Content-Length: 0\r\n", CHUNKED),
                (b"Content-Length: 5\r\n", b"Transfer-Encoding: identity\r\n"),
            ))
        }  # fmt: skip

    def encodings(self) -> dict[str, bytes]:
        """Encodings that are none, or not the only one."""
        return {
            f"encoding {text!r}": self.make(self.post, b"Transfer-Encoding: " + text + b"\r\n", body=LAST + HIDDEN)
            for text in (
                b"xchunked", b"chunked, identity", b"identity, chunked", b"chunked\x0b",
                b"chunked;q=1", b"gzip, chunked", b"chunked, chunked", b"'chunked'", b"identity", b"",
                b"\x00chunked", b"chunke\xc4\x91", b"gzip", b"chunked,", b",chunked",
            )
        }  # fmt: skip

    def lengths(self) -> dict[str, bytes]:
        """Lengths that are no number, or not one."""
        return {
            f"length {text!r}": self.make(self.post, b"Content-Length: " + text + b"\r\n", body=HIDDEN)
            for text in (
                b"+5", b"-1", b"0x5", b"5.0", b"1e1", b"5, 5", b"5,6", b"\xd9\xa5", b"5 5", b"", b"5_0",
                b"9" * 400, b"18446744073709551621", b"\x005", b"five",
            )
        }  # fmt: skip

    def doubled(self) -> dict[str, bytes]:
        """Headers that come twice."""
        length = len(HIDDEN)
        return {
            "two lengths alike": self.make(self.post, *[b"Content-Length: 5\r\n"] * 2, body=HIDDEN),
            "two lengths": self.make(
                self.post, b"Content-Length: 0\r\n", b"Content-Length: %d\r\n" % length, body=HIDDEN
            ),
            "two encodings": self.make(self.post, CHUNKED, CHUNKED, body=LAST + HIDDEN),
            "two other encodings": self.make(
                self.post, CHUNKED, b"Transfer-Encoding: identity\r\n", body=LAST + HIDDEN
            ),
            "two hosts": self.make(self.get, b"Host: other\r\n"),
            "two hosts alike": self.make(self.get, b"Host: HOST\r\n"),
        }

    def lines(self) -> dict[str, bytes]:
        """Lines that end, begin or part elsewhere."""
        length = len(HIDDEN)
        return {
            "bare LF everywhere": self.make(self.get).replace(b"\r\n", b"\n") + HIDDEN,
            "bare LF at the end": self.make(self.get)[:-2] + b"\n" + HIDDEN,
            "bare LF in a header": self.make(self.get, b"X: y\nContent-Length: 5\r\n") + HIDDEN,
            "bare CR in a header": self.make(self.get, b"X: y\rContent-Length: 5\r\n") + HIDDEN,
            "folded": self.make(self.get, b"X: y\r\n Content-Length: %d\r\n" % length, body=HIDDEN),
            "folded by tab": self.make(self.get, b"X: y\r\n\tz\r\n", body=HIDDEN),
            "folded encoding": self.make(
                self.post, b"Transfer-Encoding:\r\n chunked\r\n", body=LAST + HIDDEN
            ),
            "space before the colon": self.make(
                self.post, b"Content-Length : %d\r\n" % length, body=HIDDEN
            ),
            "space before the name": self.get + b" Host: HOST\r\n\r\n" + HIDDEN,
            "no colon": self.make(self.get, b"Content-Length 5\r\n", body=HIDDEN),
            "no name": self.make(self.get, b": 5\r\n", body=HIDDEN),
            "NUL in a name": self.make(self.get, b"Content-\0Length: 5\r\n", body=HIDDEN),
            "NUL in a value": self.make(self.get, b"X: \0\r\n", body=HIDDEN),
            "underscores": self.make(self.post, b"Content_Length: %d\r\n" % length, body=HIDDEN)[
                :-length
            ],
            "empty line first": b"\r\n" + self.make(self.get),
            "encoding in 1.0": self.make(
                self.post.replace(b"1.1", b"1.0"), CHUNKED, body=LAST + HIDDEN
            ),
        }

    def first_lines(self) -> dict[str, bytes]:
        """First lines that are none."""
        return {
            "two spaces": self.make(self.get.replace(b" HTTP", b"  HTTP")) + HIDDEN,
            "a tab": self.make(self.get.replace(b" HTTP", b"\tHTTP")) + HIDDEN,
            "four words": self.make(self.get.replace(b"HTTP/1.1", b"HTTP/1.1 x")) + HIDDEN,
            "version 2": self.make(self.get.replace(b"1.1", b"2.0")) + HIDDEN,
            "version 9": self.make(self.get.replace(b"1.1", b"9")) + HIDDEN,
            "no version": self.get.replace(b" HTTP/1.1", b"") + HIDDEN,
            "preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
            "control in the target": self.make(self.get.replace(b" HTTP", b"\x01 HTTP")) + HIDDEN,
            "method of signs": self.make(self.get.replace(b"GET", b"G(T")) + HIDDEN,
            "very long": b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\n\r\n" + HIDDEN,
        }

    def chunks(self) -> dict[str, bytes]:
        """Chunks of odd sizes and endings."""
        return {
            f"chunk {body[:24]!r}": self.make(self.post, CHUNKED, body=body)
            for body in (
                b"0x5\r\nhello\r\n" + LAST + HIDDEN,
                b"+5\r\nhello\r\n" + LAST + HIDDEN,
                b"-5\r\nhello\r\n" + LAST + HIDDEN,
                b"5_0\r\nhello\r\n" + LAST + HIDDEN,
                b" 5\r\nhello\r\n" + LAST + HIDDEN,
                b"5\nhello\r\n" + LAST + HIDDEN,
                b"5;x\nhello\r\n" + LAST + HIDDEN,
                b"5;a\r\nhello\n0\n\n" + HIDDEN,
                b"5\r\nhelloXX" + LAST + HIDDEN,
                b"5\r\nhello" + LAST + HIDDEN,
                b"ffffffffffffffffff\r\nhello\r\n" + LAST + HIDDEN,
                b"\r\n\r\n" + HIDDEN,
                b"x\r\n" + HIDDEN,
                b"0\r\nContent-Length: 5\r\n\r\n",
                b"0\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n" + HIDDEN,
                b"0\n\n" + HIDDEN,
            )
        }

    def covered(self) -> dict[str, bytes]:
        """A body behind a method, or a promise, that has none."""
        length = len(HIDDEN)
        return {
            f"{method} with a body": self.make(
                method.encode() + b" " + self.target + b" HTTP/1.1\r\n",
                b"Content-Length: %d\r\n" % length,
                body=HIDDEN,
            )
            for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PUT", "X-ODD")
        }

    def promises(self) -> dict[str, bytes]:
        """Connections that are to become something else."""
        length = len(HIDDEN)
        return {
            "upgrade to h2c": self.make(self.get, b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                                   b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
            "upgrade to websocket": self.make(self.get, b"Upgrade: websocket\r\nConnection: Upgrade\r\n"),
            "other expectation": self.make(
                self.post, b"Expect: x\r\nContent-Length: %d\r\n" % length, body=HIDDEN
            ),
        }  # fmt: skip


# Where a reader in front and we could differ, a refusal is the only answer.
REFUSED = (
    *("length and encoding 0", "length and encoding 1", "length and encoding 2"),
    *("length and encoding 3", "two lengths", "two hosts", "two encodings", "folded"),
    *("folded by tab", "folded encoding", "space before the colon", "space before the name"),
    *("no colon", "no name", "NUL in a name", "NUL in a value", "two spaces", "four words"),
    *("length b'+5'", "length b'-1'", "length b'5, 5'", "length b'0x5'", "bare CR in a header"),
    *("encoding b'xchunked'", "encoding b'chunked, identity'", "encoding b'chunked, chunked'"),
    *("encoding in 1.0", "bare LF in a header", "version 9", "method of signs"),
)
