"""The catalogue: data sets and models by name, in TOML files that anyone can add to."""

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from terrazzo.errors import DataError, UsageError
from terrazzo.options import Options
from terrazzo.rasters.download.sources import Checksum
from terrazzo.rasters.download.stac import Link
from terrazzo.rasters.hosts import SCHEMES

SHIPPED = Path(__file__).with_name("catalogue.toml")
FILE_NAME = "catalogue.toml"


class EntryFile(Options):
    """One file of an entry."""

    address: str = Field(description="https://, http://, s3:// or gs://, of one file.")
    sha256: str = Field(pattern="^[0-9a-fA-F]{64}$", description="Of the file.")
    name: str | None = Field(None, description="Under OUT; by default the end of the address.")


class Entry(Options):
    """A data set or a model."""

    kind: Literal["data", "model"] = Field("data", description="What it is.")
    about: str = Field("", description="One line of what it holds.")
    licence: str = Field(min_length=1, description="Under what terms it may be used, such as CC-BY-4.0.")
    classes: list[str] = Field(default_factory=list, description="The classes of its labels, or of the model's maps.")
    files: list[EntryFile] = Field(min_length=1, description="What belongs to it.")


@dataclass(frozen=True, kw_only=True)
class Found:
    """An entry, and where it stands."""

    name: str
    entry: Entry
    file: Path

    def links(self) -> list[Link]:
        """Its files, each with its checksum."""
        return [
            Link(
                address=file.address,
                name=file.name or file.address.partition("?")[0].rstrip("/").rpartition("/")[2],
                checksum=Checksum(algorithm="sha256", digits=file.sha256.lower(), said_by="the catalogue"),
            )
            for file in self.entry.files
        ]


def find_entry(name: str, given: Path | None) -> Found:
    """The entry of a name: of the file that was given, else of the user's own, else of the one that comes with Terrazzo.

    Raises UsageError if there is none, DataError if a file is broken.
    """
    entries: dict[str, Found] = {}
    for file in [*([given] if given else []), *(file for file in (user_file(os.environ, sys.platform), SHIPPED) if file.is_file())]:
        for key, entry in load_catalogue(file).items():
            entries.setdefault(key, Found(name=key, entry=entry, file=file))
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=1)
    known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(entries))}." if entries else "the catalogue is empty."
    raise UsageError(
        f"{name!r} is no address (such as s3://bucket/folder or https://host/file.tif) and no entry of the catalogue; {known} "
        f"Add entries to {user_file(os.environ, sys.platform)}, or name a file with --catalogue."
    )


def load_catalogue(file: Path) -> dict[str, Entry]:
    """The entries of a catalogue file by name. Raises DataError that names all that is wrong."""
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataError(f"{file} cannot be read as a catalogue: {reason}") from error
    problems: list[str] = []
    entries: dict[str, Entry] = {}
    for name, table in tables.items():
        try:
            entries[name] = _entry(table)
        except ValidationError as error:
            places = [(".".join(map(str, found["loc"])), found["msg"]) for found in error.errors(include_url=False)]
            problems += [f"{file}: [{name}] {place}: {message}" for place, message in places]
        except ValueError as error:
            problems.append(f"{file}: [{name}] {error}")
    if problems:
        raise DataError("\n".join(problems))
    return entries


def user_file(environ: Mapping[str, str], platform: str) -> Path:
    """Where a user's own entries are: in the folder of the system for settings."""
    if platform == "darwin":
        return Path("~/Library/Application Support/terrazzo").expanduser() / FILE_NAME
    return Path(environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "terrazzo" / FILE_NAME


def _entry(table: object) -> Entry:
    """An entry; one of a single file may have the file's keys for its own."""
    if not isinstance(table, Mapping):
        raise ValueError("must be a table of keys and values")  # noqa: TRY004 - told to the user like every other problem
    plain = dict(table)
    single = {key: plain.pop(key) for key in ("address", "sha256") if key in plain}
    if single:
        if "files" in plain:
            raise ValueError("has address or sha256, and files too: give one or the other")
        plain["files"] = [single]
    entry = Entry.model_validate(plain, strict=True)
    strange = [file.address for file in entry.files if file.address.partition("://")[0] not in SCHEMES]
    if strange:
        raise ValueError(f"{strange[0]!r} is no address that can be fetched; those begin with https://, http://, s3:// or gs://")
    return entry
