"""From labelled images to a model."""

from terrazzo.recipes.verb import ALL_TABLES, Argument, Extra, Verb

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
