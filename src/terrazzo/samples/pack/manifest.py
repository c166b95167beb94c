"""The manifest of a packed store: what its samples are, how they were read, and the checksum of every file."""

import json
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from terrazzo.errors import DataError, LabelError
from terrazzo.labels.legend import Legend
from terrazzo.labels.sentences import listed
from terrazzo.options import Options
from terrazzo.rasters.options import DataOptions
from terrazzo.rasters.raster import BAND_LIMIT
from terrazzo.samples.pack.frame import Codec, Form

FORMAT: Literal["terrazzo-pack"] = "terrazzo-pack"
VERSION: Literal[1] = 1
MANIFEST, TABLE = "manifest.json", "samples.parquet"

Kind = Literal["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64"]
Digits = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class ShardFacts(Options):
    """One shard."""

    name: str = Field(pattern=r"^\d{5,9}\.tzs$")
    part: str
    """train, validation or test: a shard holds samples of one part only."""
    samples: Count
    bytes: Count
    sha256: Digits


class Manifest(Options):
    """All of a packed store but its samples. It names no path: a store can be moved and shared."""

    format: Literal["terrazzo-pack"] = FORMAT
    version: Literal[1] = VERSION
    codec: Codec
    bands: int = Field(ge=1, le=BAND_LIMIT)
    dtype: Kind
    band_names: list[str | None]
    nodata: list[float | None]
    """One a band: what the images declared; which pixels are valid is stored with each sample."""
    legend: dict[str, Any]
    reading: DataOptions
    """How the pixels were read; a model that learns from them reads images so."""
    samples: dict[str, Count]
    """Number of samples by part."""
    instances: bool
    """Whether objects are told apart."""
    table_sha256: Digits
    shards: list[ShardFacts]
    made_from: str
    """Digest of all that the content depends on."""
    made_with: str
    """The version of Terrazzo."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not len(self.band_names) == len(self.nodata) == self.bands:
            raise ValueError(f"band_names and nodata are to be {self.bands} entries each")
        return self

    @property
    def form(self) -> Form:
        return Form(bands=self.bands, dtype=np.dtype(self.dtype), codec=self.codec)

    def to_json(self) -> str:
        given = self.model_dump(mode="json") | {"reading": self.reading.model_dump(mode="json", exclude_defaults=True)}
        return json.dumps(given, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def parse(cls, text: str, where: str) -> "Manifest":
        """Read what `to_json` wrote. where: the file, for messages. Raises DataError if it is of another version, or no manifest."""
        try:
            read = json.loads(text)
            kind, version = read["format"], read["version"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{where} is no manifest of a packed store. Make the store with: terrazzo pack SAMPLES OUT") from error
        if kind != FORMAT:
            raise DataError(f"{where} is no manifest of a packed store, but of {kind!r}. Make the store with: terrazzo pack SAMPLES OUT")
        if version != VERSION:
            raise DataError(f"{where} is of version {version}; this Terrazzo reads version {VERSION}. Pack the samples anew.")
        try:
            found = cls.model_validate(read)
            Legend.from_json(json.dumps(found.legend))
        except ValidationError as error:
            fields = listed(".".join(map(str, fault["loc"])) or "band_names or nodata" for fault in error.errors())
            raise DataError(f"{where} is damaged: {fields} cannot be. Copy the store anew, or pack the samples anew.") from error
        except LabelError as error:
            raise DataError(f"{where} is damaged: {error}") from error
        return found
