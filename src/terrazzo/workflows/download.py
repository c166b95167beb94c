"""download: files of buckets, web servers, STAC catalogues and the catalogue of data sets, to disk."""

import csv
import io
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from terrazzo.errors import DataError, EnvironmentFault, TerrazzoError, UsageError
from terrazzo.labels.failures import Failures
from terrazzo.labels.sentences import counted
from terrazzo.rasters.download.catalogue import Entry
from terrazzo.rasters.download.find import Listing, Wish, list_files
from terrazzo.rasters.download.part import Part
from terrazzo.rasters.download.plan import Plan, check_room, make_plan, size_words
from terrazzo.rasters.download.stac import Search
from terrazzo.rasters.download.stores import Access
from terrazzo.rasters.download.transfer import Transfer
from terrazzo.rasters.download.unpack import is_archive
from terrazzo.rasters.download.unpack import unpack as unpack_archive
from terrazzo.rasters.location import RemotePath
from terrazzo.rasters.write import check_writable, write_text
from terrazzo.workflows.context import Context, Result, open_context

CONNECTIONS = 8
"""At once, where --threads says nothing else."""
PARTIAL = 7
FAILURES = "failures.csv"
_FAILURES_HEAD = '"file","address","reason"\n'
_SHOWN = 20

_DATE = re.compile(r"\d{4}(-\d\d){0,2}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

logger = logging.getLogger(__name__)


def download(  # noqa: PLR0913 - a parameter a flag
    sources: str | Sequence[str],
    out: str | Path,
    *,
    endpoint: str | None = None,
    anonymous: bool = False,
    ignore_etags: bool = False,
    stac: str | None = None,
    collection: str | None = None,
    bbox: str | None = None,
    from_: str | None = None,
    to: str | None = None,
    cloud: float | None = None,
    assets: str | None = None,
    catalogue: str | Path | None = None,
    unpack: bool = False,
    list_only: bool = False,
    keep_going: bool = False,
    context: Context | None = None,
) -> Result:
    """Fetch files to the folder OUT: all are listed first, what is there already is kept, and what was broken off goes on.

    sources: s3://, gs://, https:// or http:// addresses, and names of the catalogue. bbox: 'W,S,E,N' in degrees. cloud: in percent.
    collection, assets: names, separated by commas. unpack: also unpack zip and tar archives, each into a folder of its name.
    Raises UsageError, DataError naming all that cannot be fetched, ConflictError if OUT holds other files of those names,
    EnvironmentFault for faults of network and disk. Where some files failed in the end, the result says so with exit code 7.
    """
    context = context or open_context()
    wish = Wish(
        sources=(sources,) if isinstance(sources, str) else tuple(sources),
        search=_search(stac, collection, bbox, (from_, to), cloud, assets),
        access=Access(endpoint=endpoint, anonymous=anonymous, trust_etags=not ignore_etags),
        catalogue=Path(catalogue) if catalogue is not None else None,
    )
    folder = _folder(wish, out)
    if not list_only:
        check_writable(folder)
    listing = list_files(wish)
    if not keep_going or not listing.files:
        _check_listing(listing)
    plan = make_plan(listing.files, folder)
    if list_only:
        return _list(plan, listing)
    failures = {**listing.failures, **_fetch(plan, folder, context)}
    kept = [job for job in (*plan.todo, *plan.kept) if job.file.shown not in failures]
    unpacked = _unpacked([job.target for job in kept]) if unpack else []
    _write_failures(folder, plan, failures)
    return Result(
        text="\n".join([_summary(plan, folder, kept), *_entry_lines(listing), *(f"unpacked: {place}" for place in unpacked)]),
        written={"outputs": [*(job.target for job in kept), *unpacked]},
        facts={
            "files": len(kept),
            "kept": len(plan.kept),
            "bytes": sum(job.target.stat().st_size for job in kept),
            "entries": [{"name": found.name, **found.entry.model_dump(exclude={"files"})} for found in listing.entries],
        },
        problems=[f"{place}: {error}" if place not in str(error) else str(error) for place, error in failures.items()],
        exit_code=PARTIAL if failures else 0,
    )


def _search(
    address: str | None,
    collection: str | None,
    bbox: str | None,
    times: tuple[str | None, str | None],
    clouds: float | None,
    assets: str | None,
) -> Search | None:
    """What is looked for in a STAC catalogue, if anything. Raises UsageError for what cannot be meant."""
    given = {"--collection": collection, "--bbox": bbox, "--from": times[0], "--to": times[1], "--cloud": clouds, "--assets": assets}
    if address is None:
        lost = [flag for flag, value in given.items() if value is not None]
        if lost:
            raise UsageError(f"{', '.join(lost)}: a search needs the address of a STAC API. Give it with --stac.")
        return None
    if not address.startswith(("https://", "http://")):
        raise UsageError(f"--stac {address}: give the https:// address of a STAC API.")
    if collection is None and bbox is None:
        raise UsageError("--stac: say what is looked for, by --collection, by --bbox, or by both.")
    for flag, text in (("--from", times[0]), ("--to", times[1])):
        if text is not None and not _DATE.fullmatch(text):
            raise UsageError(f"{flag} {text}: write a date such as 2024-05-31, a month, a year, or a time such as 2024-05-31T10:00:00Z.")
    if clouds is not None and not 0 <= clouds <= 100:
        raise UsageError(f"--cloud {clouds:g}: the share under clouds is from 0 to 100 percent.")
    return Search(
        address=address,
        collections=_words(collection),
        box=_box(bbox) if bbox is not None else None,
        start=times[0],
        end=times[1],
        clouds=clouds,
        assets=_words(assets),
    )


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(number) for number in text.split(","))
    except ValueError as error:
        raise UsageError(f"--bbox {text}: write W,S,E,N in degrees, such as 8.4,53.9,8.9,54.2.") from error
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise UsageError(f"--bbox {text}: W and E are from -180 to 180, S and N from -90 to 90, and S is not above N.")
    return west, south, east, north


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))


def _folder(wish: Wish, out: str | Path) -> Path:
    if not wish.sources and wish.search is None:
        raise UsageError("there is nothing to fetch: give addresses or names of the catalogue before OUT, or a search with --stac.")
    if isinstance(out, RemotePath) or "://" in str(out):
        raise UsageError(f"{out} is an address, and the last argument is the folder to write to. Give a folder after the addresses.")
    return Path(out)


def _check_listing(listing: Listing) -> None:
    """Nothing is fetched where something cannot be, unless one says so."""
    errors = list(listing.failures.values())
    if len(errors) == 1:
        raise errors[0]
    if errors:
        more = [f"  and {len(errors) - _SHOWN} more"] if len(errors) > _SHOWN else []
        lines = [
            f"{len(errors)} of {len(errors) + len(listing.files)} cannot be fetched:",
            *(f"  {error}" for error in errors[:_SHOWN]),
            *more,
        ]
        hint = ["Leave them out, or add --keep-going to fetch the rest."] if listing.files else []
        kind = DataError if all(isinstance(error, DataError) for error in errors) else EnvironmentFault
        raise kind("\n".join([*lines, *hint])) from errors[0]


def _list(plan: Plan, listing: Listing) -> Result:
    """What would be fetched."""
    jobs = [*plan.todo, *plan.kept]
    total = size_words(sum(job.file.size or 0 for job in jobs))
    rows = [f"{job.file.size if job.file.size is not None else '?':>14}  {job.file.name}  {job.file}" for job in jobs]
    return Result(
        text="\n".join([*rows, f"{counted(len(jobs), 'file')}, {total}, {len(plan.kept)} of them there already", *_entry_lines(listing)]),
        facts={"files": [{"name": job.file.name, "size": job.file.size, "address": str(job.file)} for job in jobs]},
        problems=[str(error) for error in listing.failures.values()],
        exit_code=PARTIAL if listing.failures else 0,
    )


def _fetch(plan: Plan, folder: Path, context: Context) -> dict[str, TerrazzoError]:
    """Fetch what is not there; what failed in the end, by address. Raises if nothing could be fetched at all."""
    for job in plan.kept:
        Part(file=job.file, target=job.target).tidy()
    if not plan.todo:
        return {}
    check_room(plan, folder)
    logger.info("%s to fetch, %s.", counted(len(plan.todo), "file"), size_words(plan.bytes_left))
    failed = Transfer(context.threads or CONNECTIONS).run(plan.todo, context.progress)
    failures = {job.file.shown: failed[job.target] for job in plan.todo if job.target in failed}
    if len(failures) == len(plan.todo) + len(plan.kept):
        _check_listing(Listing(failures=failures))
    return failures


def _unpacked(places: Sequence[Path]) -> list[Path]:
    """Unpack the archives among files; all that cannot be unpacked are named."""
    failures = Failures()
    folders = []
    archives = [place for place in places if is_archive(place)]
    for place in archives:
        with failures.collect():
            folders.append(unpack_archive(place))
    failures.check(len(archives), "archives")
    return folders


def _summary(plan: Plan, folder: Path, kept: Sequence[object]) -> str:
    if not plan.todo:
        return f"{counted(len(kept), 'file')} in {folder}: all were there already, nothing was done"
    before = f", {len(plan.kept)} of them from before" if plan.kept else ""
    return f"{counted(len(kept), 'file')} in {folder}{before}"


def _entry_lines(listing: Listing) -> list[str]:
    """What is known of the entries that were asked for; their terms above all."""
    return [_entry_line(found.name, found.entry) for found in listing.entries]


def _entry_line(name: str, entry: Entry) -> str:
    about = f", {entry.about}" if entry.about else ""
    classes = f"; classes: {', '.join(entry.classes)}" if entry.classes else ""
    return f"{name}: {entry.kind}{about}; licence: {entry.licence}{classes}"


def _write_failures(folder: Path, plan: Plan, failures: Mapping[str, TerrazzoError]) -> None:
    """A table of what failed, for programs; one of an earlier run goes when nothing fails any more."""
    table = folder / FAILURES
    if any(job.target == table for job in (*plan.todo, *plan.kept)):
        # a file of that name is among those that were asked for
        return
    if not failures:
        if table.is_file() and table.read_text(encoding="utf-8").startswith(_FAILURES_HEAD):
            table.unlink()
        return
    places = {job.file.shown: str(job.target.relative_to(folder)) for job in plan.todo}
    rows = io.StringIO()
    writer = csv.writer(rows, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([_quoted(places.get(address, "")), _quoted(address), _quoted(str(error))] for address, error in failures.items())
    write_text(table, _FAILURES_HEAD + rows.getvalue())


def _quoted(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
