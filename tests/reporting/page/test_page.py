import base64
import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.reporting import report
from tdmi.reporting.figures import gallery
from tdmi.reporting.page import page
from tdmi.reporting.report import make_report
from tests.support.browser import chromium, requested, resize
from tests.support.report_suite import METHODS, VIDEOS, references


class Page(HTMLParser):
    """Collects what the tests ask about: references, pictures, ids, tables and their cells."""

    def __init__(self, text: str):
        super().__init__()
        self.references, self.pictures, self.ids = [], [], []
        self.tables, self.tags, self.section = [], set(), None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.add(tag)
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            if name in values:
                self.references.append(values[name])
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "img":
            self.pictures.append(values)
        if tag == "section":
            self.section = values["id"]
        if tag == "table":
            self.tables.append({"section": self.section, "class": values["class"], "text": ""})

    def handle_data(self, data):
        if self.tables:
            self.tables[-1]["text"] += data + "|"


@pytest.fixture(scope="module")
def text(out):
    return (out / "index.html").read_text(encoding="utf-8")


def test_a_second_report_is_the_same_to_the_byte(suite, out, published, tmp_path):
    again = tmp_path / "again"
    make_report(suite.spec, suite.folder / "runs", again, published)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert [f for f in files if (out / f).read_bytes() != (again / f).read_bytes()] == []


def test_the_page_asks_for_nothing_outside_itself(text):
    parsed = Page(text)
    assert [r for r in parsed.references if not r.startswith(("data:", "#"))] == []
    assert parsed.tags.isdisjoint({"link", "iframe", "object", "embed"})
    style = text.split("<style>")[1].split("</style>")[0]
    assert "@import" not in style
    assert "url(" not in style
    script = text.split("<script>")[1].split("</script>")[0]
    assert not any(word in script for word in ("fetch", "XMLHttp", "import(", "http"))


def test_links_lead_to_ids_that_stand_on_the_page_once(text):
    parsed = Page(text)
    assert len(parsed.ids) == len(set(parsed.ids))
    inner = {r[1:] for r in parsed.references if r.startswith("#")}
    assert inner <= set(parsed.ids)


def test_every_measured_number_leads_to_the_provenance_of_its_runs(suite, out, text):
    parsed = Page(text)
    targets = {r[1:] for r in parsed.references if r.startswith("#runs-")}
    run = {m.name for m in METHODS} - {"flow_fusion"}
    video = {f"runs-made_up_video-{name}" for name in ("single_frame", "tdmi")}
    assert targets == {f"runs-made_up-{name}" for name in run} | video
    block = text.split('id="runs-made_up-dcpose"')[1].split("</div><div id=")[0]
    assert "made_up/dcpose/seed1" in block and "made_up/dcpose/seed3" not in block
    files = [path for path in (out / "tables").glob("*.csv") if path.stem != "runs"]
    for path in files:
        for row in csv.DictReader(path.open()):
            found = [suite.folder / "runs" / name for name in row["runs"].split()]
            assert all((run / "provenance.json").exists() for run in found)
            assert bool(found) == (row["method"] != "flow_fusion")
    rows = list(csv.DictReader((out / "tables" / "runs.csv").open()))
    assert all(row["run"] == f"made_up/{row['method']}/seed{row['seed']}" for row in rows)


def test_every_picture_decodes_and_has_a_text_instead(text):
    pictures = Page(text).pictures
    assert len(pictures) == 1 + 8 + 1 + 4 + 1
    for picture in pictures:
        data = base64.b64decode(picture["src"].split("base64,")[1], validate=True)
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert len(picture["alt"]) > 20
    assert text.count('<svg role="img" aria-label="') == text.count("<svg") == 9


@pytest.fixture(scope="module")
def browser(out, tmp_path_factory):
    """The page opened in a real browser that has no network."""
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        resize(opened, 1280, 900, mobile=False)
        opened.get((out / "index.html").as_uri())
        yield opened


def test_a_browser_logs_nothing_and_asks_for_nothing_outside(out, browser):
    assert browser.get_log("browser") == []
    # What a browser's own first tab asks for begins with `chrome`.
    asked = [url for url in requested(browser) if not url.startswith(("data:", "chrome"))]
    assert asked == [(out / "index.html").as_uri()]


def test_moving_pictures_are_folded_away_for_those_who_ask_for_little_motion(text, browser):
    assert text.count("<details open>") == 2
    assert browser.find_elements("css selector", "details[open]") == []


def test_every_image_loads_in_a_browser(browser):
    widths = browser.execute_async_script(
        "const done = arguments[0], images = [...document.images];"
        "Promise.allSettled(images.map((image) => image.decode()))"
        ".then(() => done(images.map((image) => image.naturalWidth)));"
    )
    assert len(widths) == 1 + 8 + 1 + 4 + 1
    assert min(widths) > 100


def test_a_heading_sorts_its_table_down_then_up_and_blanks_stay_last(browser):
    table = browser.find_element("css selector", "#accuracy table.sortable")
    heads = table.find_elements("css selector", "thead th")
    texts = [head.text for head in heads]

    def values(column: int) -> list[str]:
        cells = table.find_elements("css selector", f"tbody tr > :nth-child({column + 1})")
        return [cell.get_attribute("data-value") for cell in cells]

    column = texts.index("Mean")
    before = values(column)
    numbers = sorted(float(value) for value in before if value)
    assert len(numbers) == len(METHODS) - 1 and before != sorted(before)
    for order, expected in (("descending", numbers[::-1]), ("ascending", numbers)):
        heads[column].find_element("tag name", "button").click()
        assert heads[column].get_attribute("aria-sort") == order
        assert [float(value) for value in values(column)[:-1]] == expected
        assert values(column)[-1] == ""  # not run
    heads[0].find_element("tag name", "button").click()
    assert values(0) == sorted(values(0), key=str.casefold)
    assert heads[column].get_attribute("aria-sort") is None


@pytest.mark.parametrize(("width", "height"), [(390, 844), (320, 568)])
def test_on_a_phone_only_boxes_scroll_sideways(browser, width, height):
    resize(browser, width, height, mobile=True)
    for folded in browser.find_elements("css selector", "details"):
        browser.execute_script("arguments[0].open = true", folded)
    page_width, inner = browser.execute_script(
        "const box = document.querySelector('.scroll');"
        "return [document.documentElement.scrollWidth, box.clientWidth]"
    )
    assert page_width == width
    assert 0.8 * width < inner <= width
    wide = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].filter("
        "(box) => box.scrollWidth > box.clientWidth).length"
    )
    assert wide > 0  # what is too wide has a box of its own


def test_on_paper_nothing_is_wider_than_the_sheet(browser):
    resize(browser, 718, 1000, mobile=False)  # A4 less its margins, in pixels
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert not browser.find_elements("css selector", "details:not([open])")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 718
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_the_table_of_videos_has_a_row_for_each(text):
    tables = [table["text"] for table in Page(text).tables if table["section"] == "data"]
    assert len(tables) == 2
    for table in tables:
        assert table.startswith("|".join(["Video", *(method.label for method in METHODS)]))
        assert [name for name in VIDEOS if f"|{name}|" in table] == VIDEOS


def test_figures_are_saved_as_svg_png_and_numbers(out):
    drawings = sorted(path.stem for path in (out / "figures").glob("*.svg"))
    assert len(drawings) == 9
    for name in drawings:
        root = ElementTree.parse(out / "figures" / f"{name}.svg").getroot()
        assert root.tag.endswith("svg")
        assert b"<dc:date>" not in (out / "figures" / f"{name}.svg").read_bytes()
        assert cv2.imread(str(out / "figures" / f"{name}.png")) is not None
        rows = list(csv.reader(io.StringIO((out / "figures" / f"{name}.csv").read_text())))
        assert len(rows) > 1


def test_published_numbers_stand_in_tables_of_their_own(out, published, text):
    for table in Page(text).tables:
        assert (table["class"] == "published") == (table["section"] == "published")
    for path in (out / "tables").glob("*.csv"):
        assert "published" not in path.read_text()
    with published.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"85.7", "85.9"} <= {row["published_mean"] for row in rows if "TDMI" in row["method"]}
    assert not any(column.endswith("_mean") and "published" not in column for column in rows[0])
    assert all(row["source"] or row["confidence"] for row in rows)


def test_missing_runs_are_named_and_counted(text):
    methods = len(METHODS)
    planned = sum(len(method.seeds) for method in METHODS)
    assert f"<b>{planned - 4} of {planned}</b>runs" in text
    comparison = [t for t in Page(text).tables if t["section"] == "accuracy"]
    # The last one is the oracle's, of the methods that it compares.
    assert len(comparison) == 5
    comparison.pop()
    assert all(t["text"].count("not run") == 1 and "2 of 3" in t["text"] for t in comparison)
    assert methods == 6


def test_metrics_for_comparing_revisions_hold_the_means(out):
    content = json.loads((out / "metrics.json").read_text())
    rows = list(csv.DictReader((out / "tables" / "comparison_detected_boxes.csv").open()))
    for row in rows:
        if row["mean_ap_mean"]:
            measured = content["detected_boxes"][row["method"]]
            assert measured == pytest.approx(float(row["mean_ap_mean"]), abs=1e-3)
    assert "flow_fusion" not in content["detected_boxes"]


def test_provenance_separates_what_all_runs_share():
    common, rest = page.shared({"a": {"x": 1, "seed": 1}, "b": {"x": 1, "seed": 2, "y": 3}})
    assert common == {"x": 1}
    assert rest == {"a": {"seed": 1}, "b": {"seed": 2, "y": 3}}


def test_an_interrupted_report_leaves_the_former_one(suite, out, published, monkeypatch):
    before = (out / "index.html").read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(gallery, "real_video_gallery", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_report(suite.spec, suite.folder / "runs", out, published)
    assert (out / "index.html").read_bytes() == before
    hidden = [path for path in out.parent.iterdir() if path.name.startswith(".")]
    assert all(path.suffix == ".lock" for path in hidden)


def test_what_was_written_by_hand_about_the_results_stays(suite, published, monkeypatch, tmp_path):
    out = tmp_path / "read"
    monkeypatch.setattr(
        report, "build", lambda *arguments: (arguments[2] / "tables").mkdir(parents=True)
    )
    make_report(suite.spec, suite.folder / "runs", out, published)
    (out / "README.md").write_text("What the tables say.", encoding="utf-8")
    (out / "tables" / "old.csv").write_text("a\n1\n")
    make_report(suite.spec, suite.folder / "runs", out, published)
    assert (out / "README.md").read_text(encoding="utf-8") == "What the tables say."
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "tables"]
    assert not (out / "tables" / "old.csv").exists()


def test_a_folder_with_other_things_is_not_overwritten(suite, published, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.txt"):
        make_report(suite.spec, suite.folder / "runs", tmp_path, published)
    assert (tmp_path / "thesis.txt").exists()


def test_without_any_run_the_page_still_says_so(suite, published, tmp_path):
    spec = replace(suite.spec, methods=METHODS[:5], box_protocols=("detected_boxes",))
    make_report(spec, tmp_path / "no_runs", tmp_path / "out", published)
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "has not been run on detected boxes; no answer yet." in text
    assert {"answer", "accuracy", "training", "provenance"} <= set(Page(text).ids)


def test_texts_of_a_suite_are_escaped(suite, published, tmp_path):
    strange = replace(METHODS[0], label="Single <b>frame</b> & co", seeds=(1,))
    spec = replace(
        suite.spec, title="A <script> & more", methods=(strange,), references=(), subject=None,
        real_video=None, choices={"<i>": "<u>"},
    )  # fmt: skip
    spec = replace(spec, references=references((strange,), single_frame=strange.name))
    make_report(spec, suite.folder / "runs", tmp_path / "out", published)
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    for escaped in ("A &lt;script&gt; &amp; more", "Single &lt;b&gt;frame&lt;/b&gt; &amp; co"):
        assert escaped in text
    assert not {"i", "u"} & Page(text).tags
