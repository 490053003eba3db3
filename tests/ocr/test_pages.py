"""Pages in ALTO and PAGE: what is read from them, where their images are found, and hostile files."""

from pathlib import Path

import pytest

from ctckit.errors import DataError, MissingFileError
from ctckit.ocr.data.lines import load_lines
from ctckit.ocr.data.pages.files import find_image, load_page, read_pages
from tests.support.line_files import write_lines
from tests.support.page_files import ALTO, PAGE, alto, draw_page, page_xml, write_page

HTR = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "htr" / "pages"


def read(tmp_path, content):
    path = tmp_path / "x.xml"
    path.write_text(content, encoding="utf-8")
    return read_pages(path)


def texts(pages):
    return [line.text for page in pages for line in page.lines]


def layout(inner, *, order=""):
    return ALTO.format(f'{order}<Layout><Page WIDTH="100" HEIGHT="50">{inner}</Page></Layout>')


def page(inner, *, order=""):
    return PAGE.format(f'<Page imageFilename="x.png" imageWidth="100" imageHeight="50">{order}{inner}</Page>')


def line(name, text):
    return f'<TextLine id="{name}"><TextEquiv><Unicode>{text}</Unicode></TextEquiv></TextLine>'


# --- what is read


@pytest.mark.parametrize("write", [alto, page_xml])
def test_a_page_has_its_lines_with_texts_outlines_and_baselines(tmp_path, write):
    image, drawn = draw_page()
    (found,) = read(tmp_path, write(drawn, size=image.size))
    assert (found.image, found.width, found.height) == ("page.png", 420, 300)
    assert [each.name for each in found.lines] == ["l0", "l1", "l2"]
    assert [(each.text, each.baseline, each.outline) for each in found.lines] == [
        (each.text, each.baseline, each.outline) for each in drawn
    ]


@pytest.mark.parametrize(
    "namespace",
    [
        "",
        ' xmlns="http://schema.ccs-gmbh.com/ALTO"',
        ' xmlns="http://www.loc.gov/standards/alto/ns-v2#"',
        ' xmlns="http://www.loc.gov/standards/alto/ns-v3#"',
    ],
)
def test_all_versions_of_alto(tmp_path, namespace):
    content = layout(
        '<PrintSpace><TextBlock><TextLine HPOS="10" VPOS="5" WIDTH="60" HEIGHT="20" BASELINE="21">'
        '<String CONTENT="to"/><SP/><String CONTENT="be"/><HYP CONTENT="-"/></TextLine></TextBlock></PrintSpace>'
    )
    (found,) = read(tmp_path, content.replace(' xmlns="http://www.loc.gov/standards/alto/ns-v4#"', namespace))
    (only,) = found.lines
    assert only.text == "to be-"
    assert only.outline == ((10, 5), (70, 5), (70, 25), (10, 25))
    assert only.baseline == ((10, 21), (70, 21))


def test_the_reading_order_of_alto(tmp_path):
    blocks = "".join(
        f'<TextBlock ID="{name}"><TextLine><String CONTENT="{name}"/></TextLine></TextBlock>'
        for name in ("a", "b", "c")
    )
    order = '<ReadingOrder><OrderedGroup><ElementRef REF="c"/><ElementRef REF="a"/></OrderedGroup></ReadingOrder>'
    assert texts(read(tmp_path, layout(f"<PrintSpace>{blocks}</PrintSpace>"))) == ["a", "b", "c"]
    assert texts(read(tmp_path, layout(f"<PrintSpace>{blocks}</PrintSpace>", order=order))) == ["c", "a", "b"]


def test_the_reading_order_of_page(tmp_path):
    regions = "".join(f'<TextRegion id="{name}">{line(name + "0", name)}</TextRegion>' for name in "abcde")
    order = (
        '<ReadingOrder><OrderedGroup id="g"><RegionRefIndexed index="10" regionRef="a"/>'
        '<RegionRefIndexed index="2" regionRef="c"/><UnorderedGroupIndexed index="5" regionRef="e">'
        '<RegionRef regionRef="b"/></UnorderedGroupIndexed></OrderedGroup></ReadingOrder>'
    )
    assert texts(read(tmp_path, page(regions, order=order))) == ["c", "e", "b", "a", "d"]


def test_the_text_of_the_lowest_index_is_taken(tmp_path):
    both = (
        '<TextRegion id="r"><TextLine id="l"><Word id="w"><TextEquiv><Unicode>wrong</Unicode></TextEquiv></Word>'
        '<TextEquiv index="2"><Unicode>second</Unicode></TextEquiv>'
        '<TextEquiv index="1" conf="0.3"><Unicode>first</Unicode></TextEquiv></TextLine></TextRegion>'
    )
    assert texts(read(tmp_path, page(both))) == ["first"]


def test_the_words_are_the_text_where_the_line_has_none(tmp_path):
    words = "".join(f'<Word id="{n}"><TextEquiv><Unicode>{n}</Unicode></TextEquiv></Word>' for n in ("to", "be"))
    lines = f'<TextRegion id="r"><TextLine id="l">{words}</TextLine><TextLine id="m"/></TextRegion>'
    assert texts(read(tmp_path, page(lines))) == ["to be", None]


def test_a_region_in_a_region_comes_at_its_own_place(tmp_path):
    inner = f'<TextRegion id="i">{line("i0", "inner")}</TextRegion>'
    outer = f'<TextRegion id="o">{line("o0", "outer")}{inner}</TextRegion>'
    after = f'<TextRegion id="p">{line("p0", "last")}</TextRegion>'
    assert texts(read(tmp_path, page(outer + after))) == ["outer", "inner", "last"]


def test_coordinates_in_other_units_are_scaled_to_the_image(tmp_path):
    expected = load_lines(write_page(tmp_path)).lines
    halved = [
        type(line)(line.text, *(tuple((x / 2, y / 2) for x, y in each) for each in (line.baseline, line.outline)))
        for line in draw_page()[1]
    ]
    (tmp_path / "page.xml").write_text(alto(halved, size=(210, 150)))
    found = load_lines(tmp_path / "page.xml").lines
    assert all((one.image == other.image).all() for one, other in zip(found, expected, strict=True))


def test_the_older_points_of_page(tmp_path):
    old = (
        '<TextRegion id="r"><TextLine id="l"><Coords><Point x="1" y="2"/><Point x="9" y="2"/><Point x="9" y="5"/>'
        "</Coords>"
        "<TextEquiv><PlainText>old</PlainText></TextEquiv></TextLine></TextRegion>"
    )
    (found,) = read(tmp_path, page(old))
    assert (found.lines[0].outline, found.lines[0].text) == (((1, 2), (9, 2), (9, 5)), "old")


# --- data sets


def test_a_folder_of_pages_and_of_lines(tmp_path):
    write_page(tmp_path / "book", name="one")
    write_page(tmp_path / "book", page_xml, name="two", texts=("2",))
    write_lines(tmp_path / "lines", ["ab"])
    (tmp_path / "mets.xml").write_text("<mets/>")
    found = load_lines(tmp_path)
    assert [each.text for each in found.lines] == ["ab", "first line", "second", "the third one", "2"]
    assert found.skipped == ()
    assert found.lines[1].name.endswith("one.xml, l0")


def test_what_cannot_be_used_is_left_out_with_its_reason(tmp_path):
    write_page(tmp_path, name="good")
    write_page(tmp_path, name="lost").with_suffix(".png").unlink()
    (tmp_path / "broken.xml").write_text("<alto><Layout>")
    empty = write_page(tmp_path, name="empty")
    empty.write_text(alto([], size=(420, 300), image="empty.png"))
    other = write_page(tmp_path, name="other", texts=("a",))
    other.write_text(other.read_text().replace('HEIGHT="300"', 'HEIGHT="900"'))
    silent = write_page(tmp_path, name="silent", texts=("", "", ""))
    some = write_page(tmp_path, name="some", texts=("first line", ""))
    found = load_lines(tmp_path)
    assert [each.text for each in found.lines] == ["first line", "second", "the third one", "first line"]
    assert sorted((Path(each.name.split(",")[0]).name, each.reason) for each in found.skipped) == [
        ("broken.xml", "the page cannot be read"),
        ("empty.xml", "the page has no lines"),
        ("lost.xml", "the image of the page is missing"),
        ("other.xml", "the image cannot be read"),
        (silent.name, "the page has no text"),
        (some.name, "the text is empty"),
    ]


def test_a_line_without_coordinates_is_left_out(tmp_path):
    path = write_page(tmp_path, texts=("a", "b"))
    content = path.read_text()
    start = content.index("<TextLine")
    stop = content.index("</Shape>") + len("</Shape>")
    path.write_text(content[:start] + "<TextLine>" + content[stop:])
    found = load_lines(path)
    assert [each.text for each in found.lines] == ["b"]
    assert "Draw its polygon or its baseline" in found.skipped[0].detail


def test_a_file_that_is_no_page_is_refused(tmp_path):
    (tmp_path / "x.xml").write_text("<html/>")
    with pytest.raises(DataError, match="neither ALTO nor PAGE"):
        load_lines(tmp_path / "x.xml")


# --- images


@pytest.mark.parametrize(
    ("xml", "named", "image"),
    [
        ("page.xml", "scan.png", "scan.png"),
        ("page.xml", "scan.tif", "scan.jpg"),  # converted
        ("page.xml", r"C:\scans\scan.png", "scan.png"),
        ("page.xml", "https://iiif.example/scan.png", "scan.png"),
        ("page.xml", "", "page.JPG"),
        ("page.alto.xml", "", "page.png"),
        ("page.xml", "gone.png", "page.png"),
        ("page/0001.xml", "0001.jpg", "0001.jpg"),  # Transkribus
        ("OCR-D-GT/FILE_1.xml", "OCR-D-IMG/FILE_1.tif", "OCR-D-IMG/FILE_1.tif"),  # OCR-D
        ("alto/0001.xml", "0001.jpg", "images/0001.jpg"),
    ],
)
def test_where_the_image_of_a_page_is_found(tmp_path, xml, named, image):
    for name in (xml, image):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_image(tmp_path / xml, named) == tmp_path / image


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(
        MissingFileError, match=r"page\.xml: there is no image of this page \(looked for 'scan.png'.* images/"
    ):
        find_image(tmp_path / "page.xml", "scan.png")


def test_the_orientation_of_a_photograph_is_that_of_the_file(tmp_path):
    image, _ = draw_page()
    exif = image.getexif()
    exif[0x0112] = 6  # turn clockwise to see it
    image.save(tmp_path / "x.jpg", exif=exif)
    assert load_page(tmp_path / "x.jpg", 300, 420).size == (300, 420)  # drawn on what is seen
    assert load_page(tmp_path / "x.jpg", 420, 300).size == (420, 300)  # drawn on what is stored


# --- hostile files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('<!DOCTYPE alto [<!ENTITY a "aaaa">]><alto>&a;</alto>', "defines entities"),
        ('<!DOCTYPE alto [<!ENTITY a SYSTEM "file:///etc/passwd">]><alto>&a;</alto>', "defines entities"),
        ("<alto>", "is not valid XML"),
        ("", "is not valid XML"),
        ("\x00\x01", "is not valid XML"),
    ],
)
def test_hostile_files_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "points", ["", "1", "nan nan nan", "1 1 1 1 1 1", "1e999 1 2 2 3 3", "a b c", "-5 -5 -9 -9 -3 -8"]
)
def test_coordinates_that_make_no_sense_leave_out_the_line(tmp_path, points):
    path = write_page(tmp_path, texts=("a",))
    content = path.read_text()
    start = content.index('POINTS="') + len('POINTS="')
    content = content[:start] + points + content[content.index('"', start) :]
    start = content.index('BASELINE="') + len('BASELINE="')
    path.write_text(content[:start] + points + content[content.index('"', start) :])
    found = load_lines(path)
    assert (len(found.lines), len(found.skipped)) == (0, 1)


# --- real pages


@pytest.mark.skipif(not HTR.is_dir(), reason="the shared data is not there")
def test_real_pages_read_the_same_from_alto_and_from_page(tmp_path):
    found = {}
    for path in sorted(HTR.glob("*.xml")):
        (read,) = read_pages(path)
        lines = [each for each in read.lines if each.text]
        (tmp_path / path.with_suffix(".jpg").name).symlink_to(path.with_suffix(".jpg"))
        as_page = page_xml(lines, size=(read.width, read.height), image=read.image)
        (tmp_path / path.name).write_text(as_page.replace("&", "&amp;"), encoding="utf-8")
        found[path.stem] = len(lines)
    assert found["TestamentsDePoilus_will_AD78_0064-4"] == 46
    expected, converted = load_lines(HTR), load_lines(tmp_path)
    assert len(converted.lines) > 100
    assert [each.text for each in expected.lines] == [each.text for each in converted.lines]
    assert all((one.image == other.image).all() for one, other in zip(expected.lines, converted.lines, strict=True))
