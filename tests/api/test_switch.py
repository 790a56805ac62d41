"""Taking a new snapshot into use: a good one at once, a broken one never, and the old one stays."""

import json
import shutil
from datetime import timedelta

import pytest

from serving.store import Snapshot
from serving.switch import RETRY, Published
from tests.api.handler import app_over, ask
from tests.api.running import A, publish
from tests.nights import Nights, S

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A home with two nights, the second published."""
    folder = tmp_path_factory.mktemp("switch")
    publish(folder)
    Nights(folder, count=1).publish(S + timedelta(days=1))
    return folder / "home"


@pytest.fixture
def home(two, tmp_path):
    """A copy to be damaged, with the first night's snapshot published."""
    copy = shutil.copytree(two, tmp_path / "home", symlinks=True)
    point(copy, first(copy))
    return copy


def first(home):
    return min((home / "snapshots").iterdir())


def second(home):
    return max((home / "snapshots").iterdir())


def point(home, folder):
    link = home / ".next"
    link.symlink_to(folder)
    link.replace(home / "current")


def test_the_first_one(home):
    published = Published(home)
    assert published.snapshot is None
    assert published.follow()
    assert published.snapshot.folder == first(home)
    assert not published.follow()


def test_another_one(home):
    published = Published(home)
    published.follow()
    old = published.snapshot
    point(home, second(home))
    assert published.follow()
    assert published.snapshot.folder == second(home)
    assert published.snapshot is not old


def test_the_old_one_still_answers_when_its_folder_is_gone(home):
    """Retention removes old snapshots; a request under way keeps to the one that it has."""
    published = Published(home)
    published.follow()
    old, expected = published.snapshot, Snapshot(first(home)).document("oversikt", A)
    point(home, second(home))
    published.follow()
    shutil.rmtree(first(home))
    assert old.document("oversikt", A) == expected
    assert published.snapshot.document("oversikt", A)


def test_back_to_an_earlier_one(home):
    published = Published(home)
    for folder in (first(home), second(home), first(home)):
        point(home, folder)
        assert published.follow()
        assert published.snapshot.folder == folder


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def rewrite(path, **changed):
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


DAMAGE = {
    "no folder": lambda folder: shutil.rmtree(folder),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "half a manifest": lambda folder: cut(folder / "manifest.json"),
    "a manifest without files": lambda folder: rewrite(folder / "manifest.json", files={}),
    "a manifest without its date": lambda folder: rewrite(folder / "manifest.json", snapshotdato=None),
    "a manifest with a moment that is none": lambda folder: rewrite(folder / "manifest.json", extracted_at="a\r\nb: c"),
    "a manifest with other files": lambda folder: rewrite(folder / "manifest.json", files={"a": {"bytes": "1"}}),
    "a manifest that is too deep": lambda folder: (folder / "manifest.json").write_text("[" * 100_000),
    "a manifest that is no text": lambda folder: (folder / "manifest.json").write_bytes(b"{\xff}"),
    "a manifest that is a list": lambda folder: (folder / "manifest.json").write_text("[]"),
    "no index": lambda folder: (folder / "documents" / "index.arrow").unlink(),
    "half an index": lambda folder: cut(folder / "documents" / "index.arrow"),
    "no segment": lambda folder: next((folder / "documents").glob("*.zst")).unlink(),
    "half a segment": lambda folder: cut(next((folder / "documents").glob("*.zst"))),
    "an empty segment": lambda folder: next((folder / "documents").glob("*.zst")).write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_broken_one_is_refused_and_the_old_one_stays(home, damage):
    app = app_over(home)
    published = app._published
    before = ask(app, f"/v1/finans/{A}/oversikt").body
    DAMAGE[damage](second(home)) if damage != "no folder" else None
    point(home, home / "snapshots" / "gone" if damage == "no folder" else second(home))
    assert not published.follow()
    assert ask(app, f"/v1/finans/{A}/oversikt").body == before
    ready = ask(app, "/health/ready")
    told = json.loads(ready.body)
    assert (ready.status, told["snapshot"]) == (200, first(home).name)
    assert told["refused"] == ("gone" if damage == "no folder" else second(home).name)


def test_a_refused_one_is_tried_again(home):
    """It may have been mended; not at every look, for opening takes its time."""
    published = Published(home)
    manifest = second(home) / "manifest.json"
    content = manifest.read_text()
    manifest.unlink()
    point(home, second(home))
    assert not published.follow()
    manifest.write_text(content)
    assert [published.follow() for _ in range(RETRY + 1)] == [False] * RETRY + [True]
    assert published.refused is None


def test_current_that_points_to_itself(home):
    published = Published(home)
    published.follow()
    point(home, home / "current")
    assert not published.follow()
    assert published.snapshot.folder == first(home)


def test_current_gone(home):
    published = Published(home)
    published.follow()
    (home / "current").unlink()
    assert not published.follow()
    assert published.snapshot.folder == first(home)
