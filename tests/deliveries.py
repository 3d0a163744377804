"""Sending what webhooks are owed, in the thread of the test."""

from __future__ import annotations

from webhooks import claims, sending


def deliver(delivery_id: int) -> bool:
    """Make one try, if it may be made just now, as a worker's lane does; whether it was made."""
    lease = claims.claim(delivery_id)
    if lease is None:
        return False
    sending.use(lease)
    return True


def deliver_due() -> int:
    """Make the tries that are due, host by host in turn; how many."""
    done = 0
    hosts = claims.waiting_hosts()
    while hosts:
        left = []
        for host in hosts:
            found = claims.next_of(host)
            if found is not None and deliver(found):
                done += 1
                left.append(host)
        hosts = left
    return done
