"""From a model to maps, and what they are worth."""

from terrazzo.recipes.verb import ALL_TABLES, Argument, Extra, Verb

PREDICT = Verb(
    name="predict",
    function="terrazzo.workflows.predict:predict",
    summary="Map images of any size with a trained model.",
    help="Writes OUT/STEM_predseg.tif for each image, on its own grid, with the legend's colours; .png where the image is no "
    "GeoTIFF and has no map coordinates. OUT/areas.csv has the area of each class. Options not given are those the model was trained with.",
    arguments=(
        Argument(name="model", help="A model folder, or the run it is in."),
        Argument(name="inputs", many=True, help="Images, or folders of images."),
        Argument(name="out", help="Folder to write to."),
    ),
    extras=(
        Extra(name="overlay", kind="switch", help="Also write OUT/STEM_segoverlay.png: the classes over the image."),
        Extra(name="polygons", kind="switch", help="Also write OUT/STEM_polygons.gpkg, as vectorize does."),
        Extra(name="rle", kind="text", help="A class: also write OUT/submission.csv, the run lengths of its objects in all images."),
        Extra(
            name="isolate", kind="text", help="A class: also write OUT/STEM_CLASS_only.tif: the image where it is that class, 0 elsewhere."
        ),
        Extra(
            name="aoi",
            kind="text",
            help="Map an area of interest alone: a vector file with polygons, or X1,Y1,X2,Y2, two opposite corners in the images' CRS. "
            "Maps are cut to it, and have no data beyond its polygons.",
        ),
        Extra(
            name="match_resolution",
            kind="switch",
            help="Read images of another cell size than the model's at the model's cell size. Their maps have their own.",
        ),
        Extra(
            name="with_",
            kind="paths",
            help="Another model, or the run it is in, of the same classes: maps are of the mean of all models' probabilities.",
        ),
        Extra(
            name="processes",
            kind="count",
            help="Predict by so many processes, which are dealt to the CUDA devices: large maps in parts, small ones in turn.",
        ),
        Extra(
            name="part",
            kind="text",
            help="K/N: only predict the K-th of N parts of each map of more than four megapixels, as one of several machines that share "
            "OUT. The same command without --part joins them.",
        ),
    ),
    tables=("prediction", "vectors"),
    flags=("prediction",),
)


VECTORIZE = Verb(
    name="vectorize",
    function="terrazzo.workflows.vectorize:vectorize",
    summary="The classes of a map as polygons, border lines or centre lines, for a GIS.",
    help="A polygon for each piece of ground of one class, whole across all seams, on rasters of any size. Each has its class (value, "
    "name), pixels, area_m2 and, where STEM_probabilities.tif lies beside the map, confidence: the mean probability of its class. "
    "--geometry borders writes the lines where classes meet, such as shorelines, with length_m; --geometry centrelines those along the "
    "middle of classes, such as roads, also with width_m. The ending of OUT chooses the format: .gpkg (with a style for QGIS), .parquet "
    "(GeoParquet), .fgb or .geojson (in degrees).",
    arguments=(
        Argument(name="classes", help="A class map, as predict writes it."),
        Argument(name="out", help="File to write; it may not be there yet."),
    ),
    tables=("vectors",),
    flags=("vectors",),
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
