"""Lists of JSON files, entry by entry, against json.loads."""

import json
import tracemalloc
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from terrazzo.errors import LabelError
from terrazzo.labels import json_stream
from terrazzo.labels.json_stream import entries

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def read(path: Path, *lists: str) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in lists}
    for name, entry in entries(path, lists):
        found[name].append(entry)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.json"


class TestEntries:
    @given(one=st.lists(anything, max_size=4), two=st.lists(anything, max_size=3), other=anything, data=st.data())
    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_agrees_with_json_wherever_reading_stops(self, file: Path, one: Any, two: Any, other: Any, data: st.DataObject) -> None:
        content = {"one": one, "other": other, "two": two}
        file.write_text(json.dumps(content, indent=data.draw(st.none() | st.integers(0, 2)), ensure_ascii=data.draw(st.booleans())))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_stream, "CHUNK", data.draw(st.integers(1, 40)))
            assert read(file, "one", "two") == {"one": one, "two": two}

    @given(text=st.text('{}[]",:\\u0aeE1-. \nNtrueI', max_size=60), chunk=st.integers(1, 70))
    @settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_refuses_what_json_refuses(self, file: Path, text: str, chunk: int) -> None:
        whole = f'{{"a": [{text}]}}'
        file.write_text(whole)
        expected: Any = None
        with suppress(ValueError):
            expected = json.loads(whole)
        found: Any = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_stream, "CHUNK", chunk)
            try:
                found = read(file, "a")
            except LabelError as error:
                found = None if "file.json" in str(error) else error
        if expected is None or set(expected) == {"a"}:
            assert repr(found) == repr(expected)

    def test_a_byte_order_mark_is_fine(self, file: Path) -> None:
        file.write_text('{"a": [1]}', encoding="utf-8-sig")
        assert read(file, "a") == {"a": [1]}

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "'{' is wanted"),
            ("[1]", "'{' is wanted"),
            ("{}", "lacks 'a'; it must be an object with a"),
            ('{"b": 1}', "lacks 'a'"),
            ('{"a": 1}', "'a' is no list"),
            ('{"a": [1], "a": [2]}', "'a' twice"),
            ('{"a": [1', "',' is wanted, at character 8"),
            ('{"a": [1,]}', "an entry is wanted"),
            ('{"a": [],}', "a name in quotation marks"),
            ("{1: []}", "a name in quotation marks"),
            ('{"a": []} {}', "nothing may follow"),
            ('{"a": ["' + "x" * 100, "Unterminated string starting at, at character 7"),
            ('{"a": ' + "[" * 200_000, "nested too deeply"),
            ('{"a": [' + '{"b":' * 200_000, "nested too deeply"),
            ('{"a": [' + "9" * 5000 + "]}", "cannot be read as JSON"),
            ('{"a": [1 2]}', "',' is wanted, at character 9"),
        ],
    )
    def test_wrong_files(self, file: Path, text: str, reason: str) -> None:
        file.write_text(text)
        with pytest.raises(LabelError) as caught:
            read(file, "a")
        assert reason in str(caught.value)
        assert str(file) in str(caught.value)
        assert len(str(caught.value)) < 400

    def test_other_bytes_and_places(self, file: Path, tmp_path: Path) -> None:
        file.write_bytes(b'{"a": ["\xff"]}')
        for path in (file, tmp_path, tmp_path / "gone.json"):
            with pytest.raises(LabelError, match="cannot be read"):
                read(path, "a")

    def test_an_error_is_found_without_reading_on(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(json_stream, "CHUNK", 100)
        file.write_text('{"a": [{"b" 1}, ' + "1, " * 100_000)
        with file.open() as opened:
            reader = json_stream._Reader(opened)
            assert next(reader.keys()) == "a"
            with pytest.raises(ValueError, match="Expecting ':' delimiter, at character 12"):
                list(reader.items())
            assert opened.tell() < 1000

    def test_long_entries_are_refused_and_long_files_take_little_memory(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with file.open("w") as opened:
            opened.write('{"a": [')
            opened.writelines(f'{{"id": {number}, "text": "{"x" * 500}"}},' for number in range(20_000))
            opened.write("0]}")
        tracemalloc.start()
        assert sum(1 for _ in entries(file, ["a"])) == 20_001
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20 < file.stat().st_size
        tracemalloc.stop()
        monkeypatch.setattr(json_stream, "LONGEST", 300)
        monkeypatch.setattr(json_stream, "CHUNK", 100)
        with pytest.raises(LabelError, match="longer than 300 characters"):
            read(file, "a")
