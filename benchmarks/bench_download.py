"""Fetch 244 MB from a local S3 server, against boto3's own download_file.

The file is stored in one piece, so that its ETag is an MD5: ours checks it, boto3 does not. Needs 1.5 GB of memory and 500 MB of disk.
Run: python benchmarks/bench_download.py [rounds]
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3  # type: ignore[import-untyped] # it ships no types
import numpy as np
from timing import in_turn

import terrazzo as tz

BYTES = 244_000_000
BUCKET, KEY = "bench", "scene.tif"


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server of its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - moto_server, on loopback
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def main(rounds: int) -> None:
    os.environ |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
    body = np.random.default_rng(0).bytes(BYTES)
    with s3_server() as endpoint, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket=BUCKET)
        client.put_object(Bucket=BUCKET, Key=KEY, Body=body)

        def ours() -> None:
            shutil.rmtree(folder / "ours", ignore_errors=True)
            tz.download(f"s3://{BUCKET}/{KEY}", folder / "ours", endpoint=endpoint)

        def theirs() -> None:
            client.download_file(BUCKET, KEY, str(folder / "theirs"))

        ours()
        theirs()
        assert (folder / "ours" / KEY).read_bytes() == (folder / "theirs").read_bytes() == body
        print(f"{BYTES / 1e6:.0f} MB from a local S3 server")
        print(f"{'':<16}{'ours':>12}{'boto3':>13}   boto3 / ours")
        print(f"{'download':<16}{in_turn(ours, theirs, rounds)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
