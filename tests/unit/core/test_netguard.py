"""Which addresses are public, and what an operator's list opens."""

from __future__ import annotations

import pytest

from core.netguard import judge, networks

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::a9fe:a9fe",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "192.0.1.1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address):
    assert judge(address) == "refused"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert judge(address) == "public"


@pytest.mark.parametrize(
    ("address", "allow", "verdict"),
    [
        ("10.1.2.3", ["10.0.0.0/8"], "private"),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], "private"),
        ("64:ff9b::10.1.2.3", ["10.0.0.0/8"], "private"),
        ("fd12::1", ["fd12::/16"], "private"),
        ("fd12::1", ["10.0.0.0/8"], "refused"),
        ("8.8.8.8", ["0.0.0.0/0"], "public"),
        # A wide list opens neither loopback nor the places where clouds keep credentials.
        ("127.0.0.1", ["0.0.0.0/0", "::/0"], "refused"),
        ("::1", ["0.0.0.0/0", "::/0"], "refused"),
        ("::ffff:127.0.0.1", ["::/0"], "refused"),
        ("169.254.169.254", ["0.0.0.0/0"], "refused"),
        ("169.254.169.254", ["169.254.0.0/16"], "refused"),
        ("64:ff9b::a9fe:a9fe", ["64:ff9b::/96"], "refused"),
        ("100.100.100.200", ["100.64.0.0/10"], "refused"),
        ("168.63.129.16", ["168.0.0.0/8"], "refused"),
        ("fd00:ec2::254", ["fd00::/8"], "refused"),
        ("fe80::1", ["fe80::/10"], "refused"),
        ("127.0.0.1", ["127.0.0.1"], "private"),
        ("127.0.0.2", ["127.0.0.1"], "refused"),
        ("127.0.0.1", ["127.0.0.0/8"], "private"),
        ("::1", ["::1"], "private"),
        ("169.254.169.254", ["169.254.169.254"], "private"),
        # Nor by way of a tunnel or a translator.
        ("64:ff9b:1::a9fe:a9fe", ["::/0", "64:ff9b:1::/48"], "refused"),
        ("64:ff9b:1:a9fe:a9:fe00::", ["64:ff9b:1::/48"], "refused"),
        ("64:ff9b:1:a9:fe:a9fe::", ["64:ff9b:1::/48"], "refused"),
        ("64:ff9b:1:0:a9:fea9:fe00::", ["64:ff9b:1::/48"], "refused"),
        ("64:ff9b:1::7f00:1", ["::/0"], "refused"),
        ("64:ff9b:1::c0a8:101", ["64:ff9b:1::/48"], "private"),
        ("64:ff9b:1::c0a8:101", ["192.168.0.0/16"], "refused"),
        ("2001:0:a9fe:a9fe::1", ["::/0"], "refused"),
        ("2001:0:4136:e378:8000:63bf:5601:5601", ["::/0"], "refused"),
        ("2001:0:4136:e378:8000:63bf:f5ff:fffe", ["10.0.0.0/8"], "refused"),
        ("::ffff:0:169.254.169.254", ["::/0"], "refused"),
        ("::ffff:0:127.0.0.1", ["::/0"], "refused"),
        ("2002:a9fe:a9fe::1", ["::/0"], "refused"),
        ("64:ff9b:1::a9fe:a9fe", ["169.254.169.254"], "refused"),
        # No list opens what leads nowhere.
        ("0.0.0.0", ["0.0.0.0/32", "0.0.0.0/0"], "refused"),
        ("::", ["::/128", "::/0"], "refused"),
        ("224.0.0.1", ["224.0.0.1"], "refused"),
        ("ff02::1", ["ff02::1"], "refused"),
    ],
)
def test_what_an_operators_list_opens(address, allow, verdict):
    assert judge(address, networks(allow)) == verdict
