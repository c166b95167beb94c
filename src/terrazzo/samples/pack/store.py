"""A packed store, opened: training reads its samples as it reads those of images."""

import hashlib
import json
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import pyarrow as pa
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS

from terrazzo.errors import DataError
from terrazzo.labels.legend import IGNORE, Legend
from terrazzo.labels.sentences import listed
from terrazzo.rasters.assembly import Assembly
from terrazzo.rasters.formats.source import Block, Facts
from terrazzo.rasters.grid import Grid, cut_transform
from terrazzo.rasters.location import RemotePath, to_path
from terrazzo.rasters.place import Place as GroundPlace
from terrazzo.rasters.raster import Pixels, Raster
from terrazzo.rasters.window import Shape, Window, whole
from terrazzo.samples.pack.frame import Packed, decode
from terrazzo.samples.pack.manifest import MANIFEST, TABLE, Manifest
from terrazzo.samples.pack.places import Folder, Place, Remote
from terrazzo.samples.pack.shard import Record, index_bytes, parse_index
from terrazzo.samples.store import crop, kept_bytes
from terrazzo.samples.table import Samples, load

SHARD, POSITION, GRID_CRS, GRID_TRANSFORM = "shard", "position", "grid_crs", "grid_transform"
"""Columns of a packed table beyond those of any: in which shard a sample is and at which place, and how its pixels lie on the ground."""

KEPT = 4
"""Samples that stay decoded while parts of them are asked for."""


def is_packed(path: Path) -> bool:
    """Whether a path is a packed store: a folder with a manifest, or an address, of which nothing is asked yet."""
    return isinstance(path, RemotePath) or (path / MANIFEST).is_file()


class PackedStore:
    """The samples of a packed store; each is a scene of its own. May be read from several threads, and copied to other processes.

    Every frame is checked by its checksum when it is read (of uncompressed stores, the first time).
    """

    def __init__(self, place: Place, manifest: Manifest, samples: Samples) -> None:
        self.manifest = manifest
        self.samples = samples
        self._place = place
        self._form = manifest.form
        self._rows = {name: row for row, name in enumerate(samples.frame["scene"].tolist())}
        self._where = samples.frame[[SHARD, POSITION]].to_numpy(np.int64)
        self._shapes = samples.frame[["height", "width"]].to_numpy(np.int64)
        self._records: dict[int, list[Record]] = {}
        self._checked = bytearray(len(samples))
        self._rasters: WeakValueDictionary[str, Raster] = WeakValueDictionary()
        self._kept = lru_cache(KEPT)(self.sample)

    @classmethod
    def open(cls, path: str | Path) -> "PackedStore":
        """Open a store in a folder or at an address (s3://, gs://, https://).

        Raises DataError if it is none, of another version, or damaged; EnvironmentFault if an address cannot be reached.
        """
        path = to_path(path)
        place: Place = Remote(path) if isinstance(path, RemotePath) else Folder(path, mapped=False)
        manifest = Manifest.parse(place.whole(MANIFEST).decode("utf-8", "replace"), f"{path}/{MANIFEST}")
        if manifest.codec == "raw" and not isinstance(path, RemotePath):
            place = Folder(path, mapped=True)
        table = place.whole(TABLE)
        if hashlib.sha256(table).hexdigest() != manifest.table_sha256:
            raise DataError(f"{path}/{TABLE} is not the table that {MANIFEST} names: its checksum differs. Copy the store anew.")
        with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
            file.write(table)
            file.flush()
            try:
                samples = load(Path(file.name))
            except DataError as error:
                raise DataError(str(error).replace(file.name, f"{path}/{TABLE}")) from error
        return cls(place, manifest, _checked_table(samples, manifest, f"{path}/{TABLE}"))

    @property
    def path(self) -> Path:
        return self._place.path

    @property
    def legend(self) -> Legend:
        return Legend.from_json(json.dumps(self.manifest.legend))

    @property
    def most_kept_bytes(self) -> int:
        """The most that samples take which stay decoded. Those of uncompressed stores are pages of their files."""
        return 0 if self._form.codec == "raw" else KEPT * kept_bytes(self.samples.size, self._form.bands, self._form.dtype)

    def shape(self, scene: str) -> Shape:
        height, width = self._shapes[self._rows[scene]].tolist()
        return height, width

    def raster(self, scene: str) -> Raster:
        found = self._rasters.get(scene)
        if found is None:
            found = self._rasters[scene] = self._raster(scene)
        return found

    def image(self, scene: str, window: Window) -> Pixels:
        return _cut(self._kept(scene).pixels, window)

    def labels(self, scene: str, window: Window) -> NDArray[np.uint8]:
        return self._kept(scene).labels[window.slices]

    def instances(self, scene: str, window: Window) -> NDArray[np.uint32] | None:
        found = self._kept(scene).instances
        return None if found is None else found[window.slices]

    def read(self, scene: str, window: Window) -> tuple[Pixels, NDArray[np.uint8]]:
        found = self.sample(scene) if window == whole(self.shape(scene)) else self._kept(scene)
        pixels, labels = _cut(found.pixels, window), found.labels[window.slices]
        return pixels, labels if pixels.valid.all() else np.where(pixels.valid, labels, np.uint8(IGNORE))

    def sample(self, scene: str) -> Packed:
        """All of a sample. Raises DataError naming shard and sample if its bytes are not those that were packed."""
        row = self._rows[scene]
        shard, position = self._where[row].tolist()
        name, record = self.manifest.shards[shard].name, self._index(shard)[position]
        data = self._place.part(name, record.offset, record.offset + record.length)
        try:
            self._check(row, record, data)
            return decode(data, record.shape, record.sections, self._form)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise DataError(
                f"{self.path / name}: sample {row} ({scene}) is damaged: {error}. Copy the shard anew, or pack the samples anew."
            ) from error

    def _check(self, row: int, record: Record, data: bytes | memoryview) -> None:
        if record.shape != tuple(self._shapes[row].tolist()):
            raise ValueError("it is of another size than the table says")
        # pages of a mapped file are checked once: they are not copied, so that checking is most of the work
        if not (self._checked[row] and self._form.codec == "raw") and zlib.crc32(data) != record.crc:
            raise ValueError("its checksum differs")
        self._checked[row] = 1

    def __reduce__(self) -> tuple[Callable[..., "PackedStore"], tuple[Place, Manifest, Samples]]:
        return PackedStore, (self._place, self.manifest, self.samples)

    def _index(self, shard: int) -> list[Record]:
        found = self._records.get(shard)
        if found is None:
            facts = self.manifest.shards[shard]
            tail = self._place.part(facts.name, max(0, facts.bytes - index_bytes(facts.samples)), facts.bytes)
            try:
                found = self._records[shard] = parse_index(bytes(tail), facts.bytes, facts.samples, self._form)
            except ValueError as error:
                raise DataError(f"{self.path / facts.name} is damaged: {error}. Copy the shard anew, or pack the samples anew.") from error
        return found

    def _raster(self, scene: str) -> Raster:
        manifest, row = self.manifest, self.samples.frame.iloc[self._rows[scene]]
        grid = _grid(self.shape(scene), row[GRID_CRS], row[GRID_TRANSFORM])
        names, nodata = tuple(manifest.band_names), tuple(manifest.nodata)
        # not a file: a name for messages and outputs
        path = self.path / scene
        assembly = Assembly(
            paths=(path,),
            facts=Facts(format="packed", count=manifest.bands, dtype=self._form.dtype, grid=grid, nodata=nodata, band_names=names),
            layer=_Layer(self, scene),
            grid=grid,
            own_grid=grid,
            place=GroundPlace.of(grid, None),
            band_names=names,
            all_band_names=names,
            nodata=nodata,
            digests=(str(row["image_digest"]),),
        )
        return Raster(path, assembly, "all")


class _Layer:
    """The image of one sample, as the layer of a raster."""

    def __init__(self, store: PackedStore, scene: str) -> None:
        self._store = store
        self._scene = scene
        self.shape = store.shape(scene)
        self.bands = store.manifest.bands
        self.dtype: np.dtype[Any] = store.manifest.form.dtype

    def read(self, window: Window) -> Block:
        pixels = self._store.image(self._scene, window)
        return Block(values=pixels.values, mask=pixels.valid, holes=pixels.holes)

    def close(self) -> None:
        """Nothing is kept open for a single sample."""


def _cut(pixels: Pixels, window: Window) -> Pixels:
    return pixels if window == whole(pixels.valid.shape) else crop(pixels, window)


def _grid(shape: Shape, crs: object, transform: object) -> Grid:
    if not isinstance(crs, str) or not isinstance(transform, str):
        return Grid(shape=shape)
    return Grid(shape=shape, crs=_crs(crs), transform=Affine(*map(float, transform.split())))


@lru_cache(64)
def _crs(text: str) -> CRS:
    return CRS.from_wkt(text)


def grid_columns(grid: Grid, window: Window) -> tuple[str | None, str | None]:
    """How the pixels of a window lie on the ground, as GRID_CRS and GRID_TRANSFORM hold it."""
    if grid.crs is None or grid.transform is None:
        return None, None
    cut = cut_transform(grid.transform, (window.col_off, window.row_off))
    return grid.crs.to_wkt(), " ".join(repr(float(value)) for value in cut[:6])


def _checked_table(samples: Samples, manifest: Manifest, where: str) -> Samples:
    """See that the table goes with the manifest: nothing of it is used as a place before."""
    missing = [name for name in (SHARD, POSITION, GRID_CRS, GRID_TRANSFORM) if name not in samples.frame]
    if missing:
        raise DataError(f"{where} lacks the columns {', '.join(missing)}. Pack the samples anew.")
    shards, positions = (samples.frame[name].to_numpy(np.int64) for name in (SHARD, POSITION))
    room = np.array([facts.samples for facts in manifest.shards], np.int64)
    known = (shards >= 0) & (shards < len(room))
    fits = bool(known.all()) and bool(((positions >= 0) & (positions < room[shards])).all())
    parts = np.array([facts.part for facts in manifest.shards], object)
    fits = fits and samples.frame["split"].tolist() == parts[shards].tolist()
    if not fits or len(samples) != sum(room) or not samples.frame["scene"].is_unique:
        raise DataError(f"{where} names samples that the shards do not hold. Copy the store anew, or pack the samples anew.")
    # names become those of maps, which must stay in their folder
    strange = [name for name in samples.frame["scene"].tolist() if name.startswith("/") or ".." in name.split("/") or "\0" in name]
    if strange:
        raise DataError(f"{where} has names of samples that lead elsewhere: {listed(strange, 3)}. It was not made by Terrazzo.")
    legend = Legend.from_json(json.dumps(manifest.legend))
    if legend.values != samples.legend.values:
        raise DataError(f"{where} and {MANIFEST} have different classes. Copy the store anew, or pack the samples anew.")
    return replace(samples, legend=legend)
