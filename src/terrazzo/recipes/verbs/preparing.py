"""From files to images, labels, chips and tables."""

from terrazzo.recipes.verb import Argument, Extra, Verb

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
