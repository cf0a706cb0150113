"""Many variants are counted, by the way of exporting and decoding, instead of shown as glyphs."""

import itertools

from values import rendered, report, reported_cell, reported_variant

from harness.model import Stage, Status
from harness.report.tables import GLYPH_LIMIT, cell_text, facets, variant_names
from harness.report.variants import by_variant


def crowded():
    """Eight ways of merging and feeding back, in three further fields; feed-all fails where it is merged."""
    made = []
    for layout, feedback, binding, strategy, attention in itertools.product(
        ("pair", "merged"), ("keep-cross", "feed-all"), ("numpy", "ortvalue"), ("cached", "mixed"), ("eager", "sdpa")
    ):
        fields = {"layout": layout, "feedback": feedback, "binding": binding, "strategy": strategy, "attention": attention}
        dies = layout == "merged" and feedback == "feed-all"
        end = {"status": Status.FAILS, "stage": Stage.DECODE} if dies else {}
        if attention == "sdpa" and layout == "pair":
            end = {"status": Status.NOT_RUN, "stage": Stage.EXPORT}
        made.append(reported_variant(**fields, **end))
    return report(reported_cell(*made))


def test_a_crowd_is_counted_in_its_cell():
    made = crowded()
    names = variant_names(made)
    assert len(names) == 32 > GLYPH_LIMIT
    assert cell_text(made.cells[0], names) == "works 16 of 24"


def test_each_way_is_a_row_and_each_end_is_counted():
    made = crowded()
    (facet,) = facets(made)
    header, rows = by_variant(made, facet)
    assert header == ["layout", "feedback", str(facet.columns[0])]
    assert rows == [
        ["pair", "keep-cross", "✓ 4 · 4"],
        ["pair", "feed-all", "✓ 4 · 4"],
        ["merged", "keep-cross", "✓ 8"],
        ["merged", "feed-all", "✗ decode 8"],
    ]


def test_the_page_names_no_glyphs_where_it_shows_none():
    page = rendered(crowded())
    assert "| merged   | feed-all   | ✗ decode 8" in page
    assert "The glyphs in a cell stand for" not in page
