# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from server.errors import AthanorError, InvalidInput, InvalidOption
from server.kinds import KINDS, find_kind, parse_options
from server.kinds.base import Numbers, Options, Spans, Texts, repeats

BOTH = frozenset({"original", "reference"})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_option_is_described_and_every_kind_says_what_it_is(kind):
    for name, option in kind.options.model_fields.items():
        assert option.description and option.description.rstrip().endswith("."), f"{kind.name}.{name}"
    assert kind.help and kind.title and kind.deadline_s > 0
    assert all(spec.help for spec in (*kind.inputs, *kind.results))


@pytest.mark.parametrize(("kind", "options", "says"), [
    ("fuze", {}, "no job kind 'fuze'; did you mean 'fuse'?"),
    ("fuse", {"snr_bd": 1}, "fuse has no option 'snr_bd'; did you mean 'snr_db'?"),
    ("fuse", {"order": "5"}, "fuse: order=5: Input should be 1, 2 or 3"),
    ("fuse", {"prompt": "x" * 10_000}, "at most 2000 characters"),
    ("fuse", {"prompt": "x" * 10_000}, "(10000 characters)"),
    ("fuse", {"snr_db": -9, "sweep": 5}, "snr_db and sweep each say where"),
    ("fuse", {"balance": "auto", "at_step": 5}, "at_step and balance each say where"),
    ("fuse", {"sweep": 1}, "a sweep has 2 to 20 results"),
    ("fuse", {"snr_db": "loud"}, "valid number"),
    ("fuse", {"guidance": float("nan")}, "guidance=nan"),
    ("fuse", {"snr_db": "nan"}, "snr_db='nan': Input should be a finite number"),
    ("fuse", {"seed": -1}, "seed=-1"),
    ("vary", {"gamma": "1,inf"}, "gamma='inf': Input should be a finite number"),
    ("vary", {"combine": "nan,1"}, "finite number"),
    ("vary", {"range": "-inf:5"}, "finite number"),
    ("learn", {"prompt": "x"}, "learn needs the option 'name'"),
    ("learn", {"prompt": "x", "name": "../x"}, "a palette name is"),
    ("generate", {"seconds": 0}, "seconds=0"),
])
def test_what_does_not_fit_is_said_in_one_sentence(kind, options, says):
    with pytest.raises(InvalidOption) as caught:
        parse_options(kind, options)
    assert says in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize(("options", "roles", "error", "says"), [
    ({}, {"original"}, InvalidInput, "needs the input 'reference' here"),
    ({"reference": "prompt", "balance": "auto"}, {"original"}, InvalidInput, "needs the input 'reference' here"),
    ({}, {"reference"}, InvalidInput, "fuse needs the input 'original'"),
    ({}, {"original", "reference", "third"}, InvalidInput, "fuse takes no input 'third'; it takes original, reference"),
    ({"reference": "learn"}, BOTH, InvalidOption, "needs a prompt"),
    ({"adapter": "bells"}, BOTH, InvalidOption, "needs reference='learn', not 'auto'"),
])
def test_inputs_are_checked_against_options(options, roles, error, says):
    with pytest.raises(error) as caught:
        parse_options("fuse", options, frozenset(roles))
    assert says in caught.value.message


def test_texts_are_taken_for_values_as_osc_and_command_lines_send_them():
    sent = {"steps": "25", "order": "3", "full": "1", "snr_db": "-12, -6", "seed": "", "adapter": ""}
    parsed = parse_options("fuse", sent)
    assert (parsed.steps, parsed.order, parsed.full, parsed.snr_db) == (25, 3, True, (-12.0, -6.0))
    assert parsed.seed is None and parsed.adapter is None


def test_a_fuse_that_learns_waits_for_a_learn_job_that_its_content_names():
    fuse = find_kind("fuse")
    options = fuse.parse({"reference": "learn", "prompt": "bells", "learn_steps": 50}, BOTH)
    one, = fuse.prerequisites(options, {"original": "a" * 64, "reference": "b" * 64})
    same, = fuse.prerequisites(options, {"original": "c" * 64, "reference": "b" * 64})
    other, = fuse.prerequisites(options, {"original": "a" * 64, "reference": "d" * 64})
    assert one == same and one.palette_entry != other.palette_entry
    learn = parse_options(one.kind, one.options, frozenset(one.inputs))
    assert learn.name == one.palette_entry and learn.learn_steps == 50 and learn.prompt == "bells"
    with_entry = fuse.parse({"reference": "learn", "prompt": "bells", "adapter": "mine"}, BOTH)
    assert fuse.prerequisites(with_entry, {"original": "a" * 64, "reference": "b" * 64}) == ()


def test_errors_survive_the_wire():
    from server.errors import PluginTimeout, from_wire

    back = from_wire(PluginTimeout("too slow").to_wire())
    assert isinstance(back, PluginTimeout) and back.message == "too slow"
    assert isinstance(from_wire({"code": "something_new", "message": "m"}), AthanorError)


def test_a_preset_may_leave_out_what_is_required_and_nothing_else():
    learn = find_kind("learn")
    learn.check_partial({"learn_steps": 400})
    with pytest.raises(InvalidOption, match="did you mean 'learn_steps'"):
        learn.check_partial({"learn_stepz": 400})
    with pytest.raises(InvalidOption, match="rank=0"):
        learn.check_partial({"rank": 0})


class _Lists(Options):
    stem: Texts = ()
    gap: Spans = ()
    snr_db: Numbers = ()
    prompt: str = ""


def test_several_texts_come_as_a_list_or_as_one_text():
    assert _Lists(stem=["cello", "dog | cat"]).stem == ("cello", "dog | cat")
    assert _Lists(stem="cello | dog barking").stem == ("cello", "dog barking")


@pytest.mark.parametrize("given", ["1:1.8, 4:5", "1:1.8 4:5", ["1:1.8", "4:5"], ((1, 1.8), (4, 5)), [[1, 1.8], "4:5"]])
def test_stretches_of_time_are_read_however_they_are_written(given):
    assert _Lists(gap=given).gap == ((1.0, 1.8), (4.0, 5.0))
    assert _Lists(**_Lists(gap=given).model_dump(mode="json")).gap == ((1.0, 1.8), (4.0, 5.0))


@pytest.mark.parametrize(("given", "message"), [
    ("1.8", "'1.8' is not a stretch of time; write START:END"), ("a:b", "'a:b' is not a stretch"),
    ("2:1", "2:1 does not begin at 0 s or later and end after that"), ("-1:1", "-1:1 does not begin"),
    ("1:inf", "finite number"), ("nan:1", "finite number"),
])
def test_what_is_no_stretch_of_time_is_refused(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        _Lists(gap=given)


def test_options_that_repeat_are_known_as_such():
    found = {name: repeats(field) for name, field in _Lists.model_fields.items()}
    assert found == {"stem": "text", "gap": "span", "snr_db": None, "prompt": None}
