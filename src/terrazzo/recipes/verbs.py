"""The table of verbs: what each is called, takes and reads. Command line, help and reference page are made from it.

A verb's function is named as a string and imported when the verb runs, so that `terrazzo --help` is instant.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

ALL_TABLES = (
    "data",
    "legend",
    "labels",
    "samples",
    "split",
    "draw",
    "augment",
    "model",
    "training",
    "prediction",
    "evaluation",
    "rank",
    "simulation",
    "scenes",
    "chip",
)


@dataclass(frozen=True, kw_only=True)
class Argument:
    """What a verb takes by position."""

    name: str
    """The parameter of the verb's function."""
    help: str
    many: bool = False
    """One or more; the function gets a list."""
    kind: type[Path] | type[str] = Path
    optional: bool = False
    """Of one with many: none will do."""


@dataclass(frozen=True, kw_only=True)
class Extra:
    """An option of a verb that no recipe holds."""

    name: str
    """The parameter of the verb's function; the flag has hyphens for its underscores, and none for one at the end (from_)."""
    help: str
    kind: Literal["path", "switch", "text", "number"]
    default: str | None = None
    """Of a path; without one, the function gets None. A switch is off."""

    @property
    def flag(self) -> str:
        """Such as --list-only."""
        return f"--{self.name.rstrip('_').replace('_', '-')}"


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One command, which is one function of the package and one page of the guide."""

    name: str
    function: str
    """module:function, called with the arguments and extras by name, and `context`."""
    summary: str
    """One line, for the list of verbs."""
    help: str
    """What it does, reads and writes, in a few sentences."""
    arguments: tuple[Argument, ...] = ()
    extras: tuple[Extra, ...] = ()
    tables: tuple[str, ...] = ()
    """The tables of the recipe that it reads: --set takes their options."""
    flags: tuple[str, ...] = ()
    """Those tables whose options are also flags."""

    @property
    def recipe_argument(self) -> str | None:
        """The argument that is a recipe file, which the verb's context is read from."""
        return next((argument.name for argument in self.arguments if argument.name == "recipe"), None)

    def load(self) -> Callable[..., object]:
        """Import and return the function."""
        module, _, name = self.function.partition(":")
        return cast("Callable[..., object]", getattr(importlib.import_module(module), name))


INSPECT = Verb(
    name="inspect",
    function="terrazzo.workflows.inspect:inspect",
    summary="Facts and problems of rasters, masks, vectors, tables, recipes, models and runs.",
    help="Shows what the given files are, what is wrong with them, and what to do about it. A folder stands for the images and "
    "vectors in it; of many files only what they have in common is told. With --set data.labels=LABELS images are paired with "
    "their labels too. Every pixel of a raster is read up to 256 MB of pixels a file, beyond that a sample, which the output "
    "says. Ends with 0, or with 3 and the name of each bad file on stderr.",
    arguments=(
        Argument(
            name="paths",
            kind=str,
            many=True,
            help="Files, folders or quoted patterns: images, labels of any kind, samples tables, recipes, models, runs.",
        ),
    ),
    extras=(Extra(name="html", kind="path", help="HTML file to write: the same as one page with thumbnails."),),
    tables=("data", "legend", "labels"),
)

DOWNLOAD = Verb(
    name="download",
    function="terrazzo.workflows.download:download",
    summary="Fetch files from s3, gs, https, STAC and the catalogue of data sets and models.",
    help="Lists all files first, then fetches those that OUT does not hold, 8 at once (or --threads), each over several connections. "
    "Broken off anywhere, it goes on when it is run again. What is fetched is checked, by checksum where one is known; no other file is"
    " ever overwritten. Of a STAC search, OUT/COLLECTION/ITEM/ASSET are written. Ends with 7 and OUT/failures.csv where some files failed.",
    arguments=(
        Argument(
            name="sources",
            kind=str,
            many=True,
            optional=True,
            help="s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, https://HOST/FILE, or names of the catalogue; none with --stac.",
        ),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="endpoint", kind="text", help="Address of the s3 server; default: AWS_ENDPOINT_URL, else Amazon's."),
        Extra(name="anonymous", kind="switch", help="Ask without credentials, as public buckets allow."),
        Extra(name="ignore_etags", kind="switch", help="Take no ETag for an MD5, as in buckets that encrypt with keys of their own."),
        Extra(name="stac", kind="text", help="Address of a STAC API to search, such as https://host/v1."),
        Extra(name="collection", kind="text", help="STAC: the collection, or several with commas between."),
        Extra(name="bbox", kind="text", help="STAC: W,S,E,N in degrees."),
        Extra(name="from_", kind="text", help="STAC: the first date, such as 2024-05-01."),
        Extra(name="to", kind="text", help="STAC: the last date."),
        Extra(name="cloud", kind="number", help="STAC: the largest share under clouds, in percent."),
        Extra(name="assets", kind="text", help="STAC: which files of each image, with commas between; default: those with the role data."),
        Extra(name="catalogue", kind="path", help="A TOML file with entries of your own."),
        Extra(name="unpack", kind="switch", help="Unpack zip and tar archives too, each into a folder of its name."),
        Extra(name="list_only", kind="switch", help="Only list what would be fetched."),
        Extra(name="keep_going", kind="switch", help="Fetch the rest where some files are not to be had."),
    ),
)

SIMULATE = Verb(
    name="simulate",
    function="terrazzo.workflows.simulate:simulate",
    summary="Simulate images with exact labels, and a recipe to learn them.",
    help="Writes OUT/images, OUT/labels, OUT/instances, where touching objects are told apart, and OUT/recipe.toml. The world 'ccd' "
    "is frames of a CCD detector, with glow, hot pixels and particle tracks; 'scenes' is aerial images with buildings, roads, water "
    "and trees, with their polygons and a table of run lengths too. The same options write the same bytes.",
    arguments=(
        Argument(name="world", kind=str, help="What to simulate: ccd or scenes."),
        Argument(name="out", help="Folder to write to."),
    ),
    tables=("simulation", "scenes"),
    flags=("simulation", "scenes"),
)

MASK = Verb(
    name="mask",
    function="terrazzo.workflows.mask:mask",
    summary="Labels of any form as class masks on each image's grid.",
    help="Writes OUT/STEM.tif for each image: masks, polygons, lines, run-length tables, COCO or rules as class values in the legend's "
    "colours, 255 where the image has no data. Masks of the same labels and options are kept, other files never touched.",
    arguments=(
        Argument(name="images", kind=str, help="Images: a file, a folder, or a quoted pattern such as 'images/*.tif'."),
        Argument(
            name="labels",
            kind=str,
            help="Masks, vector files, a run-length table, COCO: a file, a folder, or a quoted pattern. Or rules, such as "
            "'hot: b1 >= 5000; glow: 900 <= b1 < 5000'.",
        ),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="instances", kind="switch", help="Also write OUT/STEM_instances.tif: the numbers of the objects."),
        Extra(name="rle", kind="switch", help="Also write OUT/rle.csv: a row of runs an object, column-major from one."),
    ),
    tables=("data", "legend", "labels"),
    flags=("labels",),
)

CHIP = Verb(
    name="chip",
    function="terrazzo.workflows.chip:chip",
    summary="Cut images of any size into chips, with their labels alongside.",
    help="Writes OUT/STEM_COL_ROW.tif, GeoTIFFs that keep every pixel and all that the image says of itself, and OUT/chips.csv, a row a"
    " chip. With --labels the chips are in OUT/images and their class masks in OUT/labels. Chips that reach beyond the image are"
    " filled up with what is no data. Broken off anywhere, it goes on when it is run again; no other file is ever overwritten.",
    arguments=(
        Argument(name="images", kind=str, many=True, help="Images, folders of images, or quoted patterns."),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="labels", kind="text", help="Masks, polygons or lines, a run-length table, COCO, or rules such as 'hot: b1 > 5000'."),
    ),
    tables=("data", "legend", "labels", "chip"),
    flags=("chip",),
)

MOSAIC = Verb(
    name="mosaic",
    function="terrazzo.workflows.mosaic:mosaic",
    summary="Put tiles together into one raster, every pixel as it was.",
    help="Writes a cloud-optimised GeoTIFF with overviews, in constant memory whatever its size. Nothing is resampled: tiles must lie"
    " on one lattice of pixels. Chips are cropped to the part that is image; those of one image give the whole of it. Meanwhile a"
    " second file of its size is beside it.",
    arguments=(
        Argument(name="tiles", kind=str, many=True, help="Tiles, folders of tiles, or quoted patterns."),
        Argument(name="out", help="The GeoTIFF to write."),
    ),
    extras=(
        Extra(name="overlap", kind="text", help="What counts where tiles overlap: first (default), last, min, max, mean, error."),
        Extra(name="nodata", kind="number", help="Value without data; default: that of the tiles."),
        Extra(name="crop", kind="switch", help="No larger than the tiles, though they are chips of one image."),
    ),
)

FLATTEN = Verb(
    name="flatten",
    function="terrazzo.workflows.flatten:flatten",
    summary="Pixels as a table: a row a pixel and band, CSV or Parquet.",
    help="Writes x and y (or longitude and latitude) of each pixel's centre, row and column from 0, band from 1 and value, with --labels "
    "class and class_name, and the image's name where there are several. Rows go by image, row, column and band; what has no data is left "
    "out. Any size, in constant memory, values exact. Beside a CSV, OUT.json says what its columns are. A table of the same images and "
    "options is kept, no other file ever overwritten.",
    arguments=(
        Argument(name="images", kind=str, many=True, help="Images, folders of images, or quoted patterns such as 'images/*.tif'."),
        Argument(name="out", help="The table to write, .csv or .parquet."),
    ),
    extras=(
        Extra(name="labels", kind="text", help="Masks, vector files, a run-length table, COCO, or rules: two more columns."),
        Extra(name="wide", kind="switch", help="A row a pixel, with a column a band instead of the columns band and value."),
        Extra(name="step", kind="number", help="Only every n-th pixel of every n-th row."),
        Extra(name="keep_invalid", kind="switch", help="Also rows of pixels without data; their value is empty."),
    ),
    tables=("data", "legend", "labels"),
)

SUMMARIZE = Verb(
    name="summarize",
    function="terrazzo.workflows.summarize:summarize",
    summary="Histograms and statistics of each band and class, from images or tables.",
    help="Writes OUT/summary.json (for each band counts, mean, sd, extremes, percentiles and histograms, of valid values, of those with a "
    "class, of each class, and of all that is stored), OUT/overview.png, OUT/BAND.png and, with classes, OUT/BAND_by_class.png. Takes "
    "images, or the tables that flatten makes, and gives the same figures of both. Any size, in constant memory.",
    arguments=(
        Argument(
            name="inputs", kind=str, many=True, help="Images, folders of images, or quoted patterns; or tables of pixels, .csv or .parquet."
        ),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(Extra(name="labels", kind="text", help="Of images: masks, vector files, a run-length table, COCO, or rules."),),
    tables=("data", "legend", "labels"),
)

INDEX = Verb(
    name="index",
    function="terrazzo.workflows.index:index",
    summary="List the windows to learn from in a samples table.",
    help="Pairs images with labels, covers them with windows and writes a GeoParquet table with a row a window: where it "
    "is, how much of it is valid, what classes and how many objects it holds. The table opens in a GIS. It knows what it was made from: "
    "the same again is kept, a stale one is refused.",
    arguments=(
        Argument(name="images", kind=str, help="Images: a file, a folder, or a quoted pattern such as 'images/*.tif'."),
        Argument(name="labels", kind=str, help="Labels of any form: a file, a folder, a quoted pattern, or rules."),
        Argument(name="out", help="The samples table to write, such as samples.parquet."),
    ),
    extras=(Extra(name="reset", kind="switch", help="Make a table anew that is stale, or that has a split."),),
    tables=("data", "legend", "labels", "samples"),
    flags=("samples",),
)

SPLIT = Verb(
    name="split",
    function="terrazzo.workflows.split:split",
    summary="Split a samples table, or a folder of pairs, into training, validation and test.",
    help="Writes the column 'split' into a samples table: train, validation or test, or empty for windows dropped at a border. Of a "
    "folder of images and labels it makes OUT/train_frames, train_masks, val_frames, val_masks, by copies or links; nothing is moved "
    "or deleted. Refuses a split whose parts share ground or files.",
    arguments=(Argument(name="samples", help="A samples table, as index writes it, or a folder that holds images and labels."),),
    extras=(
        Extra(name="out", kind="path", help="Of a folder: where its parts go; default: FOLDER/split."),
        Extra(name="link", kind="switch", help="Of a folder: symbolic links instead of copies."),
        Extra(name="lists", kind="path", help="Of a table: a CSV to write, every window with its part; see [split] list_file."),
    ),
    tables=("data", "legend", "labels", "split"),
    flags=("split",),
)

AUGMENT = Verb(
    name="augment",
    function="terrazzo.workflows.augment:augment",
    summary="Write augmented copies of training samples as files, for other programs.",
    help="Of a samples table (split by [split], unless it is split already) writes OUT/images/PART/NAME.tif, in the type of its image, and "
    "OUT/labels/PART/NAME.tif: all samples, and copies of those for training only, so that none crosses the split. OUT/split.csv and "
    "OUT/samples.parquet say what each is. Files keep their place on the ground only if [augment] moves nothing. Broken off, it goes on "
    "when it is run again.",
    arguments=(
        Argument(name="samples", help="A samples table, as index and split write it."),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="copies", kind="number", help="Copies of each training sample; default: 1."),
        Extra(name="seed", kind="number", help="Seed of the draws; default: 0."),
        Extra(name="instead", kind="switch", help="Leave out the originals of the training part."),
    ),
    tables=("data", "labels", "split", "augment"),
    flags=("augment",),
)

PREVIEW = Verb(
    name="preview",
    function="terrazzo.workflows.preview:preview",
    summary="A sheet of training samples as the network will see them, augmented, with their labels.",
    help="Draws what an epoch of the recipe shows first: the same windows, moved and shaded alike, in one stretch of brightness so that "
    "samples can be compared. Labels are laid over the image, what is left out of the loss is hatched. An earlier preview is overwritten, "
    "no other file.",
    arguments=(
        Argument(name="recipe", help="The recipe, a TOML file; paths in it are relative to it."),
        Argument(name="out", help="The PNG to write."),
    ),
    extras=(
        Extra(name="count", kind="number", help="Samples to show; default: 12."),
        Extra(name="epoch", kind="number", help="Which epoch, from 0; default: 0."),
        Extra(name="part", kind="text", help="train (default); validation or test, which are shown as they are."),
    ),
    tables=ALL_TABLES,
)

PACK = Verb(
    name="pack",
    function="terrazzo.workflows.pack:pack",
    summary="The samples of a table as one store to train from and to share; TFRecords in and out.",
    help="Writes the windows of a samples table with their pixels, labels and parts into OUT: shards of compressed, checksummed samples, "
    "samples.parquet and manifest.json. [samples] table = 'OUT' trains from it, without the images. They are read as they were indexed, "
    "and split by [split] if they are not yet. Takes a packed store too, to pack it otherwise, and TFRecord files with PNG or JPEG images "
    "and labels, which are split by file. Broken off anywhere, it goes on when it is run again; no other file is ever overwritten.",
    arguments=(
        Argument(
            name="samples", kind=str, help="A samples table, as index writes it; a packed store; or TFRecords: a file, a folder, a pattern."
        ),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="shard_samples", kind="number", help="Samples a shard; default: about 128 MB before compression."),
        Extra(name="raw", kind="switch", help="Not compressed: samples are mapped into memory, fastest where the disk has room."),
        Extra(name="tfrecord", kind="switch", help="Write TFRecords for other programs, lossless, instead of a store."),
    ),
    tables=("data", "legend", "labels", "samples", "split"),
    flags=("split",),
)

TRAIN = Verb(
    name="train",
    function="terrazzo.workflows.train:train",
    summary="Train a model by a recipe: index, split, fit, evaluate, report.",
    help="Leaves a run: a folder with the resolved recipe, the samples, the figures of each epoch, checkpoints, the model, its "
    "evaluation on held-out images and a report. Stopped anywhere, it goes on with --resume and ends with the same weights.",
    arguments=(Argument(name="recipe", help="The recipe, a TOML file; paths in it are relative to it."),),
    extras=(
        Extra(name="out", kind="path", help="Folder of the run; default: runs/NAME, NAME being the recipe's without its suffix."),
        Extra(name="resume", kind="switch", help="Go on where an unfinished run in the folder stopped; without a checkpoint, start anew."),
    ),
    tables=ALL_TABLES,
)

PREDICT = Verb(
    name="predict",
    function="terrazzo.workflows.predict:predict",
    summary="Map images of any size with a trained model.",
    help="Writes OUT/STEM_predseg.tif for each image, on its own grid, with the legend's colours; .png where the image is no "
    "GeoTIFF and has no map coordinates. Options not given are those the model was trained with.",
    arguments=(
        Argument(name="model", help="A model folder, or the run it is in."),
        Argument(name="inputs", many=True, help="Images, or folders of images."),
        Argument(name="out", help="Folder to write to."),
    ),
    tables=("prediction",),
    flags=("prediction",),
)

EVALUATE = Verb(
    name="evaluate",
    function="terrazzo.workflows.evaluate:evaluate",
    summary="Compare maps with labels: scores of each class, and a report.",
    help="Writes OUT/evaluation.json, the same as CSV tables, OUT/samples.parquet and OUT/report.html. Maps and labels are paired by stem; "
    "in a folder that holds _predseg files only those are taken. Probabilities beside a map are scored too. The legend is the one that the "
    "maps carry. Run again on the same files, it keeps what is there.",
    arguments=(
        Argument(name="predictions", help="Predicted class maps: a file or a folder."),
        Argument(name="labels", help="Labels of any form but rules: a file or a folder."),
        Argument(name="out", help="Folder to write to."),
    ),
    tables=("data", "legend", "labels", "evaluation"),
    flags=("evaluation",),
)

RANK = Verb(
    name="rank",
    function="terrazzo.workflows.rank:rank",
    summary="Samples of a run that deserve a look, worst first, and suspicious labels.",
    help="Writes OUT/rank.csv, rank.parquet, which opens in a GIS, and rank.png, a sheet of the first with image, truth, prediction, "
    "errors and probability. A share is drawn at random from the rest and marked, to see what the order overlooks. Labels that the model "
    "surely disagrees with are listed apart, in suspicious.csv and suspicious.parquet.",
    arguments=(Argument(name="runs", many=True, help="A run; or several, to rank the samples of the first by their disagreement."),),
    extras=(Extra(name="out", kind="path", help="Folder to write to; default: RUN/rank_BY."),),
    tables=("rank",),
    flags=("rank",),
)

COMPARE = Verb(
    name="compare",
    function="terrazzo.workflows.compare:compare",
    summary="Maps of several runs, models or tools on the same truth, with intervals.",
    help="Counts only pixels that all have mapped, so runs are compared on what each held out. Writes OUT/comparison.json, comparison.csv "
    "(a row a scene and map), comparison.png (where they differ most) and comparison.html. Each is compared with the first.",
    arguments=(
        Argument(name="maps", kind=str, many=True, help="Runs; or files, folders or quoted patterns of maps and masks. Two or more."),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(Extra(name="labels", kind="text", help="The truth, of any form but rules; default: the labels of the first, if it is a run."),),
    tables=("data", "legend", "labels", "evaluation"),
)

DEMO = Verb(
    name="demo",
    function="terrazzo.workflows.demo:demo",
    summary="Simulate, train, predict, evaluate and report, in about two minutes.",
    help="Simulates CCD frames with exact labels, trains a small U-Net on some of them, maps the others, and compares the maps "
    "with the labels and with the best rule of thresholds.",
    extras=(Extra(name="out", kind="path", default="demo-out", help="Folder to write to."),),
    tables=ALL_TABLES,
)

DOCTOR = Verb(
    name="doctor",
    function="terrazzo.app.doctor:doctor",
    summary="Versions, devices and speed of this machine, and what is missing.",
    help="Shows what a report of a fault should hold. Takes a few seconds, for it measures the speed of the processor.",
)

VERBS = (
    INSPECT,
    DOWNLOAD,
    SIMULATE,
    MASK,
    CHIP,
    MOSAIC,
    FLATTEN,
    SUMMARIZE,
    INDEX,
    SPLIT,
    AUGMENT,
    PREVIEW,
    PACK,
    TRAIN,
    PREDICT,
    EVALUATE,
    RANK,
    COMPARE,
    DEMO,
    DOCTOR,
)
