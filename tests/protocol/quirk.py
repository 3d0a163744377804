"""One row of the table of client quirks."""

from __future__ import annotations

from dataclasses import dataclass

from tests.protocol.scene import Scene, Step, Story


@dataclass(frozen=True)
class Quirk:
    """What a client does that surprises registries; the number is that of reference 7.2.

    `given` is what was pushed before: `image` (private), `public` (the same, for everybody),
    `index`, or nothing.
    """

    number: int
    client: str
    steps: tuple[Step, ...] = ()
    story: Story | None = None
    given: str = ""

    def __str__(self) -> str:
        return f"Q{self.number} {self.client}"

    def play(self, scene: Scene) -> None:
        """Prepare what is given, then send the steps and tell the story."""
        if self.given:
            scene.push(scene.index if self.given == "index" else scene.image)
        if self.given == "public":
            scene.publish()
        if self.steps:
            scene.play(*self.steps)
        if self.story is not None:
            self.story(scene)
