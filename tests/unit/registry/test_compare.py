"""Two images: every layer is in the result once, and applying the changes leads to the other."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.compare import compare, compare_configs, compare_layers
from registry.converters import PairConverter
from registry.secrets import secret_names
from registry.selectors import get_manifest_row
from tests.images import artifact, image
from tests.unit.registry.pushing import push

LAYERS = st.lists(st.sampled_from("abcdef"), max_size=7)


def sized(names):
    return [(name, ord(name)) for name in names]


@given(before=LAYERS, after=LAYERS)
def test_layers_are_those_of_both_images(before, after):
    found = compare_layers(sized(before), sized(after))
    assert [x.digest for x in found if x.state != "removed"] == after
    kept = Counter(x.digest for x in found if x.state == "same")
    gone = Counter(x.digest for x in found if x.state == "removed")
    assert kept == Counter(before) & Counter(after)
    assert kept + gone == Counter(before)
    assert all(x.size == ord(x.digest) for x in found)
    assert all(x.shared == (x.state == "same") for x in found)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("ab", "ac", "=a -b +c"),
        ("ab", "ab", "=a =b"),
        ("", "a", "+a"),
        ("a", "", "-a"),
        ("ab", "ba", "=b =a"),
        ("aa", "a", "=a -a"),
        ("abc", "abd", "=a =b -c +d"),
    ],
)
def test_what_went_stands_where_it_was(before, after, expected):
    signs = {"same": "=", "added": "+", "removed": "-"}
    found = compare_layers(sized(before), sized(after))
    assert " ".join(f"{signs[x.state]}{x.digest}" for x in found) == expected


def test_configurations_differ_by_name():
    before = {
        "env": ["A=1", "B=2", "C="],
        "labels": {"x": "1"},
        "cmd": ["sh", "-c", "a b"],
        "user": "root",
        "healthcheck": {"test": ["CMD", "true"]},
    }
    after = {"env": ["A=1", "B=3", "D=4"], "labels": {"x": "1"}, "cmd": ["sh"], "user": "root"}
    found = {
        section.key: [(c.state, c.name, c.before, c.after) for c in section.changes]
        for section in compare_configs(before, after)
    }
    assert found == {
        "run": [
            ("changed", "command", "sh -c 'a b'", "sh"),
            ("removed", "healthcheck", "CMD true", ""),
        ],
        "env": [
            ("changed", "B", "2", "3"),
            ("removed", "C", "", ""),
            ("added", "D", "", "4"),
        ],
    }
    assert compare_configs({}, {}) == []
    assert compare_configs(before, before) == []


@pytest.mark.django_db
def test_images_as_they_are_stored(repository):
    push(repository, image("a", labels={"v": "1"}), "1")
    push(repository, image("b", labels={"v": "2"}, layers=3), "2")
    push(repository, artifact(), "3")
    rows = {
        tag.name: get_manifest_row(repository, tag.manifest.digest)
        for tag in repository.tags.select_related("manifest")
    }
    found = compare(rows["1"], rows["2"])
    assert found.counts == {"same": 0, "added": 3, "removed": 2}
    assert found.growth == found.size_after - found.size_before > 0
    assert [(s.key, len(s.changes)) for s in found.sections] == [("labels", 1)]
    assert not found.is_same
    assert compare(rows["1"], rows["1"]).is_same
    assert compare(rows["1"], rows["3"]).counts == {"same": 0, "added": 1, "removed": 2}


DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("1.0...2.0", ("1.0", "2.0")),
        ("a....b", ("a.", "b")),
        ("1...2...3", ("1...2", "3")),
        (f"{DIGEST}...2.0", (DIGEST, "2.0")),
        (f"1...{DIGEST}", ("1", DIGEST)),
        ("a...", None),
        ("...a", None),
        ("a..b", None),
        ("a...sha256:12", None),
        ("a...-b", None),
    ],
)
def test_two_names_in_one_address(text, pair):
    if pair is None:
        with pytest.raises(ValueError, match=re.escape(text)):
            PairConverter().to_python(text)
    else:
        assert PairConverter().to_python(text) == pair
        assert PairConverter().to_python(PairConverter().to_url(pair)) == pair


@pytest.mark.parametrize(
    ("entry", "is_secret"),
    [
        ("DB_PASSWORD=hunter2", True),
        ("password=x1", True),
        ("AWS_SECRET_ACCESS_KEY=abc", True),
        ("GITHUB_TOKEN=ghp_1", True),
        ("API_KEY=1234", True),
        ("APIKEY=1234", True),
        ("DB_PASSWORD=", False),
        ("DB_PASSWORD", False),
        ("DB_PASSWORD_FILE=/run/secrets/x", False),
        ("SECRET=/run/secrets/x", False),
        ("TOKEN_URL=https://x", False),
        ("PASSENGER=x", False),
        ("KEYBOARD=us", False),
        ("GPG_KEY=A035C8C19219BA821ECEA86B64E628F8D684696D", False),
        ("PATH=/bin", False),
        ("USE_TOKEN=true", False),
        ("", False),
    ],
)
def test_names_that_look_like_secrets(entry, is_secret):
    assert bool(secret_names([entry])) is is_secret
