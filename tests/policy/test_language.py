"""The grammar's own rules: closed, typed by field, and nothing that reads like a rule and acts like none."""

from __future__ import annotations

import inspect

import pytest
from pydantic import ValidationError

from bridge.policy import language as lang

SECTIONS = [
    model for _, model in inspect.getmembers(lang, inspect.isclass) if issubclass(model, lang.Section)
]


@pytest.mark.parametrize("section", SECTIONS)
def test_sections_are_closed_and_do_not_change(section: type[lang.Section]) -> None:
    """No section takes an unknown key, and none can be altered after it was checked."""
    assert section.model_config["extra"] == "forbid" and section.model_config["frozen"]


def test_one_value_stands_for_a_list_of_one() -> None:
    """`finds: card` and `finds: [card]` are the same."""
    one = lang.When.model_validate({"direction": "both", "finds": "card"})
    many = lang.When.model_validate({"direction": "both", "finds": ["card"]})
    assert one == many and one.finds == ("card",)


def test_true_stands_for_the_usual_options() -> None:
    """`hold: true` is a hold with every default."""
    assert lang.Then.model_validate({"hold": "true"}).hold == lang.Hold()
    assert lang.Then.model_validate({"redact": "true"}).redact == lang.Redact(keep_last=0, style="position")


@pytest.mark.parametrize("written", ["yes", "on", "1", "True", "TRUE", ""])
def test_only_true_is_true(written: str) -> None:
    """Words that YAML would turn into a truth are refused."""
    with pytest.raises(ValidationError):
        lang.Then.model_validate({"block": written})


@pytest.mark.parametrize("written", ["+4", "4.0", "1_000", "0x4", "４", " 4", "-1", ""])
def test_numbers_are_digits(written: str) -> None:
    """No sign, no separator, no other base, no full-width digits."""
    with pytest.raises(ValidationError):
        lang.Redact.model_validate({"keep_last": written})


def refusals(section: type[lang.Section], written: object) -> set[str]:
    """What is wrong with a section, in pydantic's words or ours."""
    with pytest.raises(ValidationError) as caught:
        section.model_validate(written)
    return {error["type"] for error in caught.value.errors()}


@pytest.mark.parametrize(
    "written", ["2027-1-31", "20270131", "2027-02-30", "2027-W04-7", "２０２７-01-31", ""]
)
def test_dates_are_written_one_way(written: str) -> None:
    """YYYY-MM-DD, a day that exists."""
    assert refusals(lang.WordList, {"words": "x", "review_by": written}) == {"P013.date"}


@pytest.mark.parametrize(
    ("section", "key", "good", "bad", "refusal"),
    [
        (lang.Keep, "keep", ["7y", "18m", "90d"], ["0y", "7", "7 y", "1.5y", "y", "10000d"], "P013.period"),
        (
            lang.Attachments,
            "max_size",
            ["1KB", "20MB", "1GB"],
            ["20", "20mb", "20 MB", "0MB", "1TB"],
            "P013.size",
        ),
        (
            lang.SampleOf,
            "percent",
            ["10", "0.5", "100"],
            ["0", "101", "10%", "-1", "1e1", ".5"],
            "P013.percent",
        ),
        (
            lang.Outside,
            "hours",
            ["09:00-18:30", "00:00-24:00"],
            ["9:00-18:30", "09:00–18:30", "24:00-25:00"],
            "P013.hours",
        ),
        (lang.Outside, "hours", ["08:59-09:00"], ["18:30-09:00", "09:00-09:00"], "P013.hours.order"),
        (lang.Hold, "decide_within", ["15m", "24h", "7d"], ["15", "15s", "0m", "1h30m"], "P013.duration"),
        (
            lang.ArchiveTo,
            "to",
            [
                "s3://b",
                "s3://bank-records/chat/2026",
                "smtp://localhost:65535/j@a.example",
                "file:///srv/a",
                "smtps://journal.archive.example/bank@journal.archive.example",
            ],
            [
                "ftp://a/b",
                "vault",
                "s3://",
                "s3://AKIA:HUSH@b/c",
                "s3://b/c?x=1",
                "smtp://h/j",
                "smtp://h:65536/j@a.b",
                "smtp://localhost:25000000/j@a.example",
                "smtp://me:hush@h/j@a.b",
                "smtp://h:x/j@a.b",
                "file://srv/a",
                "smtp://h/j%0A@a.b",
                "smtp://h/j@a.b\n",
                "file:///",
                "file:///a%00b",
                "file:///a\n",
                "s3://b/\x7f",
            ],
            "P013.address",
        ),
        (lang.Trial, "at", ["2026-11-20 23:10"], ["2026-11-20", "23:10", "2026-11-20T23:10"], "P013.time"),
    ],
)
def test_values_with_units_are_written_one_way(
    section: type[lang.Section], key: str, good: list[str], bad: list[str], refusal: str
) -> None:
    """Periods, sizes, percentages, hours and times each have one way, and one refusal."""
    for written in bad:
        assert refusal in refusals(section, {key: written}), written
    for written in good:
        try:
            section.model_validate({key: written})
        except ValidationError as errors:  # of a section with other keys that must be there
            assert {error["type"] for error in errors.errors()} == {"missing"}


@pytest.mark.parametrize(
    ("section", "written", "refusal"),
    [
        (lang.Unless, {}, "P014.condition"),
        (lang.Unless, {"confidence": "high"}, "P014.condition"),
        (lang.Unless, {"any": []}, "too_short"),
        (lang.When, {"direction": "both", "finds": []}, "too_short"),
        (lang.When, {"direction": "both", "count": {"at_least": "3"}}, "P014.count"),
        (lang.Count, {"at_least": "3", "within": "25h"}, "P013.day"),
        (lang.Outside, {}, "P014.outside"),
        (lang.Outside, {"days": "trading"}, "P014.calendar"),
        (lang.Outside, {"days": "weekdays", "calendar": "XHKG"}, "P014.calendar"),
        (lang.Outside, {"days": []}, "too_short"),
        (lang.Hold, {"if_late": "block"}, "P014.late"),
        (lang.Tell, {}, "P014.language"),
        (lang.Rollout, {}, "P014.rollout"),
        (lang.Barrier, {"id": "b"}, "P014.barrier"),
        (lang.Barrier, {"id": "b", "between": ["x", "y"], "to": "z"}, "P014.barrier"),
        (lang.Barrier, {"id": "b", "between": ["x"]}, "P013.two"),
        (lang.Keep, {}, "P014.keep"),
        (lang.Keep, {"keep": "7y", "for": []}, "P013.empty"),
        (lang.Keep, {"preset": "hk-sfc-im-order", "start": "creation"}, "P014.preset"),
        (lang.ArchiveTo, {"id": "a", "to": "file:///srv", "object_lock": "governance"}, "P014.lock"),
        (lang.ArchiveTo, {"id": "a", "to": "smtp://a.b/c@d", "object_lock": "compliance"}, "P014.lock"),
        (lang.Dates, {}, "P014.dates"),
        (lang.WordList, {"words": ["x"], "dates": {"until": "u"}}, "P014.dated"),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(
    section: type[lang.Section], written: object, refusal: str
) -> None:
    """A key that would read like a rule and act like none, or like another one, is no policy."""
    assert refusals(section, written) == {refusal}


@pytest.mark.parametrize(
    ("written", "days"),
    [("all", "all"), ("trading", "trading"), ("mon", ("mon",)), (["sat", "sun"], ("sat", "sun"))],
)
def test_days_are_one_word_or_weekdays(written: object, days: object) -> None:
    """A word for all working days, one weekday, or a list of them."""
    calendar = {"calendar": "XHKG"} if written == "trading" else {}
    assert lang.Outside.model_validate({"days": written, **calendar}).days == days


def test_everybody_is_said_or_left_out() -> None:
    """`for: all` and no `for` are the same: no groups, everybody."""
    assert lang.Keep.model_validate({"keep": "7y", "for": "all"}) == lang.Keep(keep="7y")
    assert lang.Keep(keep="7y").for_ == ()


def test_a_wall_works_both_ways_or_one_way() -> None:
    """`between` names two groups, `from` and `to` may name several."""
    both = lang.Barrier.model_validate({"id": "b", "between": ["x", "y"]})
    one = lang.Barrier.model_validate({"id": "b", "from": "x", "to": ["y", "z"]})
    assert (both.between, one.from_, one.to) == (("x", "y"), ("x",), ("y", "z"))


def test_texts_for_the_sender_keep_their_language_tags() -> None:
    """Both scripts of Chinese have their own tag; `zh` is for both."""
    tell = lang.Tell.model_validate({"en": "a", "zh": "b", "zh-Hant": "c"})
    assert tell.texts() == {"en": "a", "zh": "b", "zh-Hant": "c"}


def test_an_incomplete_file_enforces_and_holds() -> None:
    """Defaults that nobody wrote are the careful ones."""
    defaults = lang.Defaults()
    assert (defaults.mode, defaults.unpaired, defaults.on_error) == ("enforce", "hold", "hold")
