"""The settings of the server: one TOML file, and what the command line says."""

import ipaddress
import logging
import resource
import secrets
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from serving.address import Proxies
from serving.breaker import PAUSE_SECONDS
from serving.consumers import ConsumersError, faults, read_consumers
from serving.keys import KeysError, keys_of_file
from serving.remote import RemoteError, check_address, is_here
from serving.routes import RETTIGHETSPAKKER
from serving.store import CURRENT

TEST_ISSUER = "urn:kravoversikt:test-only"
"""Who signs the throwaway tokens of ``serving.throwaway``."""

WELL_KNOWN = ".well-known/oauth-authorization-server"

LEAST_CONNECTIONS = 128

OTHER_FILES = 400
"""Files that a worker has open beside its connections and the segments of two snapshots, at most: logs and figures,
connections to Altinn (``remote.MOST_CONNECTIONS``), and those of who looks after it (``server.ADMIN_CONNECTIONS``)."""

log = logging.getLogger("kravoversikt")


class SettingsError(Exception):
    """The settings are wrong, or don't go together; the message says what and the cure."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_EmptyIsNone = BeforeValidator(lambda value: None if value == "" else value)
OptionalText = Annotated[str | None, _EmptyIsNone]
OptionalPath = Annotated[Path | None, _EmptyIsNone]


class Issuer(_Section):
    """Who signs a kind of token, and where its keys are."""

    issuer: str
    jwks_file: OptionalPath = None
    """Keys from a file, for tests and closed networks, instead of discovery."""
    metadata: OptionalText = None
    """Address of the issuer's metadata (RFC 8414) when it isn't under the issuer's own."""
    audience: OptionalText = None
    """When given, ``aud`` must be or hold it; else it must be unspecified."""
    longest_token_seconds: Annotated[float, Field(gt=0)] = 3600
    longest_consent_days: Annotated[float, Field(gt=0)] = 1096
    refresh_seconds: Annotated[float, Field(gt=0)] = 600
    refresh_floor_seconds: Annotated[float, Field(ge=0)] = 30
    trusted_seconds: Annotated[float, Field(gt=0)] = 14_400
    """How long keys are trusted that can't be read again."""

    def address(self) -> str:
        """Where the metadata are."""
        host = self.issuer if "://" in self.issuer else f"https://{self.issuer}"
        return self.metadata or f"{host.rstrip('/')}/{WELL_KNOWN}"


class Maskinporten(Issuer):
    """Access tokens."""

    issuer: str = "https://maskinporten.no/"
    scope: str = "skatteetaten:kravogbetalinger"
    consent_resource: str = "ske-samtykke-krav-og-betalinger"


class Altinn(Issuer):
    """Consent tokens."""

    issuer: str = "altinn.no"
    service_code: str = "5928_202301"


class SystemUsers(_Section):
    """System users: what Altinn's decision point is asked about them, where, and as whom."""

    resource: Annotated[str, Field(min_length=1)]
    """In Altinn's resource registry."""
    rettighetspakker: Annotated[frozenset[str], Field(min_length=1)]
    """Under which they may ask; under the others only a consent lets in."""
    action: Annotated[str, Field(min_length=1)] = "read"
    url: str = "https://platform.altinn.no/authorization/api/v1/authorize"
    seconds: Annotated[float, Field(gt=0, le=30)] = 3.0
    """For a whole decision, a new token of ours included."""
    remember_seconds: Annotated[float, Field(ge=0, le=900)] = 180
    pause_seconds: Annotated[float, Field(gt=0, le=300)] = PAUSE_SECONDS
    """When it has not answered again and again, nobody asks for so long; then one does."""
    subscription_key_file: OptionalPath = None
    client_id: OptionalText = None
    """Ours, in Maskinporten; with its key, by the name that Maskinporten knows that by."""
    client_key_file: OptionalPath = None
    client_kid: OptionalText = None
    client_scope: str = "altinn:authorization/authorize"
    token_url: str = "https://maskinporten.no/token"  # noqa: S105  # an address
    token_audience: str = "https://maskinporten.no/"  # noqa: S105
    exchange_url: OptionalText = "https://platform.altinn.no/authentication/api/v1/exchange/maskinporten"

    @field_validator("rettighetspakker")
    @classmethod
    def _known(cls, given: frozenset[str]) -> frozenset[str]:
        if given - set(RETTIGHETSPAKKER):
            raise ValueError(f"they are {', '.join(RETTIGHETSPAKKER)}")
        return given


class Log(_Section):
    """Where the logs go: a path, ``-`` for standard output, or empty for nowhere."""

    access: str = "-"
    audit: str = "-"
    hash_key_file: OptionalPath = None
    proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose ``X-Forwarded-For`` is believed in the audit log."""

    @field_validator("proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        Proxies(given)
        return given


class Settings(_Section):
    """Everything that the server needs to know."""

    home: Path
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    socket: OptionalPath = None
    """A Unix socket to listen on instead of host and port."""
    admin_host: str = "127.0.0.1"
    admin_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where health and figures are told, and no documents; without it, 0, they are told beside the documents."""
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    consumers_file: OptionalPath = None
    maskinporten: Maskinporten | None = None
    altinn: Altinn | None = None
    system_users: SystemUsers | None = None
    log: Log = Log()
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 1.0
    header_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    start_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    """For a worker to be ready, its snapshot opened; one that isn't is killed and replaced."""
    shutdown_seconds: Annotated[int, Field(ge=1, le=1800)] = 30
    connections: Annotated[int, Field(ge=LEAST_CONNECTIONS, le=1_000_000)] = 10_000
    no_auth: bool = False
    """Only ever given on the command line, like ``home``."""

    @field_validator("host", "admin_host")
    @classmethod
    def _address(cls, host: str) -> str:
        address = "127.0.0.1" if host == "localhost" else host
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError("must be an IP address, such as 127.0.0.1, or localhost") from None
        return address


_NOT_IN_FILE = {
    "home": "home: is not for the file to say; give --home or KRAVOVERSIKT_HOME",
    "no_auth": "no_auth: is not for the file to say; give --no-auth",
}


def read_settings(file: Path | None, **given: object) -> Settings:
    """The settings of a file (paths in it are relative to it) with those given instead. Raises ``SettingsError``."""
    content: dict[str, object] = {}
    try:
        if file:
            content = _absolute(tomllib.loads(file.read_text("utf-8")), file.resolve().parent)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file}: {getattr(error, 'strerror', None) or error}") from error
    wrong = [said for name, said in _NOT_IN_FILE.items() if content.pop(name, None) is not None]
    try:
        settings = Settings.model_validate(_merged(content, given))
    except ValidationError as error:
        wrong.append(f"settings: {faults(error)}")
    else:
        wrong += _wrong(settings)
    if wrong:
        raise SettingsError("\n".join(wrong))
    return settings


def _merged(content: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    """What was given goes before the file; of a section, only what the file leaves open."""
    merged = dict(content)
    for name, value in given.items():
        own = content.get(name)
        if isinstance(value, dict) and isinstance(own, dict):
            merged[name] = value | own
        elif value is not None:
            merged[name] = value
    return merged


def _absolute(content: dict[str, object], folder: Path) -> dict[str, object]:
    """The same with the paths of files made absolute."""
    paths = {"consumers_file", "jwks_file", "hash_key_file", "subscription_key_file", "client_key_file", "socket"}
    logs = {"access", "audit"}
    made: dict[str, object] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            made[name] = _absolute(value, folder)
        elif isinstance(value, str) and value and (name in paths or (name in logs and value != "-")):
            made[name] = str(folder / value)
        else:
            made[name] = value
    return made


def _wrong(settings: Settings) -> list[str]:
    """All that doesn't hold together, or isn't there."""
    wrong = []
    loopback = is_loopback(settings.host)
    if settings.no_auth and not loopback:
        wrong.append("--no-auth is only for a loopback address: use --host 127.0.0.1, or give --config with tokens")
    if any(one and one.issuer == TEST_ISSUER for one in (settings.maskinporten, settings.altinn)) and not loopback:
        wrong.append("test keys are only for a loopback address: use --host 127.0.0.1, or --config with real issuers")
    if not settings.no_auth and not settings.maskinporten:
        wrong.append("nothing says how callers are known: give --config, or --test-keys or --no-auth to try it out")
    if not settings.no_auth and not settings.consumers_file:
        wrong.append("consumers_file is missing: without it nobody is granted anything")
    if not settings.no_auth and not settings.log.hash_key_file:
        wrong.append("log.hash_key_file is missing: audit needs a key that stays; openssl rand -hex 32 makes one")
    if settings.admin_port == settings.port and not settings.socket:
        wrong.append("admin_port must be another than port: callers would be told the figures")
    if settings.log.hash_key_file and len(_bytes_of(settings.log.hash_key_file)) < 32:
        wrong.append("log.hash_key_file must be there and hold at least 32 bytes")
    if settings.consumers_file:
        try:
            read_consumers(settings.consumers_file)
        except ConsumersError as error:
            wrong.append(str(error))
    wrong += _wrong_system_users(settings.system_users) if settings.system_users else ()
    return [*wrong, *_wrong_keys(settings), *_wrong_logs(settings.log)]


def _wrong_keys(settings: Settings) -> Iterator[str]:
    for name, issuer in (("maskinporten", settings.maskinporten), ("altinn", settings.altinn)):
        try:
            if issuer and issuer.jwks_file:
                keys_of_file(issuer.jwks_file)
        except KeysError as error:
            yield f"{name}.jwks_file: {error}"


def _wrong_system_users(given: SystemUsers) -> Iterator[str]:
    for name in ("url", "token_url", "exchange_url"):
        try:
            check_address(getattr(given, name) or given.url)
        except RemoteError as error:
            yield f"system_users.{name}: {error}"
    as_whom = ("client_id", "client_key_file", "client_kid")
    absent = [name for name in as_whom if getattr(given, name) is None]
    if len(absent) == 3 and is_here(given.url):
        absent = []
    elif given.subscription_key_file is None:
        absent.append("subscription_key_file")
    if absent:
        yield f"system_users: {', '.join(absent)} must be there: Altinn decides for nobody whom it doesn't know"
    if given.subscription_key_file and not _bytes_of(given.subscription_key_file):
        yield "system_users.subscription_key_file must be there and hold the key"
    if given.client_key_file:
        try:
            private_key(given.client_key_file)
        except SettingsError as error:
            yield f"system_users.client_key_file: {error}"


def private_key(path: Path) -> RSAPrivateKey:
    """The RSA key of a PEM file. Raises ``SettingsError``."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError(f"{path.name} holds no RSA key")
    return key


def subscription_key(given: SystemUsers) -> str:
    """What opens Altinn's API, or nothing."""
    return _bytes_of(given.subscription_key_file).decode("latin-1") if given.subscription_key_file else ""


def _wrong_logs(log: Log) -> Iterator[str]:
    for name, place in (("access", log.access), ("audit", log.audit)):
        if place not in ("", "-") and (Path(place).is_dir() or not Path(place).parent.is_dir()):
            yield f"log.{name}: must be a file in a folder that is there, not {place}"


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError:
        return b""


def hash_key(settings: Settings) -> bytes:
    """The key of the hashes in the logs; without a file (``--no-auth``) one that lasts while the server runs."""
    return _bytes_of(settings.log.hash_key_file) if settings.log.hash_key_file else secrets.token_bytes(32)


def check_port(settings: Settings) -> None:
    """Raises ``SettingsError`` when what is to be listened on can't be.

    The server's sockets share a port, so that its workers can: a second server would take half of the requests.
    """
    if settings.socket:
        _check_socket(settings.socket)
    else:
        _check_port(settings.host, settings.port, "--host or --port")
    if settings.admin_port:
        _check_port(settings.admin_host, settings.admin_port, "admin_host or admin_port")


def _check_port(host: str, port: int, cure: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise SettingsError(f"{host} port {port}: {error.strerror}; give another {cure}") from error


def _check_socket(path: Path) -> None:
    if not path.parent.is_dir() or (path.exists() and not path.is_socket()):
        raise SettingsError(f"socket: must be a socket, or nothing, in a folder that is there, not {path}")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise SettingsError(f"socket: another program listens on {path}")


def with_room(settings: Settings) -> Settings:
    """The settings with as many connections as this process may have files open, once it has raised its limit.

    Fewer than are asked for are an error: ``SettingsError``. When nobody has asked, there are fewer, with a warning.
    """
    others = OTHER_FILES + 2 * sum(1 for _ in (settings.home / CURRENT / "documents").glob("*.zst"))
    needed = settings.connections + others
    allowed = _open_files(needed)
    fits = allowed - others
    if allowed >= needed:
        return settings
    said = f"connections = {settings.connections} needs {needed} open files, and {allowed} are allowed"
    if "connections" in settings.model_fields_set or fits < LEAST_CONNECTIONS:
        raise SettingsError(f"{said}; raise the limit (ulimit -Hn, LimitNOFILE) or give fewer connections")
    log.warning("%s: a worker takes %d at a time", said, fits)
    return settings.model_copy(update={"connections": fits})


def _open_files(needed: int) -> int:
    """How many files a process may have open: as many as are needed, if it is allowed to raise its limit so far."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return needed
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if raised > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    return max(soft, raised)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
