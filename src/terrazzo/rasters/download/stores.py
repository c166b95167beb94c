"""Opening buckets: servers, credentials, regions."""

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from terrazzo.errors import EnvironmentFault
from terrazzo.rasters.download.http import TIMEOUT_S, Http
from terrazzo.rasters.download.sources import Interruption
from terrazzo.rasters.location import RemotePath

if TYPE_CHECKING:
    from obstore.store import ClientConfig, GCSConfig, GCSStore, RetryConfig, S3Config, S3Store

Store: TypeAlias = "S3Store | GCSStore"

CONNECT_S = 10.0
LONGEST_REQUEST = timedelta(hours=6)
"""For one request, however large its answer; hung ones end after TIMEOUT_S."""
DEFAULT_REGION = "us-east-1"
_AMAZON = "https://s3.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Access:
    """How to come to buckets."""

    endpoint: str | None = None
    """Address of a server of one's own, such as http://localhost:9000."""
    anonymous: bool = False
    """Ask without credentials."""
    trust_etags: bool = True
    """Take plain ETags for MD5 sums; wrong where the bucket encrypts with keys of its own."""


def open_store(address: RemotePath, access: Access, http: Http) -> Store:
    """Open the bucket of an s3:// or gs:// address; nothing is asked of it yet.

    Raises EnvironmentFault if the package that does this is missing, or the place of the bucket cannot be learned.
    """
    obstore_module()
    from obstore.store import GCSStore, S3Store

    endpoint = _endpoint(address, access)
    client, retry = client_config(endpoint or ""), retry_config()
    if address.scheme == "gs":
        google: GCSConfig = {"skip_signature": access.anonymous}
        if endpoint:
            google["base_url"] = endpoint
        return GCSStore(address.host, config=google, client_options=client, retry_config=retry)
    amazon: S3Config = {"skip_signature": access.anonymous, "region": _region(address.host, endpoint, http)}
    if endpoint:
        amazon |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if not access.anonymous:
        amazon |= _stored_credentials(os.environ)
    return S3Store(address.host, config=amazon, client_options=client, retry_config=retry)


def client_config(address: str) -> "ClientConfig":
    """How a server at an address is connected to: in clear only where the address says so."""
    return {
        "allow_http": address.startswith("http://"),
        "connect_timeout": timedelta(seconds=CONNECT_S),
        "read_timeout": timedelta(seconds=TIMEOUT_S),
        "timeout": LONGEST_REQUEST,
    }


def retry_config() -> "RetryConfig":
    """How often a request is repeated; transfers have a patience of their own."""
    return {"max_retries": 2, "retry_timeout": timedelta(seconds=TIMEOUT_S)}


def obstore_module() -> ModuleType:
    """The package that talks to buckets. Raises EnvironmentFault if it is not installed."""
    try:
        import obstore
    except ImportError as error:
        raise EnvironmentFault("s3:// and gs:// need the package obstore, which is not installed: pip install 'terrazzo[cloud]'") from error
    return obstore


def _endpoint(address: RemotePath, access: Access) -> str | None:
    variables = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") if address.scheme == "s3" else ()
    found = access.endpoint or next((os.environ[name] for name in variables if os.environ.get(name)), None)
    return found.rstrip("/") if found else None


def _region(bucket: str, endpoint: str | None, http: Http) -> str:
    """Where a bucket is kept: Amazon tells anyone, whether it lets them in or not."""
    given = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    if endpoint:
        return given
    try:
        return http.head(f"{_AMAZON}/{bucket}").get("x-amz-bucket-region", given)
    except Interruption as error:
        raise EnvironmentFault(f"s3://{bucket} cannot be reached: {error}.") from error


def _stored_credentials(environ: Mapping[str, str]) -> "S3Config":
    """Keys of the profile in the credentials file, where the environment has none."""
    if environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    file = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise EnvironmentFault(f"{file} cannot be read as credentials: {str(error).splitlines()[0]}") from error
    if not parser.has_option(profile, "aws_access_key_id"):
        return {}
    found: S3Config = {
        "access_key_id": parser.get(profile, "aws_access_key_id"),
        "secret_access_key": parser.get(profile, "aws_secret_access_key", fallback=""),
    }
    token = parser.get(profile, "aws_session_token", fallback="")
    if token:
        found["session_token"] = token
    return found
