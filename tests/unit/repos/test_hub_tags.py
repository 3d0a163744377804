"""The tags of the design system: what they draw, what they escape."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.template import Context, Engine, TemplateSyntaxError
from django.test import override_settings
from django.utils import timezone

from repos.commands import pull_commands
from repos.templatetags import hub

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + "9f2c41bb0d5e" + "0" * 52
ENGINE = Engine(
    dirs=[ROOT / "templates"],
    libraries={"hub": "repos.templatetags.hub", "i18n": "django.templatetags.i18n"},
)
ENGINE.template_builtins.append(hub.register)


@pytest.fixture(autouse=True)
def plain_static() -> Iterator[None]:
    """Ask for no collected files: addresses of static files stay as written."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@dataclass
class Layer:
    digest: str
    size: int
    shared: bool = False


def render(source: str, **values: object) -> str:
    return ENGINE.from_string(source).render(Context(values))


def test_strip_of_objects_and_dicts_is_the_same() -> None:
    objects = [Layer("sha256:a", 700), Layer("sha256:b", 300)]
    dicts = [{"digest": "sha256:a", "size": 700}, {"digest": "sha256:b", "size": 300}]
    assert hub.layer_strip(objects) == hub.layer_strip(dicts)


def test_strip_describes_itself() -> None:
    layers = [Layer("sha256:a", 97_000_000, shared=True), Layer("sha256:b", 100_000_000)]
    svg = hub.layer_strip(layers, base="debian:12")
    assert 'aria-label="2 layers, 197 MB, 1 shared with debian:12"' in svg
    assert 'viewBox="0 0 1000 28"' in svg
    assert 'role="img"' in svg
    assert svg.count("<rect") == 2
    assert '<rect class="fb" x="0"' in svg
    assert 'aria-label="2 layers, 197 MB, 1 shared"' in hub.layer_strip(layers)


def test_strip_of_one_layer_and_of_none() -> None:
    assert 'aria-label="1 layer, 5 B"' in hub.layer_strip([Layer("sha256:a", 5)], size="lg")
    assert 'class="strip lg"' in hub.layer_strip([], size="lg")


def test_strip_of_very_many_layers_stays_inside() -> None:
    svg = hub.layer_strip([Layer(f"sha256:{n}", n) for n in range(1000)])
    parts = [(int(x), int(w)) for x, w in re.findall(r'x="(\d+)" width="(\d+)"', svg)]
    assert len(parts) == hub.STRIP_MAX
    assert sum(parts[-1]) == hub.STRIP_WIDTH
    assert 'aria-label="1000 layers' in svg


def test_strip_escapes() -> None:
    svg = hub.layer_strip([Layer("a", 1, shared=True)], base='"><script>')
    assert "<script>" not in svg


def test_key_has_the_colour_of_the_strip() -> None:
    layer = Layer("sha256:abc", 5)
    colour = re.search(r'class="(f\d)"', hub.layer_strip([layer]))
    assert colour is not None
    assert colour[0] in hub.layer_key(layer)


def test_mark_is_stable_and_differs() -> None:
    assert hub.repo_mark("team/api") == hub.repo_mark("team/api")
    assert hub.repo_mark("team/api") != hub.repo_mark("team/web")
    assert 'width="40"' in hub.repo_mark("team/api", 40)
    assert hub.repo_mark("x").count("<rect") == 6


def test_avatar() -> None:
    assert ">CB</text>" in hub.avatar("ci-bot")
    assert 'rx="9"' in hub.avatar("team", 24, "organization")


def test_icon_is_decorative_unless_labelled() -> None:
    assert 'aria-hidden="true"' in hub.icon("star")
    assert 'aria-label="Starred"' in hub.icon("star", "Starred")


def test_icons_used_exist_in_the_sprite() -> None:
    sprite = (ROOT / "static" / hub.SPRITE).read_text(encoding="utf-8")
    names = set(hub.KIND_ICONS.values())
    for path in (ROOT / "templates").rglob("*.html"):
        names |= set(re.findall(r'{% icon "([^"]+)"', path.read_text(encoding="utf-8")))
    missing = [name for name in names if f'<symbol id="{name}"' not in sprite]
    assert not missing


def test_chip() -> None:
    assert hub.chip("Failed", "bad").startswith('<span class="chip" data-kind="bad"><svg')
    assert hub.chip("amd64") == '<span class="chip">amd64</span>'
    assert "&lt;b&gt;" in hub.chip("<b>")
    assert "#lock" in hub.chip("Private", "", "lock")
    with pytest.raises(TemplateSyntaxError):
        hub.chip("x", "loud")


def test_digest() -> None:
    assert hub.digest(DIGEST) == f'<code class="digest" title="{DIGEST}">9f2c41bb0d5e</code>'
    assert f'data-copy="{DIGEST}"' in hub.digest(DIGEST, copy=True)


def test_ago() -> None:
    moment = timezone.now() - timedelta(hours=3, minutes=1)
    html = hub.ago(moment)
    assert html.startswith("<time datetime=")
    assert ">3 hours ago</time>" in html
    assert "UTC" in html
    assert hub.ago(None) == "never"
    assert "2020-01-02 03:04 UTC" in hub.ago(datetime(2020, 1, 2, 3, 4, tzinfo=UTC))


def test_filters_of_unknown_values() -> None:
    assert hub.human_bytes(None) == hub.compact_count(None) == "–"
    assert render("{{ n|human_bytes }} {{ n|compact_count }}", n=12_345) == "12 kB 12.3k"
    assert render("{{ d|short_digest }}", d=DIGEST) == "9f2c41bb0d5e"


@pytest.mark.parametrize("name", ["team/api", "a.b-c_d/e", "x+y", "org/[1]{2}(3)|^$*?\\"])
def test_literal_pattern_accepts_only_the_text(name: str) -> None:
    pattern = hub.literal_pattern(name)
    assert re.fullmatch(pattern, name)
    assert not re.fullmatch(pattern, name.replace("/", "x", 1) + "z")


def test_cmd_escapes_and_copies() -> None:
    html = render("{% cmd command %}", command='echo "<x>" | docker login')
    assert "echo &quot;&lt;x&gt;&quot; | docker login</code>" in html
    assert 'data-copy="echo &quot;&lt;x&gt;&quot; | docker login"' in html
    assert "data-prompt" not in render("{% cmd 'FROM x' prompt=False %}")


def test_command_bar_offers_every_client() -> None:
    html = render("{% command_bar reference %}", reference="hub.example.com/team/api:1")
    commands = pull_commands("hub.example.com/team/api:1", https=settings.HTTPS)
    for command in commands:
        assert f'value="{command.client}"' in html
        assert command.text in html
    assert html.count(" checked") == 1
    assert 'value="digest"' not in html
    styles = (ROOT / "static/css/components.css").read_text(encoding="utf-8")
    assert all(f'[data-client="{command.client}"]' in styles for command in commands)


def test_command_bar_switches_to_the_digest() -> None:
    source = "{% command_bar reference digest=digest %}"
    html = render(source, reference="hub:5000/team/api:1", digest=DIGEST)
    assert html.count('value="digest"') == 1
    assert 'data-by="digest" data-prompt><code tabindex="0" role="group" aria-label="docker">' in (
        html.replace("\n", "")
    )
    for command in pull_commands(f"hub:5000/team/api@{DIGEST}", https=settings.HTTPS):
        assert command.text in html


def test_notice_and_blank() -> None:
    assert 'role="alert"' in render('{% notice "bad" %}Failed{% endnotice %}')
    html = render('{% blank title="Nothing yet" %}<p>{{ x }}</p>{% endblank %}', x="<b>")
    assert "<h2>Nothing yet</h2><p>&lt;b&gt;</p>" in html


class SampleForm(forms.Form):
    name = forms.CharField(
        help_text="Shown in lists.", widget=forms.TextInput(attrs={"placeholder": "Name"})
    )
    note = forms.CharField(required=False)
    active = forms.BooleanField(required=False)
    events = forms.MultipleChoiceField(
        choices=[("push", "Push")], widget=forms.CheckboxSelectMultiple
    )


def test_fields_have_labels_help_and_errors() -> None:
    form = SampleForm({"name": ""})
    html = render("{% for f in form %}{% field f placeholder=False %}{% endfor %}", form=form)
    assert '<label for="id_name">Name</label>' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'class="field" data-state="error"' in html
    assert html.count("(optional)") == 1
    assert 'class="field check"' in html
    assert "<legend>Events</legend>" in html
    assert "placeholder" not in html


def test_templates_obey_the_content_security_policy() -> None:
    for path in (ROOT / "templates").rglob("*.html"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|javascript:|\shx-on|\son[a-z]+=", source), path.name
        for tag in re.findall(r"<script\b[^>]*>", source):
            assert " src=" in tag, path.name
