"""How a receiver checks where a message comes from, to be copied."""

from __future__ import annotations

_PYTHON = '''\
import hashlib
import hmac

def is_genuine(body: bytes, header: str, secret: str) -> bool:
    """body: the request's bytes as they came; header: X-Hub-Signature-256."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"sha256={digest}", header)
'''
_GO = """\
import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// isGenuine takes the request's bytes as they came and the header X-Hub-Signature-256.
func isGenuine(body []byte, header, secret string) bool {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	want := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(header))
}
"""
_NODE = """\
import { createHmac, timingSafeEqual } from "node:crypto";

// body: a Buffer with the request's bytes as they came; header: X-Hub-Signature-256
export function isGenuine(body, header, secret) {
  const digest = createHmac("sha256", secret).update(body).digest("hex");
  const want = Buffer.from(`sha256=${digest}`);
  const have = Buffer.from(header ?? "");
  return want.length === have.length && timingSafeEqual(want, have);
}
"""
_SHELL = """\
# body.json: the request's bytes as they came; $header: X-Hub-Signature-256
digest=$(openssl dgst -sha256 -hmac "$HUB_SECRET" -r body.json | cut -d' ' -f1)
[ "sha256=$digest" = "$header" ] && echo genuine
"""
VERIFY = (("Python", _PYTHON), ("Go", _GO), ("Node", _NODE), ("Shell", _SHELL))
