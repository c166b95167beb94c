"""doctor: versions, devices and speed of this machine, and what is missing."""

import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from terrazzo.models.machine import DeviceFacts, devices, measure_products
from terrazzo.models.network import choose_runtime, precision_for
from terrazzo.prediction.engines import openvino_engine
from terrazzo.prediction.engines.choose import installed_engines
from terrazzo.rasters.ahead import cores
from terrazzo.workflows.context import Context, Result, open_context

GIB = 2**30
LITTLE_DISK_BYTES = 5 * GIB
LITTLE_MEMORY_BYTES = 4 * GIB
_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What Terrazzo found."""

    versions: dict[str, str]
    python: str
    system: str
    processor: str
    cores: int
    """That this process may use."""
    memory_bytes: int | None
    disk_free_bytes: int
    """Where the command runs."""
    devices: list[DeviceFacts]
    device: str
    """The one that would be used."""
    precision: str
    """The one that would be used."""
    precision_why: str
    """What it rests on."""
    gigaflops: dict[str, float]
    """Of matrix products on that device, by precision."""
    engines: list[str]
    """That prediction can choose from."""
    missing: list[str]


def doctor(context: Context | None = None) -> Result:
    """Tell what this machine has to run with, measure its speed, and name what is missing. Takes a few seconds.

    Raises EnvironmentFault if the context asks for a device that is not there.
    """
    context = context or open_context()
    machine = examine(context.device)
    return Result(text="\n".join(_lines(machine)), facts=asdict(machine))


def examine(device: str) -> Machine:
    """Look at this machine, and measure the speed of a device."""
    runtime = choose_runtime(device, "auto")
    versions, absent = _packages()
    found, disk = devices(), shutil.disk_usage(Path.cwd()).free
    return Machine(
        versions=versions,
        python=platform.python_version(),
        system=platform.platform(),
        processor=processor(),
        cores=cores(),
        memory_bytes=memory_bytes(),
        disk_free_bytes=disk,
        devices=found,
        device=str(runtime.device),
        precision=runtime.precision,
        precision_why=precision_for(runtime.device)[1],
        gigaflops=measure_products(runtime.device),
        engines=installed_engines(),
        missing=_missing(absent, found, disk),
    )


def processor() -> str:
    """The processor's name as its maker gives it, else its architecture."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Memory of the machine, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _packages() -> tuple[dict[str, str], list[str]]:
    """Versions of what Terrazzo needs, and what of it is not installed."""
    needed = [line for line in metadata.requires("terrazzo") or () if "extra ==" not in line]
    versions, absent = {"terrazzo": metadata.version("terrazzo")}, []
    for line in needed:
        match = _NAME.match(line)
        name = match.group() if match else line
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            absent.append(name)
    return versions, absent


def _missing(absent: list[str], found: list[DeviceFacts], disk: int) -> list[str]:
    """A line for each thing that stands in the way or makes work slow."""
    lines = [f"{name} is not installed: pip install {name}" for name in absent]
    if len(found) == 1:
        lines.append("no CUDA or MPS device: training and prediction use the processor")
        if not openvino_engine.is_installed():
            lines.append("no OpenVINO, which predicts faster on processors: pip install terrazzo[openvino]")
    if not any(device.bfloat16 for device in found):
        lines.append("no fast bfloat16: work is in float32")
    if disk < LITTLE_DISK_BYTES:
        lines.append(f"little disk: {disk / GIB:.1f} GiB free here")
    memory = memory_bytes()
    if memory is not None and memory < LITTLE_MEMORY_BYTES:
        lines.append(f"little memory: {memory / GIB:.1f} GiB")
    return lines


def _lines(machine: Machine) -> list[str]:
    memory = f", {machine.memory_bytes / GIB:.1f} GiB of memory" if machine.memory_bytes is not None else ""
    speeds = ", ".join(f"{precision} {speed:.0f} GFLOP/s" for precision, speed in machine.gigaflops.items())
    return [
        f"terrazzo {machine.versions['terrazzo']}, Python {machine.python}, {machine.system}",
        f"processor: {machine.processor}, {machine.cores} cores{memory}",
        *(_device_line(device) for device in machine.devices),
        f"used: {machine.device} in {machine.precision}: {machine.precision_why} (--device and precision change it)",
        f"matrix products: {speeds}",
        f"engines of prediction: {', '.join(machine.engines)}",
        f"disk: {machine.disk_free_bytes / GIB:.1f} GiB free here",
        "packages: " + ", ".join(f"{name} {number}" for name, number in machine.versions.items() if name != "terrazzo"),
        *(f"missing: {line}" for line in machine.missing),
    ]


def _device_line(device: DeviceFacts) -> str:
    memory = f", {device.memory_bytes / GIB:.0f} GiB" if device.memory_bytes is not None else ""
    chip = f" ({device.chip})" if device.chip else ""
    return f"device {device.name}{chip}{memory}: fast bfloat16: {'yes' if device.bfloat16 else 'no'}"
